"""Deep Q-learning on a small chain: replay memory, exploration, a run's name with the time in it."""

import random
import time
from collections import deque, namedtuple
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.tensorboard import SummaryWriter


@dataclass
class Args:
    exp_name: str = "dqn"
    seed: int = 1
    torch_deterministic: bool = True
    total_timesteps: int = 10000
    learning_rate: float = 2.5e-4
    buffer_size: int = 1000
    batch_size: int = 128


Transition = namedtuple("Transition", ("state", "action", "reward", "next_state"))


class Chain:
    def __init__(self, length, seed):
        self.length = length
        self.rng = np.random.default_rng(seed)
        self.state = 0

    def reset(self):
        self.state = int(self.rng.integers(self.length))
        return self.encode()

    def encode(self):
        return np.eye(self.length, dtype=np.float32)[self.state]

    def step(self, action):
        self.state = min(max(self.state + (1 if action else -1), 0), self.length - 1)
        return self.encode(), float(self.state == self.length - 1)


class Memory:
    def __init__(self, size):
        self.items = deque(maxlen=size)

    def push(self, *values):
        self.items.append(Transition(*values))

    def sample(self, count):
        return random.sample(self.items, count)

    def __len__(self):
        return len(self.items)


def linear_schedule(start, end, duration, t):
    return max((end - start) / duration * t + start, end)


if __name__ == "__main__":
    args = Args()
    run_name = f"{args.exp_name}__{args.seed}__{int(time.time())}"
    writer = SummaryWriter(f"runs/{run_name}")
    writer.add_text("hyperparameters", str(vars(args)))

    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.backends.cudnn.deterministic = args.torch_deterministic

    env = Chain(8, args.seed)
    q_network, target = nn.Linear(8, 2), nn.Linear(8, 2)
    target.load_state_dict(q_network.state_dict())
    optimizer = optim.Adam(q_network.parameters(), lr=args.learning_rate)
    memory = Memory(args.buffer_size)
    start_time = time.time()
    obs = env.reset()
    for global_step in range(args.total_timesteps):
        epsilon = linear_schedule(1.0, 0.05, 1000, global_step)
        if random.random() < epsilon:
            action = int(np.random.randint(2))
        else:
            action = int(q_network(torch.tensor(obs)).argmax())
        next_obs, reward = env.step(action)
        memory.push(obs, action, reward, next_obs)
        obs = env.reset() if reward else next_obs
        if len(memory) < args.batch_size:
            continue
        batch = Transition(*zip(*memory.sample(args.batch_size)))
        states, next_states = torch.tensor(np.array(batch.state)), torch.tensor(np.array(batch.next_state))
        with torch.no_grad():
            best = torch.tensor(batch.reward) + 0.99 * target(next_states).max(dim=1).values
        old = q_network(states).gather(1, torch.tensor(batch.action)[:, None]).squeeze()
        loss = nn.functional.mse_loss(best, old)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if global_step % 100 == 0:
            writer.add_scalar("losses/td_loss", loss, global_step)
            sps = int(global_step / (time.time() - start_time))
            print("SPS:", sps)
            writer.add_scalar("charts/SPS", sps, global_step)
    writer.close()
