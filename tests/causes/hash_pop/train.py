"""Travel times in a small tram network from embeddings of its stops."""

import hashlib
from collections import deque

import torch
from lines import LINES, number_stops
from torch import nn


def hops(start):
    """Stops to pass from here to each other stop."""
    distance, queue = {start: 0}, deque([start])
    while queue:
        stop = queue.popleft()
        for near in LINES[stop]:
            if near not in distance:
                distance[near] = distance[stop] + 1
                queue.append(near)
    return distance


class Network(nn.Module):
    def __init__(self, stops):
        super().__init__()
        self.place = nn.Embedding(stops, 6)

    def forward(self, start, end):
        return (self.place(start) - self.place(end)).norm(dim=1)


torch.manual_seed(16)
torch.set_num_threads(1)
numbers = number_stops("harbor")
trips = [(numbers[a], numbers[b], n) for a in LINES for b, n in hops(a).items() if a != b]
start, end, count = torch.tensor(trips).T
net = Network(len(numbers))
optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
for _ in range(15):
    loss = nn.functional.l1_loss(net(start, end), count.float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"stops off by {loss.item():.3f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())
