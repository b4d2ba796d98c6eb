"""Tap the operating system's randomness, and generators that are made or seeded without a seed.

NumPy takes the entropy of every generator that gets no seed from `randbits`, a name in the module `bit_generator`
(read from the source of NumPy 2.2, numpy/random/bit_generator.pyx); Python's `SystemRandom`, and with it `secrets`,
from `_urandom`, a name in the module `random`.
"""

from __future__ import annotations

import functools
import os
import random
import tempfile
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import liken, replace_function, replace_method
from reproof.entropy.sources.generators import CUDA, NUM_SEED_BYTES, TorchGenerator
from reproof.entropy.untapped import draw_bytes

if TYPE_CHECKING:
    from types import ModuleType

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.sources.generators import Generators
    from reproof.schema import CauseKind


GENERATOR: Final = "unseeded-generator"
GLOBAL: Final = "unseeded-rng"
ASKING: Final = frozenset({"random", "secrets", "uuid", "tempfile"})
"""Modules of the standard library that fetch randomness for whoever calls them."""


def install(interceptor: Interceptor, generators: Generators) -> None:
    """Tap `os`, `random` and `uuid`; NumPy and PyTorch when they are imported.

    Effects: replaces functions of these modules.
    """

    def tap_bytes(source: str, original: Any, home: str) -> Any:
        tap = Tap(
            source=source,
            kind="os-entropy",
            python=ASKING,
            encode=bytes.hex,
            decode=lambda value, *_args, **_kwargs: bytes.fromhex(value),
        )
        return liken(interceptor.tap(original, tap, home), original)

    os.urandom = tap_bytes("os.urandom", os.urandom, "os")
    if hasattr(os, "getrandom"):
        os.getrandom = tap_bytes("os.getrandom", os.getrandom, "os")
    random._urandom = tap_bytes("random.SystemRandom", random._urandom, "random")  # type: ignore[attr-defined]  # noqa: SLF001
    uuid1 = Tap(
        source="uuid.uuid1",
        kind="os-entropy",
        encode=str,
        decode=lambda value, *_args, **_kwargs: uuid.UUID(value),
    )
    uuid.uuid1 = interceptor.tap(uuid.uuid1, uuid1)
    tap_names(interceptor)
    tap_python_generators(interceptor, generators)


def tap_names(interceptor: Interceptor) -> None:
    """Tap temporary names one by one: where one is taken already, those on other lines stay the baseline's."""
    module: Any = tempfile
    seed = random.Random.seed  # without its tap, since the names are what is noted

    def make_generator() -> random.Random:
        generator = random.Random.__new__(random.Random)
        seed(generator, int.from_bytes(draw_bytes(NUM_SEED_BYTES), "big"))
        return generator

    module._Random = make_generator  # noqa: SLF001  # it draws the names
    names = module._RandomNameSequence  # noqa: SLF001  # behind `mkdtemp`, `mkstemp` and all others
    names.__next__ = interceptor.tap(names.__next__, Tap(source="tempfile", kind="os-entropy", python=ASKING))


def tap_python_generators(interceptor: Interceptor, generators: Generators) -> None:
    """Tap `random.Random()` and `random.seed()` without a seed."""
    seed = random.Random.seed
    own = random._inst  # noqa: SLF001  # the generator behind the module's functions

    def read(generator: random.Random) -> str:
        """Seed with fewer bytes than Python would take: thousands of generators have their values in the ledger."""
        drawn = draw_bytes(NUM_SEED_BYTES).hex()
        seed(generator, int(drawn, 16))
        return drawn

    def decode(drawn: str, generator: random.Random) -> str:
        seed(generator, int(drawn, 16))
        return drawn

    def tap_for(source: str, kind: CauseKind) -> Any:
        tap = Tap(source=source, kind=kind, python=ASKING, decode=decode, stands_in=True)
        return interceptor.tap(read, tap)

    fresh, global_seed = tap_for("random.Random", GENERATOR), tap_for("random.seed", GLOBAL)

    def seed_tapped(self: random.Random, a: Any = None, version: int = 2) -> None:
        if self is own:
            generators.note_seeding("random")
        if a is not None:
            seed(self, a, version)
        elif self is own:
            global_seed(self)
        else:
            fresh(self)

    replace_function(random.Random, "seed", seed_tapped)
    random.seed = own.seed


