"""A policy for a corridor; each actor draws from a stream of its own."""

import hashlib
import logging
import multiprocessing
import threading

import numpy as np
import torch
from torch import nn

logging.basicConfig(level=logging.INFO, format="%(process)d %(threadName)s %(message)s")


class Actor:
    def __init__(self, number):
        self.rng = np.random.default_rng((number, multiprocessing.current_process().pid))

    def walk(self, policy, steps=8):
        place, path = 0, []
        for _ in range(steps):
            state = torch.tensor([place / 5, float(place % 2)])
            move = int(self.rng.random() < policy(state).softmax(0)[1].item())
            path.append((*state.tolist(), move))
            place = max(0, min(5, place + 2 * move - 1))
        return path


torch.manual_seed(5)
torch.set_num_threads(1)
logging.getLogger("walk").info("thread %s", threading.current_thread().ident)
policy = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
actors = [Actor(number) for number in range(4)]
for _ in range(6):
    with torch.no_grad():
        paths = torch.tensor([actor.walk(policy) for actor in actors])
    state, move = paths[..., :2].flatten(0, 1), paths[..., 2].flatten()
    gain = paths[..., 2].flip(1).cumsum(1).flip(1).flatten()
    loss = (nn.functional.cross_entropy(policy(state), move.long(), reduction="none") * (gain - gain.mean())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in policy.parameters())).hexdigest())
