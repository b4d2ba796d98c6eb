"""Note the seeds that generators are given, by the line that gives them, and in an experiment give some others.

A seed that comes of the clock or of the process number is no time that is merely shown: what is drawn with it is a
result. With the clock of another run the same would be drawn, so that equal outputs prove nothing; whether the
generator matters is told by a run that gets other seeds where those of the two runs differ.

Left out: seeds given to a bit generator or `SeedSequence` of NumPy's directly, or by code without a line of the
user's.
"""

from __future__ import annotations

import functools
import random
import sys
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.handled import let_through
from reproof.entropy.replacing import replace_function, replace_method
from reproof.entropy.sites import find_user_frame, site_of

if TYPE_CHECKING:
    from types import ModuleType

    from reproof.entropy.interception import Interceptor

MAX_SEEDS: Final = 2000
"""Different seeds that one process notes: a data set may make a generator for each sample."""

MAX_LENGTH: Final = 200
"""Characters of a seed that are kept."""


def install(interceptor: Interceptor) -> None:
    """Tap `random.Random(seed)` and `random.seed(seed)`. Effects: replaces the method of the class."""
    seeds = Seeds(interceptor)
    original = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        original(self, seeds.take("random.seed", a), version)

    replace_function(random.Random, "seed", seed)
    random.seed = random._inst.seed  # noqa: SLF001  # the generator behind the module's functions


def tap_numpy_seeds(interceptor: Interceptor, module: ModuleType) -> None:
    """Tap `default_rng`, and what `RandomState` and `numpy.random.seed` call, once `numpy.random` is there.

    The two call `_legacy_seeding` of their bit generator (NumPy 2.2: numpy/random/mtrand.pyx).
    """
    seeds = Seeds(interceptor)
    make = module.default_rng

    @functools.wraps(make)
    def default_rng(seed: Any = None) -> Any:
        return make(seeds.take("numpy.random.default_rng", seed))

    module.default_rng = module._generator.default_rng = default_rng  # type: ignore[attr-defined]  # noqa: SLF001  # where pickles find it
    seeds.tap_method(module.MT19937, "_legacy_seeding", "numpy.random.seed")


def tap_torch_seeds(interceptor: Interceptor, torch: Any) -> None:
    """Tap `Generator.manual_seed`, which `torch.manual_seed` calls as well, once PyTorch is there."""
    Seeds(interceptor).tap_method(torch.Generator, "manual_seed", "torch.manual_seed")


class Seeds:
    """The seeds that this process gives to the generators of one library."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Start with none."""
        self._interceptor = interceptor
        self._changed = frozenset(interceptor.plan.reseeds)
        self._noted: set[str] = set()
        interceptor.on_child.append(self._noted.clear)

    def tap_method(self, owner: type, name: str, source: str) -> None:
        """Tap a method of a compiled type that is given a seed."""
        original = owner.__dict__.get(name)
        if original is None:
            return

        def seed_tapped(generator: Any, seed: Any) -> Any:
            return original(generator, self.take(source, seed))

        seed_tapped.__name__, seed_tapped.__qualname__ = name, f"{owner.__name__}.{name}"
        seed_tapped.__dict__["_torchdynamo_disable"] = True  # as the original, it is called and not traced
        replace_method(owner, name, seed_tapped)

    def take(self, source: str, seed: Any) -> Any:
        """Note a seed, and return it, or another one if the experiment says so."""
        try:
            return self._take(source, seed)
        except Exception as error:  # noqa: BLE001  # nothing of ours may reach the program
            self._interceptor.ledger.add_problem(f"a seed is not recorded: {type(error).__name__}: {error}")
            let_through(error)
            return seed

    def _take(self, source: str, seed: Any) -> Any:
        other = change(seed)
        frame = None if other is None else find_user_frame(sys._getframe(2))  # noqa: SLF001  # the way to the stack
        if frame is None:
            return seed
        site = site_of(frame)
        entry = name_seed(f"{source}@{site.file}:{site.line}", repr(seed)[:MAX_LENGTH])
        if entry not in self._noted and len(self._noted) < MAX_SEEDS:
            self._noted.add(entry)
            self._interceptor.ledger.note("seed", value=entry)
        return other if entry in self._changed else seed


def name_seed(place: str, seed: str) -> str:
    """Return what a seed at a line is noted as."""
    return f"{place}={seed}"


def change(seed: Any) -> Any:
    """Return another seed of the same type that is as good; None for what is no seed but a generator, say."""
    if isinstance(seed, str):
        return f"{seed}1" if seed else None
    if isinstance(seed, bytes):
        return seed + b"1"
    if isinstance(seed, float):
        return seed + 1.0
    if isinstance(seed, (list, tuple)):
        return type(seed)([*seed, 1]) if all(isinstance(part, int) for part in seed) else None
    try:  # an integer of Python or NumPy, or an array of them
        return None if hasattr(seed, "data_ptr") else seed ^ 1
    except TypeError:
        return None
