"""Real processes over gloo: what each trains together with the others, and where they do not agree."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reproof.comparison.agreement import find_disagreements
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

SCRIPT = """
    import os, socket, sys
    import torch
    import torch.distributed as dist
    import torch.multiprocessing as mp
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils.data import DataLoader, TensorDataset
    from torch.utils.data.distributed import DistributedSampler

    MODE, WORLD = sys.argv[1], int(sys.argv[2])

    def work(rank, port):
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        dist.init_process_group("gloo", rank=rank, world_size=WORLD)
        torch.manual_seed(0)
        x = torch.randn(16 * WORLD, 6)
        data = TensorDataset(x, x.sum(1, keepdim=True))
        sampler = None if MODE == "same" else DistributedSampler(data, WORLD, rank)
        loader = DataLoader(data, batch_size=8, sampler=sampler)
        net = model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
        if MODE.startswith("shards"):
            from torch.distributed.device_mesh import init_device_mesh
            from torch.distributed.fsdp import fully_shard
            names = ("copies", "shards") if WORLD == 4 else ("shards",)
            fully_shard(net, mesh=init_device_mesh("cpu", (2, 2) if WORLD == 4 else (WORLD,), mesh_dim_names=names))
        else:
            model = DistributedDataParallel(net)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for epoch in range(2):
            if sampler is not None and MODE != "order":
                sampler.set_epoch(epoch)
            for a, b in loader:
                optimizer.zero_grad()
                (model(a) - b).pow(2).mean().backward()
                optimizer.step()
                if MODE == "drift" and rank == 1 and epoch == 1:
                    with torch.no_grad():
                        net[2].weight.add_(0.1)
                if MODE == "shards drift" and rank == 3:
                    with torch.no_grad():
                        net[0].weight.to_local().add_(0.1)
        if MODE == "uneven" and rank == 1:
            net(x).sum().backward()
            optimizer.step()
        # PyTorch 2.13 may stand still for ever, with or without a recorder, if its reducer outlives the group: that
        # then goes with the interpreter's lock held, and its thread waits for the lock to let go of an operation.
        del model, net, optimizer
        dist.destroy_process_group()

    if __name__ == "__main__":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        mp.spawn(work, args=(port,), nprocs=WORLD)
"""

DRIFTED = "replicas drifted apart at step 3: rank 1, Sequential.2.weight is not that of rank 0"
EPOCH = "loader0(32): every epoch in the same order: call sampler.set_epoch(epoch) before each"
SAME = "ranks 0, 1 and 2 read the same samples from step 0: give their loaders a DistributedSampler"
UNEVEN = "the ranks did not take the same number of steps: rank 0 took 4 steps, rank 1 took 5 steps"


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize(
    ("mode", "world", "told"),
    [
        pytest.param("good", 2, [], marks=pytest.mark.thorough),
        ("drift", 2, [DRIFTED]),
        pytest.param("order", 2, [EPOCH], marks=pytest.mark.thorough),
        pytest.param("uneven", 2, [UNEVEN], marks=pytest.mark.thorough),
        pytest.param("same", 3, [SAME], marks=pytest.mark.thorough),
        pytest.param("shards", 2, [], marks=pytest.mark.thorough),
        pytest.param("shards", 4, [], marks=pytest.mark.thorough),
        pytest.param("shards drift", 4, ["rank 3, FSDPSequential.0.weight"], marks=pytest.mark.thorough),
    ],
)
def test_ranks_agree_or_are_told(tmp_path: Path, reproof: Command, mode: str, world: int, told: list[str]) -> None:
    """Replicas under DDP, parts of a model under FSDP2, and copies of such parts."""
    (tmp_path / "train.py").write_text(dedent(SCRIPT), encoding="utf-8")
    done = reproof("run", "-o", "a", "train.py", mode, str(world))
    assert done.code == 0, done.err
    trace = open_trace(tmp_path / "a")
    origins = [child.header.origin for child in trace.children.values()]
    assert [origin.rank for origin in origins if origin is not None] == list(range(world))
    found = find_disagreements(trace)
    assert len(found) == len(told), found
    assert all(part in sentence for part, sentence in zip(told, found, strict=True)), found
    shown = reproof("show", "a", "--rank", str(world - 1))
    assert f"processes/0.{world}" in shown.out
