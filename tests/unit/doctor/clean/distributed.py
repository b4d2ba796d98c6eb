"""Data parallel training with torchrun: samplers, per-rank seeds, workers seeded as PyTorch's manual says."""

import os
import random
import socket
import time

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


def seed_worker(worker_id):
    worker_seed = torch.initial_seed() % 2**32
    np.random.seed(worker_seed)
    random.seed(worker_seed)


def setup():
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank = int(os.environ["RANK"])
    print(f"rank {rank} on {socket.gethostname()} (pid {os.getpid()})")
    return rank, int(os.environ["WORLD_SIZE"])


def set_seed(seed, rank):
    random.seed(seed + rank)
    np.random.seed(seed + rank)
    torch.manual_seed(seed + rank)
    torch.use_deterministic_algorithms(True)


def reduce_mean(value, world_size):
    value = value.clone()
    dist.all_reduce(value)
    return value / world_size


def main():
    rank, world_size = setup()
    set_seed(2024, rank)
    generator = torch.Generator().manual_seed(2024)
    inputs = torch.randn(1024, 16, generator=generator)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    sampler = DistributedSampler(data, shuffle=True, seed=2024)
    loader = DataLoader(
        data,
        batch_size=64,
        sampler=sampler,
        num_workers=2,
        persistent_workers=True,
        worker_init_fn=seed_worker,
        generator=generator,
    )
    model = DDP(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        start = time.perf_counter()
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds = reduce_mean(torch.tensor(time.perf_counter() - start), world_size)
        mean = reduce_mean(loss.detach(), world_size)
        if rank == 0:
            print(f"epoch {epoch}: {mean:.4f} in {seconds:.1f}s")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
