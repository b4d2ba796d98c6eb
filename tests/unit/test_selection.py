"""What `tests/selection.py` chooses of a table: each kind once, a part of a corpus, and the same with a new case."""

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


def test_a_part_is_rounded_up() -> None:
    """A corpus of one case is tested."""
    sizes = {size: len(SELECTION["choose_a_part"](list(KINDS)[:size], 3)) for size in (0, 1, 3, 4, 30)}
    assert sizes == {0: 0, 1: 1, 3: 1, 4: 2, 30: 10}


def test_order_does_not_matter_and_a_new_case_replaces_at_most_one() -> None:
    """What was chosen stays chosen, but for the one whose place the new case takes."""
    for choose, names, *how in (
        (SELECTION["choose_one_of_each"], KINDS),
        (SELECTION["choose_a_part"], dict.fromkeys(KINDS), 3),
    ):
        before = choose(names, *how)
        assert choose(dict(reversed(names.items())), *how) == before
        for number in range(20):
            assert len(before - choose({**names, f"new{number}": "kind1"}, *how)) <= 1
