"""States of the random number generators: told apart after each draw, equal when they are put back."""

from __future__ import annotations

import random
import struct
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from reproof.recorder import rng
from reproof.recorder.rng import NumpyState, PythonState, RngReader, find_numpy_state, find_python_state
from reproof.schema import RNG_LOADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYTHON_DRAWS: dict[str, Callable[[], Any]] = {
    "random": random.random,
    "integer": lambda: random.randrange(10),
    "bits": lambda: random.getrandbits(1),
    "shuffle": lambda: random.shuffle([1, 2, 3]),
    "first normal number": lambda: random.gauss(0, 1),
    "seed": lambda: random.seed(5),
}

NUMPY_DRAWS: dict[str, Callable[[], Any]] = {
    "random": np.random.random,
    "integer": lambda: np.random.randint(10),  # noqa: NPY002  # the global state is what is watched, here and below
    "permutation": lambda: np.random.permutation(5),  # noqa: NPY002
    "normal": np.random.normal,
}


def read(reader: RngReader) -> dict[int, int]:
    """Return what a reader has read: the digest by number of the generator."""
    data = reader.read()
    values = struct.unpack(f"<{len(data) // 8}Q", data)
    return dict(zip(values[::2], values[1::2], strict=True))


class TestPython:
    """The generator behind the functions of `random`."""

    @pytest.fixture(params=["memory", "getter"])
    def state(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PythonState:
        """Return what reads it, in memory or by the public getter, as on another interpreter."""
        if request.param == "getter":
            implementation = SimpleNamespace(name="pypy")
            monkeypatch.setattr(rng, "sys", SimpleNamespace(implementation=implementation, modules=sys.modules))
        return PythonState()

    @pytest.mark.parametrize("draw", PYTHON_DRAWS.values(), ids=PYTHON_DRAWS.keys())
    def test_each_draw_shows(self, state: PythonState, draw: Callable[[], Any]) -> None:
        """After a draw the digest is another, and with the state put back it is the one before."""
        before, kept = state.digest(), random.getstate()
        draw()
        assert state.digest() != before
        random.setstate(kept)
        assert state.digest() == before

    def test_the_second_normal_number_of_a_pair_shows(self, state: PythonState) -> None:
        """Drawing it changes no word of the generator, and yet the next number is another."""
        random.seed(0)  # which forgets a number that is left from before
        random.gauss(0, 1)
        before, kept = state.digest(), random.getstate()
        random.gauss(0, 1)
        assert random.getstate()[1] == kept[1]
        assert state.digest() != before
        random.setstate(kept)
        assert state.digest() == before

    def test_reading_draws_nothing(self, state: PythonState) -> None:
        """The state is the same after it was read."""
        before = random.getstate()
        assert state.digest() == state.digest()
        assert random.getstate() == before

    def test_generators_in_the_same_state_have_the_same_digest(self) -> None:
        """It tells the state alone, not where in memory it lies."""
        first, second = random.Random(3), random.Random(4)
        assert bytes(find_python_state(first)) != bytes(find_python_state(second))
        second.setstate(first.getstate())
        assert bytes(find_python_state(first)) == bytes(find_python_state(second))

    @pytest.mark.skipif(sys.implementation.name != "cpython", reason="the layout in memory is CPython's")
    def test_the_quick_way_is_taken(self) -> None:
        """On CPython the state is found in memory: the public getter would cost as much as a small step."""
        assert find_python_state(random.Random(1)) is not None


class TestNumpy:
    """The generator behind the functions of `numpy.random`."""

    @pytest.fixture(params=["MT19937", "PCG64"])
    def state(self, request: pytest.FixtureRequest) -> Iterator[NumpyState]:
        """Return what reads it, with the usual bit generator or with one that the script has put in its place."""
        usual = np.random.get_bit_generator()
        np.random.set_bit_generator(getattr(np.random, request.param)(3))
        yield NumpyState()
        np.random.set_bit_generator(usual)

    @pytest.mark.parametrize("draw", NUMPY_DRAWS.values(), ids=NUMPY_DRAWS.keys())
    def test_each_draw_shows(self, state: NumpyState, draw: Callable[[], Any]) -> None:
        """After a draw the digest is another, and with the state put back it is the one before."""
        bit_generator = np.random.get_bit_generator()
        before, kept = state.digest(), bit_generator.state
        draw()
        assert state.digest() != before
        bit_generator.state = kept
        assert state.digest() == before

    def test_reading_draws_nothing(self, state: NumpyState) -> None:
        """The state is the same after it was read."""
        before = repr(np.random.get_bit_generator().state)
        assert state.digest() == state.digest()
        assert repr(np.random.get_bit_generator().state) == before

    def test_seeding_shows(self) -> None:
        """The state after a seed is that of the seed."""
        state, digests = NumpyState(), []
        for seed in (5, 6, 5):
            np.random.seed(seed)  # noqa: NPY002
            digests.append(state.digest())
        assert digests[0] == digests[2] != digests[1]

    def test_another_bit_generator_is_noticed(self, state: NumpyState) -> None:
        """A script may replace it at any time: from then on the new one is read."""
        before = state.digest()
        np.random.set_bit_generator(np.random.MT19937(9))
        replaced = state.digest()
        assert replaced != before
        np.random.random()  # noqa: NPY002
        assert state.digest() != replaced

    def test_the_quick_way_is_taken(self) -> None:
        """The state of a Mersenne Twister is read where NumPy publishes it, that of others by their getters."""
        twister = np.random.MT19937(1)
        words = twister.state["state"]
        expected = words["key"].astype("<u4").tobytes() + struct.pack("<i", words["pos"])
        assert bytes(find_numpy_state(twister)) == expected
        assert find_numpy_state(np.random.PCG64(1)) is None

    def test_without_numpy_there_is_no_state(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A script that does not use NumPy is not made to import it; one that is importing it has no state yet."""
        monkeypatch.delitem(sys.modules, "numpy.random.mtrand")
        assert NumpyState().digest() is None
        monkeypatch.setitem(sys.modules, "numpy.random.mtrand", SimpleNamespace())  # type: ignore[arg-type]
        assert NumpyState().digest() is None


class TestReader:
    """All generators of a process together."""

    def test_each_generator_shows_by_itself(self) -> None:
        """Only the one that was drawn from is in another state."""
        reader = RngReader()
        draws = {0: random.random, 1: np.random.random, 2: lambda: torch.rand(1)}
        before = read(reader)
        assert list(before) == [0, 1, 2]
        for source, draw in draws.items():
            draw()
            after = read(reader)
            assert {number for number in after if after[number] != before[number]} == {source}
            before = after

    def test_the_generator_of_a_loader_is_read_once(self) -> None:
        """With the next states after an iterator was made of it, and not again until there is another iterator."""
        reader, generator = RngReader(), torch.Generator().manual_seed(1)
        reader.note_loader(2, generator)
        first = read(reader)
        assert list(first) == [0, 1, 2, RNG_LOADER + 2]
        assert list(read(reader)) == [0, 1, 2]
        torch.rand(1, generator=generator)
        reader.note_loader(2, generator)
        assert read(reader)[RNG_LOADER + 2] != first[RNG_LOADER + 2]
