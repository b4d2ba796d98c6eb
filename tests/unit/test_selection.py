"""What `tests/selection.py` chooses of a table: each kind once, a third of a corpus, and the same with a new case."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

SELECTION: dict[str, Any] = runpy.run_path(str(Path(__file__).resolve().parents[1] / "selection.py"))
KINDS = {f"case{number}": f"kind{number % 4}" for number in range(30)}


def test_each_kind_has_one_case() -> None:
    """No kind is left out, and none has two."""
    chosen = SELECTION["choose_one_of_each"](KINDS)
    assert sorted(KINDS[name] for name in chosen) == sorted(set(KINDS.values()))


def test_a_third_is_rounded_up() -> None:
    """A corpus of one case is tested."""
    sizes = {size: len(SELECTION["choose_a_third"](list(KINDS)[:size])) for size in (0, 1, 3, 4, 30)}
    assert sizes == {0: 0, 1: 1, 3: 1, 4: 2, 30: 10}


def test_order_does_not_matter_and_a_new_case_replaces_at_most_one() -> None:
    """What was chosen stays chosen, but for the one whose place the new case takes."""
    for choose, names in (("choose_one_of_each", KINDS), ("choose_a_third", dict.fromkeys(KINDS))):
        before = SELECTION[choose](names)
        assert SELECTION[choose](dict(reversed(names.items()))) == before
        for number in range(20):
            assert len(before - SELECTION[choose]({**names, f"new{number}": "kind1"})) <= 1
