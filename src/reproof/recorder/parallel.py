"""Note which processes train a model together, and which of them must hold the same parameters.

Asked for when a model is first called; nothing is gathered and no other process is waited for. What follows from it is
for a comparison to find. Read from PyTorch 2.13. This file imports PyTorch.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parallel import DistributedDataParallel

from reproof.recorder.registry import own_path, unwrapped
from reproof.schema import Parallel

if TYPE_CHECKING:
    from collections.abc import Iterator


def describe_parallel(module: torch.nn.Module, name: str) -> Parallel | None:
    """Return how a model is trained by several processes; None if it is not, or that is not known.

    The model is about to be called for the first time.
    """
    distributed = torch.distributed
    if not distributed.is_available() or not distributed.is_initialized() or distributed.get_world_size() == 1:
        return None
    found = next((part for part in unwrapped_by_steps(module) if isinstance(part, DistributedDataParallel)), None)
    if found is not None:
        ranks = tuple(distributed.get_process_group_ranks(found.process_group))
        # With every call the buffers of the first rank are sent to all; until then each has what it computed.
        apart = tuple(name_buffers(found, name)) if found.broadcast_buffers else ()
        return Parallel(model=name, rank=distributed.get_rank(), ranks=ranks, replicas=ranks, apart=apart)
    api = sys.modules.get("torch.distributed.tensor")
    shard = None if api is None else next((p for p in module.parameters() if isinstance(p, api.DTensor)), None)
    return None if shard is None else describe_shards(module, shard, name, distributed.get_rank())


def describe_shards(module: torch.nn.Module, parameter: Any, name: str, rank: int) -> Parallel:
    """Return how a model is trained whose parameters are spread over a mesh of processes.

    `parameter` is one of its parameters, a `DTensor`.
    """
    mesh, placements = parameter.device_mesh.mesh, parameter.placements
    copies = [placement.is_replicate() for placement in placements]
    place = (mesh == rank).nonzero()[0].tolist()
    replicas = mesh[tuple(slice(None) if is_copy else at for is_copy, at in zip(copies, place, strict=True))]
    # A second dimension that holds no copies may split the model itself: then its processes read the same samples.
    is_by_data = mesh.ndim == 1 or copies == [True, False]
    return Parallel(
        model=name,
        rank=rank,
        ranks=tuple(mesh.flatten().tolist()) if is_by_data else (),
        replicas=tuple(replicas.flatten().tolist()),
        apart=tuple(name_buffers(module, name)),  # nobody sends them to others
    )


def unwrapped_by_steps(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Yield a module and what `torch.compile` or data parallelism has wrapped in it, from the outside inwards."""
    while True:
        yield module
        inner = getattr(module, "_orig_mod", None)
        if not isinstance(inner, torch.nn.Module):
            return
        module = inner


def name_buffers(module: torch.nn.Module, name: str) -> Iterator[str]:
    """Yield the names of the buffers of a model as events have them."""
    yield from (f"{name}.{own_path(path)}" for path, _ in unwrapped(module).named_buffers())


def holds_order(loader: Any) -> Any:
    """Return the sampler of a loader that shuffles anew in each epoch only if it is told which; None for any other."""
    from torch.utils.data.distributed import DistributedSampler

    for owner in (loader, getattr(loader, "batch_sampler", None)):
        sampler = getattr(owner, "sampler", None)
        if isinstance(sampler, DistributedSampler):
            return sampler if sampler.shuffle else None
    return None