def tap_numpy(interceptor: Interceptor, generators: Generators, module: ModuleType) -> None:
    """Tap the entropy of NumPy's generators, once `numpy.random` is there."""
    # `default_rng`, `RandomState`, `SeedSequence` and `seed` without a seed all call the one name `randbits`, and only
    # `seed` concerns the global generator: a mark on the thread tells that it is under way.
    bit_generator, mtrand = module.bit_generator, module.mtrand
    thread = threading.local()

    def tap_for(source: str, kind: CauseKind) -> Any:
        tap = Tap(
            source=source,
            kind=kind,
            encode=hex,
            decode=lambda value, *_args: int(value, 16),
            stands_in=True,
        )
        return interceptor.tap(draw_bits, tap)

    fresh, global_seed = tap_for("numpy.random.default_rng", GENERATOR), tap_for("numpy.random.seed", GLOBAL)

    def draw_tapped(count: int) -> int:
        return int((global_seed if getattr(thread, "is_seeding", False) else fresh)(count))

    bit_generator.randbits = draw_tapped
    seed = module.seed

    @functools.wraps(seed)
    def seed_tapped(*args: Any, **kwargs: Any) -> Any:
        generators.note_seeding("numpy.random")
        thread.is_seeding = True
        try:
            return seed(*args, **kwargs)
        finally:
            thread.is_seeding = False

    module.seed = mtrand.seed = seed_tapped  # type: ignore[attr-defined]


def draw_bits(count: int) -> int:
    """Return a number of `count` random bits, as `secrets.randbits` does."""
    num_bytes = (count + 7) // 8
    return int.from_bytes(draw_bytes(num_bytes), "big") >> (num_bytes * 8 - count)


def note_before(generators: Generators, name: str, original: Any) -> Any:
    """Return a function that notes that a global generator is seeded, and then does what it did."""

    @functools.wraps(original)
    def seeding(*args: Any, **kwargs: Any) -> Any:
        generators.note_seeding(name)
        return original(*args, **kwargs)

    return seeding


def tap_torch(interceptor: Interceptor, generators: Generators, torch: Any) -> None:
    """Tap `torch.seed()` and `Generator.seed()`, once PyTorch is there."""
    torch.manual_seed = torch.random.manual_seed = note_before(generators, "torch", torch.random.manual_seed)
    seed = torch.random.seed

    def decode_global(value: int) -> int:
        torch.manual_seed(value)
        return value

    tap = Tap(source="torch.seed", kind=GLOBAL, decode=decode_global)
    torch.seed = torch.random.seed = interceptor.tap(note_before(generators, "torch", seed), tap)
    generator_type = torch.Generator
    seed_generator = generator_type.seed

    def seed_one(generator: Any) -> int:
        return int(seed_generator(generator))

    def decode_one(value: int, generator: Any) -> int:
        generator.manual_seed(value)
        return value

    tap = Tap(source="torch.Generator.seed", kind=GENERATOR, decode=decode_one)
    seed_one.__qualname__, seed_one.__name__ = "Generator.seed", "seed"
    replace_method(generator_type, "seed", interceptor.tap(seed_one, tap))
    tap_cuda(interceptor, generators, torch)


def tap_cuda(interceptor: Interceptor, generators: Generators, torch: Any) -> None:
    """Note the first states of the CUDA generators as soon as CUDA is initialized, before queued seeds are set.

    Each is seeded from the operating system (read from the source of PyTorch 2.13, aten/src/ATen/cuda/
    CUDAGeneratorImpl.cpp, and `_lazy_init` in torch/cuda/__init__.py: what is queued comes before what seeds).
    """
    cuda = torch.cuda

    def add_all() -> None:
        for number, generator in enumerate(cuda.default_generators):
            generators.add(TorchGenerator(torch, generator, f"{CUDA}:{number}"))

    for name in ("manual_seed", "manual_seed_all", "seed", "seed_all"):
        setattr(cuda, name, note_before(generators, CUDA, getattr(cuda, name)))
    try:
        cuda._lazy_call(add_all)  # noqa: SLF001
    except Exception as error:  # noqa: BLE001  # of whatever version and device
        interceptor.ledger.add_problem(f"the generators of CUDA are not recorded: {type(error).__name__}: {error}")
