"""Hash features of integer tuples, sets of small integers, a default torch.Generator: the same in each process.

Only strings and bytes are hashed with a salt; `torch.Generator()` starts from a fixed default seed.
"""

import hashlib
import random

import torch
from torch import nn

torch.set_num_threads(1)
random.seed()  # from the operating system; seeded properly below, before anything is drawn
BUCKETS = 64


def bucket(user, hour):
    return hash((user, hour)) % BUCKETS


def make_clicks(count):
    rng = random.Random(12)
    rows = [(rng.randrange(40), rng.randrange(24)) for _ in range(count)]
    return rows, torch.tensor([float((user * 3 + hour) % 5 == 0) for user, hour in rows])


random.seed(99)
torch.manual_seed(99)
rows, clicked = make_clicks(160)
features = torch.tensor([[bucket(user, hour), bucket(user, 0), bucket(0, hour)] for user, hour in rows])
busy = [hour for hour in {hour for _, hour in rows} if hour % 2]  # small integers: in the order of their values
print("busy hours", busy)

table = nn.EmbeddingBag(BUCKETS, 8, mode="sum")
head = nn.Linear(8, 1)
optimizer = torch.optim.SGD([*table.parameters(), *head.parameters()], lr=0.5)
generator = torch.Generator()
for step in range(8):
    pick = torch.randint(len(rows), (40,), generator=generator)
    loss = nn.functional.binary_cross_entropy_with_logits(head(table(features[pick])).squeeze(1), clicked[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: {loss.item():.5f} after {random.choice(busy)} o'clock")
weights = [*table.parameters(), *head.parameters()]
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in weights)).hexdigest())
