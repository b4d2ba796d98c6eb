"""What the runs read from outside: a row per place, and when it was read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reproof.entropy.ledger import STEP_MARK
from reproof.environment import UNKNOWN
from reproof.report.drawing import draw_timeline
from reproof.report.records import NUM_BINS
from reproof.report.surroundings import describe_conditions, describe_sources
from reproof.schema import Condition
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

PLACE = {"kind": "wall-clock", "source": "time.time", "file": "train.py", "line": 3, "function": "train"}


def write_ledger(folder: Path, process: str, *values: float, has_steps: bool = True) -> None:
    """Write that a clock was read once in each step."""
    folder.mkdir(exist_ok=True)
    lines: list[object] = [{"process": 1}, {"place": 0, "key": "time.time@train.py:3", **PLACE}]
    for step, value in enumerate(values):
        lines += [[[STEP_MARK, step if has_steps else 0]], [[0, value]]]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"rank{process}.entropy").write_text(text)


def test_reads_are_counted_where_the_map_has_their_step(tmp_path: Path) -> None:
    """From the first step whose value differs, the pieces differ."""
    write_ledger(tmp_path / "a", "0", *range(NUM_BINS))
    write_ledger(tmp_path / "b", "0", *range(10), *range(100, 100 + NUM_BINS - 10))
    (row,) = describe_sources(tmp_path / "a", tmp_path / "b", NUM_BINS)
    assert (row.where, row.num_baseline, row.num_candidate, row.differs) == ("train.py:3", NUM_BINS, NUM_BINS, True)
    assert [(number, reads) for number, reads, _ in row.bins] == [(number, 1) for number in range(NUM_BINS)]
    assert [apart for _, _, apart in row.bins] == [0] * 10 + [1] * (NUM_BINS - 10)
    drawn = draw_timeline(row)
    assert drawn.count('class="same"') == drawn.count('class="differs"') == 1
    assert f'aria-label="{NUM_BINS} reads, {NUM_BINS - 10} of them differ"' in drawn


def test_a_condition_that_one_run_does_not_tell_does_not_differ(run: Any) -> None:
    """It is known on one side alone; no other is taken for it."""
    a, b = (open_trace(run(name)) for name in "ab")
    differing = tuple(
        Condition(name=name, baseline=value, candidate="x") for name, value in (("p", "y"), ("q", UNKNOWN))
    )
    rows, _ = describe_conditions(differing, a, b)
    assert [(row.name, row.differs, row.is_known) for row in rows[:2]] == [("p", True, True), ("q", False, False)]


def test_processes_that_read_at_one_place_are_one_row(tmp_path: Path) -> None:
    """A worker knows nothing of steps: its reads are counted and have no time."""
    for name, value in (("a", 1.0), ("b", 2.0)):
        for process in ("0.1", "0.2"):
            write_ledger(tmp_path / name, process, 1.0, value, has_steps=False)
    (row,) = describe_sources(tmp_path / "a", tmp_path / "b", 5)
    assert (row.num_processes, row.num_baseline, row.differs, row.bins) == (2, 4, True, ())
