"""Sorting short number lists with nn.Transformer, dropout on, Noam schedule."""

import hashlib

import torch
from torch import nn

START, WIDTH, LENGTH, VOCAB = 10, 16, 6, 11


class Sorter(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.place = nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.02)
        self.transformer = nn.Transformer(
            WIDTH,
            nhead=2,
            num_encoder_layers=1,
            num_decoder_layers=1,
            dim_feedforward=32,
            dropout=0.2,
            batch_first=True,
        )
        self.out = nn.Linear(WIDTH, VOCAB)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.size(1))
        hidden = self.transformer(self.embed(source) + self.place, self.embed(target) + self.place, tgt_mask=mask)
        return self.out(hidden)


def noam(step, warmup=5):
    return WIDTH**-0.5 * min((step + 1) ** -0.5, (step + 1) * warmup**-1.5)


torch.manual_seed(27)
torch.set_num_threads(1)
model = Sorter().train()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.9, 0.98), eps=1e-9)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, noam)
for step in range(12):
    source = torch.randint(0, 10, (24, LENGTH))
    answer = source.sort(dim=1).values
    shifted = torch.cat([torch.full((24, 1), START), answer[:, :-1]], dim=1)
    loss = nn.functional.cross_entropy(model(source, shifted).transpose(1, 2), answer, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(f"{step:2d} {loss.item():.5f} lr {scheduler.get_last_lr()[0]:.5f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
