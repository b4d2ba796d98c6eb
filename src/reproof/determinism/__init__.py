"""Make a PyTorch process deterministic, read back what holds, and give everything back.

`deterministic` sets the conditions of determinism, `conditions` reads them from the running process, and leaving the
``with`` block restores every flag, variable and random number generator. What cannot be set from inside a process
(the hash seed, the cuBLAS workspace once CUDA runs) is reported with its remedy, never pretended.

Read from bottom to top: `rng`, `variables`, `hash_seed`, `precision` each read and set one kind of state; `request`
holds what was asked for; `conditions` reads all of them; `settings` sets them. Left out on purpose: finding out which
condition a divergence is due to.
"""

from __future__ import annotations

from reproof.errors import DependencyError

try:
    import torch as _torch  # noqa: F401  (fails here, in one line, instead of somewhere below)
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise  # torch is there and something that it needs is not: that is not ours to rename
    raise DependencyError("PyTorch is not installed", "pip install 'reproof[torch]'") from None

from reproof.determinism.conditions import ConditionState, conditions
from reproof.determinism.rng import (
    RngStates,
    make_generator,
    restore_rng_states,
    rng_states,
    seed_worker,
)
from reproof.determinism.settings import DeterministicSettings, deterministic

__all__ = [
    "ConditionState",
    "DeterministicSettings",
    "RngStates",
    "conditions",
    "deterministic",
    "make_generator",
    "restore_rng_states",
    "rng_states",
    "seed_worker",
]
