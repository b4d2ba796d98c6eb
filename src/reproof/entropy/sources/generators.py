"""The global generators: the state in which Python, NumPy and PyTorch start, when nobody seeds them.

Each draws its first state from the operating system when its module is imported, and Python's again in every forked
child. That state is what a run without a seed depends on.
"""

from __future__ import annotations

import ctypes
import random
from typing import TYPE_CHECKING, Any, Final, Protocol

from reproof.entropy.sources.generator_memory import find_numpy_state, find_python_state
from reproof.entropy.untapped import draw_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place


CUDA: Final = "torch.cuda"
"""How the names of the generators of CUDA devices begin."""

INHERITED: Final = "as the parent's"
"""What is noted as the first state of a generator that a forked child goes on with."""

NUM_SEED_BYTES: Final = 32
"""Bytes from the operating system that a generator without a seed is given."""

OWN: Final[random.Random] = random._inst  # noqa: SLF001
"""The generator behind the functions of `random`."""


class GlobalGenerator(Protocol):
    """A generator behind the functions of a module."""

    @property
    def name(self) -> str:
        """Name of the module."""

    def read(self) -> Any:
        """Return the state, as JSON has it."""

    def write(self, state: Any) -> None:
        """Set the state."""

    def glance(self) -> Any:
        """Return something that another state nearly always changes, quickly."""

    def scramble(self, seed: int) -> None:
        """Set the state that comes of a seed of 32 bits."""


class PythonGenerator:
    """The generator behind the functions of `random`."""

    name: Final = "random"

    def __init__(self) -> None:
        """Find the state in memory."""
        self._memory = find_python_state(OWN)

    def read(self) -> Any:
        """Return version, words and position, and the kept normal number; `write` takes a seed as well."""
        version, words, kept = random.getstate()
        return [version, list(words), kept]

    def write(self, state: Any) -> None:
        """Set the state."""
        if isinstance(state, str):
            OWN.setstate(random.Random(int(state, 16)).getstate())  # noqa: S311  # no secrets
            return
        version, words, kept = state
        OWN.setstate((version, tuple(words), kept))

    def glance(self) -> Any:
        """Return the words and the position, or the state if they are not found in memory."""
        return OWN.getstate() if self._memory is None else bytes(self._memory)

    def scramble(self, seed: int) -> None:
        """Set the state that comes of a seed."""
        OWN.setstate(random.Random(seed).getstate())  # noqa: S311  # no secrets


class NumpyGenerator:
    """The generator behind the functions of `numpy.random`."""

    name: Final = "numpy.random"

    def __init__(self, module: Any) -> None:
        """Use the module `numpy.random`."""
        self._owner = module.mtrand._rand  # noqa: SLF001
        self._kind = module.RandomState
        self._memory = find_numpy_state(self._owner._bit_generator)  # noqa: SLF001

    def read(self) -> Any:
        """Return the name of the algorithm, the words, the position and the kept normal number."""
        name, words, position, has_kept, kept = self._owner.get_state(legacy=True)
        return [str(name), [int(word) for word in words], int(position), int(has_kept), float(kept)]

    def write(self, state: Any) -> None:
        """Set the state."""
        self._owner.set_state(tuple(state))

    def glance(self) -> Any:
        """Return the words and the position, or the state if they are not found in memory."""
        return self.read() if self._memory is None else bytes(self._memory)

    def scramble(self, seed: int) -> None:
        """Set the state that comes of a seed."""
        self._owner.set_state(self._kind(seed).get_state())


class TorchGenerator:
    """A default generator of PyTorch: on the CPU or of a device."""

    def __init__(self, torch: Any, generator: Any = None, name: str = "torch") -> None:
        """Use the generator of a device; without one, that of the CPU."""
        self.name = name
        self._generator = torch.default_generator if generator is None else generator
        self._make_tensor = torch.frombuffer
        self._dtype = torch.uint8
        self._unseen = torch._C._DisableTorchDispatch  # noqa: SLF001  # no mode sees what we look at

    def read(self) -> Any:
        """Return the bytes of the state, in hexadecimal."""
        state: bytes = self.glance()
        return state.hex()

    def write(self, state: Any) -> None:
        """Set the state."""
        with self._unseen():
            self._generator.set_state(self._make_tensor(bytearray.fromhex(state), dtype=self._dtype))

    def glance(self) -> Any:
        """Return the bytes of the state."""
        with self._unseen():
            state = self._generator.get_state()
            return ctypes.string_at(state.data_ptr(), state.numel())

    def scramble(self, seed: int) -> None:
        """Set the state that comes of a seed."""
        self._generator.manual_seed(seed)


