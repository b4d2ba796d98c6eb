"""With which states the global generators begin; real ones are in `test_entropy_replay.py`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from reproof.entropy.ledger import Ledger, Place, read_ledgers
from reproof.entropy.sources.generators import Generators

if TYPE_CHECKING:
    from pathlib import Path


class Counter:
    """A generator whose state is the number of what it has drawn."""

    name = "random"

    def __init__(self, state: int) -> None:
        """Begin somewhere."""
        self.state = state

    def read(self) -> int:
        """Return the state."""
        return self.state

    def write(self, state: int) -> None:
        """Set the state."""
        self.state = state


def run(folder: Path, start: int, drawn: int, replayed: list[Any] | None = None) -> tuple[list[Any], set[str]]:
    """Draw before the program begins, and return the states that are noted and what is noted as unused."""
    ledger = Ledger(folder, "0")
    place = Place(ledger, {"key": "random@start", "kind": "unseeded-rng", "source": "random"}, replayed)
    interceptor: Any = SimpleNamespace(on_child=[], ledger=ledger, add_place=lambda _entry: place)
    generators, counter = Generators(interceptor), Counter(start)
    generators.add(counter)
    counter.state += drawn
    generators.begin_anew()
    generators.close()
    ledger.close()
    (source,) = read_ledgers(folder)["0"].values()
    return source.values, {note["note"] for note in source.notes}


def test_what_is_drawn_before_the_program_begins_is_replayed_as_a_state(tmp_path: Path) -> None:
    """A kernel draws more or less often before the first cell: from there on the state is the earlier run's."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    noted, notes = run(tmp_path / "a", start=100, drawn=3)
    assert (noted, notes) == ([100, 103], {"unused"})  # the program has drawn nothing
    assert run(tmp_path / "b", start=500, drawn=7, replayed=noted)[0] == [100, 103]
