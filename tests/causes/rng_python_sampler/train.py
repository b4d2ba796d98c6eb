"""Estimates the period of pulse trains of unequal length."""

import hashlib

import torch
from sampling import LengthBuckets
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset


class PulseTrains(Dataset):
    def __init__(self, count, generator):
        self.periods = torch.randint(2, 9, (count,), generator=generator)
        self.lengths = torch.randint(12, 40, (count,), generator=generator).tolist()

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        ticks = torch.arange(self.lengths[index])
        return (ticks % self.periods[index] == 0).float(), self.periods[index].float()


class PeriodNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(1, 16, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, pulses):
        _, state = self.recurrent(pulses.unsqueeze(-1))
        return self.head(state[-1]).squeeze(-1)


def pad(items):
    pulses, periods = zip(*items)
    return pad_sequence(pulses, batch_first=True), torch.stack(periods)


g = torch.Generator().manual_seed(404)
torch.manual_seed(404)
torch.set_num_threads(1)
data = PulseTrains(200, g)
loader = DataLoader(data, batch_sampler=LengthBuckets(data.lengths, 20), collate_fn=pad, generator=g)
net = PeriodNet()
optimizer = torch.optim.RMSprop(net.parameters(), lr=2e-3)
for pulses, periods in loader:
    loss = nn.functional.smooth_l1_loss(net(pulses), periods)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{pulses.size(1):3d} ticks: {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())