class Generators:
    """The global generators of this process.

    Attributes:
        by_name: Those whose modules are imported.
        on_add: What is done with each that is added.
    """

    def __init__(self, interceptor: Interceptor) -> None:
        """Start with no generator."""
        self._interceptor = interceptor
        self.by_name: dict[str, GlobalGenerator] = {}
        self.on_add: list[Callable[[GlobalGenerator], None]] = []
        self._first: dict[str, Any] = {}
        self._seeded: set[str] = set()
        interceptor.on_child.append(self._enter_child)

    def add(self, generator: GlobalGenerator) -> None:
        """Note the state in which a generator starts, or replay that of an earlier run.

        Effects: sets the state of the generator if it is replayed.
        """
        self._begin_new(generator)
        for action in self.on_add:
            action(generator)

    def begin_anew(self) -> None:
        """Begin again with the unseeded ones, where what has drawn so far is no part of the program.

        Effects: sets the states of the generators if they are replayed.
        """
        for name in list(self._first):
            self._begin(self.by_name[name], None)

    def _begin_new(self, generator: GlobalGenerator) -> None:
        self.by_name[generator.name] = generator
        if generator.name.startswith(CUDA) and CUDA in self._seeded:
            return
        self._begin(generator, None)

    def _begin(self, generator: GlobalGenerator, fresh: Any) -> None:
        """Begin with what an earlier run began with, else with `fresh` if it is given, else with what is there."""
        place = self._place(generator.name)
        is_replayed, state = place.take()
        is_replayed = is_replayed and state != INHERITED
        if not is_replayed:
            state = fresh or generator.read()
        if is_replayed or (fresh and fresh != INHERITED):
            try:
                generator.write(state)
            except (TypeError, ValueError, RuntimeError) as error:
                place.note_problem(error)
        place.note(state)
        self._first[generator.name] = generator.read() if fresh else state

    def _place(self, name: str) -> Place:
        entry = {"key": f"{name}@start", "kind": "unseeded-rng", "source": name}
        return self._interceptor.add_place(entry)

    def note_seeding(self, name: str) -> None:
        """Note that a generator is about to get another state; what was drawn before depended on its first."""
        self._seeded.add(name)
        names = [known for known in self.by_name if known.startswith(CUDA)] if name == CUDA else [name]
        for known in names:
            first = self._first.pop(known, None)
            if first is not None and self.by_name[known].read() == first:
                self._interceptor.ledger.note("unused", key=f"{known}@start")

    def is_unseeded(self, name: str) -> bool:
        """Whether nobody has seeded a generator yet."""
        return name in self._first

    def close(self) -> None:
        """Note the generators that nobody has seeded or drawn from."""
        for name in list(self._first):
            first = self._first[name]
            if self.by_name[name].read() == first:
                self._interceptor.ledger.note("unused", key=f"{name}@start")

    def _enter_child(self) -> None:
        """Start again in a forked child: NumPy and PyTorch continue from the parent's state, Python reseeds itself."""
        unseeded = set(self._first)
        self._first.clear()
        for name, generator in self.by_name.items():
            if name == PythonGenerator.name:
                self._begin(generator, draw_bytes(NUM_SEED_BYTES).hex())
            elif name in unseeded and not name.startswith(CUDA):  # CUDA does not survive a fork
                self._begin(generator, INHERITED)


def add_python(generators: Generators) -> None:
    """Add the generator of `random`."""
    generators.add(PythonGenerator())


def add_numpy(generators: Generators, module: ModuleType) -> None:
    """Add the generator of `numpy.random`, once it is imported."""
    generators.add(NumpyGenerator(module))


def add_torch(generators: Generators, torch: ModuleType) -> None:
    """Add the generator of PyTorch on the CPU, once it is imported."""
    generators.add(TorchGenerator(torch))
