"""The random number generators of a process: seed them, read their states, put the states back.

Covered are Python's `random`, NumPy's global generator, PyTorch's CPU generator and those of every initialised device.
Left out: generators that a script makes for itself (`numpy.random.default_rng`, `torch.Generator`), which nobody can
reach from outside.
"""

from __future__ import annotations

import importlib
import random
import sys
from dataclasses import dataclass
from typing import Any, Final

import torch

from reproof.errors import UsageError

SEED_LIMIT: Final = 2**32
"""First value that NumPy refuses: https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html."""

_DEVICE_TYPES: Final = ("cuda", "xpu")
"""Device types with one generator per device; ``mps`` has a single one and is handled apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RngStates:
    """The states of all global random number generators at one moment.

    Attributes:
        python: State of Python's `random`.
        numpy: State of NumPy's global generator, or None while NumPy is not imported.
        torch_cpu: State of PyTorch's CPU generator, uint8.
        torch_seed: The seed that the CPU generator was last given, or drew for itself.
        devices: For each initialised device type, the states of its devices in order, uint8, in host memory.
    """

    python: tuple[Any, ...]
    numpy: dict[str, Any] | None
    torch_cpu: torch.Tensor
    torch_seed: int
    devices: tuple[tuple[str, tuple[torch.Tensor, ...]], ...]


def require_seed(seed: object) -> int:
    """Return the seed if every generator can take it.

    Raises UsageError if not an `int`, a `bool`, or outside ``0 <= seed < 2**32``.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError(f"the seed {seed!r} is a {type(seed).__name__}", "pass an int from 0 to 2**32 - 1")
    if not 0 <= seed < SEED_LIMIT:
        raise UsageError(f"the seed {seed} is out of range", "pass an int from 0 to 2**32 - 1, which NumPy can take")
    return seed


def import_numpy_random() -> Any | None:
    """Return `numpy.random`, importing it if need be, or None where NumPy is not installed."""
    try:
        return importlib.import_module("numpy.random")
    except ImportError:
        return None


def seed_generators(seed: int) -> None:
    """Seed Python's `random`, NumPy's global generator where NumPy is installed, and PyTorch on every device.

    Effects: All global generators. A device that is not initialised yet is seeded when it is, and stays uninitialised.
    """
    random.seed(seed)
    numpy_random = import_numpy_random()
    if numpy_random is not None:
        numpy_random.seed(seed)
    torch.manual_seed(seed)


def rng_states() -> RngStates:
    """Read the states of all global generators; draws nothing, imports nothing, initialises no device."""
    numpy_random = sys.modules.get("numpy.random")
    devices = tuple((name, states) for name in (*_DEVICE_TYPES, "mps") if (states := _device_states(name)) is not None)
    return RngStates(
        python=random.getstate(),
        numpy=None if numpy_random is None else numpy_random.get_state(legacy=False),
        torch_cpu=torch.get_rng_state(),
        torch_seed=torch.initial_seed(),
        devices=devices,
    )


def restore_rng_states(states: RngStates) -> None:
    """Put all global generators back, so that they go on as if nothing had been drawn since.

    A device that was not initialised when the states were read had no state; it is given PyTorch's seed of that time,
    which is what it would have started from after `torch.manual_seed`. Effects: all global generators.
    """
    random.setstate(states.python)
    if states.numpy is not None:
        sys.modules["numpy.random"].set_state(states.numpy)
    torch.set_rng_state(states.torch_cpu)
    known = dict(states.devices)
    for name in _DEVICE_TYPES:
        _restore_devices(name, known.get(name), states.torch_seed)
    if "mps" in known:
        torch.mps.set_rng_state(known["mps"][0])


def _device_states(name: str) -> tuple[torch.Tensor, ...] | None:
    """Return the states of the devices of one type, or None where it is absent or not initialised."""
    if name == "mps":
        return (torch.mps.get_rng_state(),) if torch.backends.mps.is_available() else None
    module: Any = getattr(torch, name, None)
    if module is None or not module.is_initialized():
        return None
    return tuple(module.get_rng_state_all())


def _restore_devices(name: str, states: tuple[torch.Tensor, ...] | None, torch_seed: int) -> None:
    module: Any = getattr(torch, name, None)
    if states is not None:
        module.set_rng_state_all(states)
    elif module is not None:
        module.manual_seed_all(torch_seed)


def seed_worker(worker_id: int) -> None:  # noqa: ARG001  (DataLoader passes it; the seed already contains it)
    """Seed Python's `random` and NumPy in a DataLoader worker; pass it as ``worker_init_fn``.

    The seed is ``torch.initial_seed() % 2**32``: PyTorch gives worker *i* the loader's base seed plus *i*, so the
    workers' streams differ from each other and are the same in the next run with the same loader generator.
    Source: https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader.

    Effects: The worker's global `random` and NumPy generators. PyTorch has seeded its own already.
    """
    seed = torch.initial_seed() % SEED_LIMIT
    random.seed(seed)
    numpy_random = import_numpy_random()
    if numpy_random is not None:
        numpy_random.seed(seed)


def make_generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a new seeded generator, e.g. for ``DataLoader(..., generator=make_generator(1))``.

    Args:
        seed: From 0 to 2**32 - 1.
        device: Where the generator lives. A CUDA device is initialised by this call.

    Raises:
        UsageError: The seed is no such int.
    """
    return torch.Generator(device=device).manual_seed(require_seed(seed))
