"""Which line is named of several that draw from one generator; real runs are in `tests/causes`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.inquiry import Inquiry
from reproof.explain.laboratory import BudgetSpentError, Trial
from reproof.explain.lines import find_drawing_line, find_lines
from reproof.explain.remedies import remedy_for
from reproof.explain.suspects import START, Suspect
from reproof.launch.processes import FinishedRun
from reproof.schema import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = Difference(rank=0, step=0, stage="batch", detail="order", name="x", baseline="a", candidate="b", num_events=4)
GENERATOR = Suspect(key=f"random{START}", kind="unseeded-rng", source="random")


def make_trial(folder: Path, number: int, first: Difference | None) -> Trial:
    """Return an experiment with its first divergence."""
    changes: Any = None
    run = FinishedRun(trace=folder, exit_code=0, seconds=1.0, changes=changes, output=None)
    return Trial(number=number, purpose="", run=run, first=first)


class ScriptedLaboratory:
    """Perturbing a line lets the run diverge so many events after the divergence as told; None for not at all."""

    def __init__(self, folder: Path, outcomes: list[tuple[int, int | None]]) -> None:
        """Take lines and outcomes in the order in which they are to be asked for."""
        self.setting: Any = self
        self.request: Any = self
        self.trace = self._folder = folder
        self._outcomes: Iterator[tuple[int, tuple[int, int | None]]] = enumerate(outcomes, start=3)
        self._tried: set[str] = set()

    def run(self, _purpose: str, plan: Any, *, num_steps: int) -> Trial:
        """Make the next experiment, on the line that the script of the test says."""
        number, (line, delay) = next(self._outcomes, (0, (0, 0)))
        if not number:
            raise BudgetSpentError
        assert (plan.perturbs, num_steps) == ((f"random@a.py:{line}",), 1)
        assert (plan.candidate is None) is (plan.perturbs[0] in self._tried)  # then with other numbers
        self._tried.add(plan.perturbs[0])
        first = None if delay is None else replace(FIRST, num_events=4 + delay)
        return make_trial(self._folder, number, first)

    @property
    def is_done(self) -> bool:
        """Whether all were asked for."""
        return next(self._outcomes, None) is None


def write_ledger(folder: Path, process: str = "0", **counts: int | None) -> Trial:
    """Write the ledger of a process of a watched run, with the number of events before the first draw of each line."""
    entries: list[Any] = []
    for number, (name, count) in enumerate(counts.items()):
        place = {"key": f"random@a.py:{name[1:]}", "kind": "unseeded-rng", "source": "random", "file": "a.py"}
        entries += [
            {"place": number, **place, "line": int(name[1:]), "function": "f", "through": None},
            {"note": "first draw", "key": place["key"], "num_events": count},
            [[number, 1]],
        ]
    (folder / f"rank{process}.entropy").write_text("\n".join(map(json.dumps, entries)))
    return make_trial(folder, 1, None)


@pytest.mark.parametrize(
    ("outcomes", "line", "words"),
    [
        ([(9, 0)], 9, "experiment 3"),
        ([(9, None), (5, 0)], 5, "experiment 4"),
        ([(9, 1), (5, 0)], 5, "experiment 4"),
        ([(9, 1), (5, None), (5, 0)], 5, "experiment 5"),
        ([(9, 3), (5, 2)], 5, "experiment 4"),
        ([(9, 1), (5, None), (5, None)], 9, "experiment 3"),
        ([(9, None), (5, None), (9, None), (5, None)], 9, "no line"),
        ([(9, 2)], 9, "experiment 3"),
        ([(9, None)], 9, "not tried"),
    ],
)
def test_the_line_is_named_that_brings_the_divergence_back_to_its_place(
    outcomes: list[tuple[int, int | None]], line: int, words: str, tmp_path: Path
) -> None:
    """Not one of which only something later depends; one that changed nothing has a second chance."""
    replica = write_ledger(tmp_path, l5=0, l9=3)
    laboratory: Any = ScriptedLaboratory(tmp_path, outcomes)
    inquiry = Inquiry(first=FIRST, replica=replica, laboratory=laboratory, candidate=tmp_path)
    found = find_drawing_line(inquiry, GENERATOR)
    assert (found.suspect.line, words in found.told, laboratory.is_done) == (line, True, True)
    assert found.is_confirmed == ("experiment" in words)


@pytest.mark.parametrize(
    ("outcomes", "is_confirmed"),
    [([(5, 0)], True), ([(5, None), (5, 0)], True), ([(5, None), (5, None)], False), ([], False)],
)
def test_a_line_without_others_is_tried_as_well(
    outcomes: list[tuple[int, int | None]], *, is_confirmed: bool, tmp_path: Path
) -> None:
    """It is confirmed by an experiment on this line, not because no other line was seen to draw."""
    laboratory: Any = ScriptedLaboratory(tmp_path, outcomes)
    inquiry = Inquiry(first=FIRST, replica=write_ledger(tmp_path, l5=0), laboratory=laboratory, candidate=tmp_path)
    found = find_drawing_line(inquiry, GENERATOR)
    assert (found.suspect.line, found.is_confirmed, laboratory.is_done) == (5, is_confirmed, True)


def test_lines_that_draw_after_the_divergence_are_not_tried(tmp_path: Path) -> None:
    """Where it is known how many events were recorded before, and the divergence is none of an initial state."""
    replica = write_ledger(tmp_path, l5=4, l7=None, l9=5)
    assert [line.line for line in find_lines(replica, "random", FIRST)] == [5, 7]
    initial = replace(FIRST, stage="init", detail=None)
    assert [line.line for line in find_lines(replica, "random", initial)] == [5, 7, 9]
    assert [line.line for line in find_lines(replica, "random", replace(FIRST, num_events=None))] == [5, 7, 9]


def test_a_line_that_reads_the_state_leaves_the_generator_its_name(tmp_path: Path) -> None:
    """It is the generator that must be seeded: `random.getstate` draws nothing."""
    read = Suspect(key="b", kind="unseeded-rng", source="random.getstate", file="a.py", line=7)
    laboratory: Any = ScriptedLaboratory(tmp_path, [])
    inquiry = Inquiry(first=FIRST, replica=make_trial(tmp_path, 1, None), laboratory=laboratory, candidate=tmp_path)
    found = find_drawing_line(inquiry, replace(GENERATOR, reads=(read,))).suspect
    assert (found.source, found.file, found.line) == ("random", "a.py", 7)


def test_what_only_tasks_of_a_pool_draw_is_seeded_in_each_task(tmp_path: Path) -> None:
    """A seed of the script's does not reach spawned workers, and which worker gets which task is chance."""
    write_ledger(tmp_path, l5=0)
    write_ledger(tmp_path, "0.pool1.1", l5=None, l9=None)
    write_ledger(tmp_path, "0.pool1.2", l9=None)
    laboratory: Any = ScriptedLaboratory(tmp_path, [(9, 0)])
    inquiry = Inquiry(first=FIRST, replica=make_trial(tmp_path, 1, None), laboratory=laboratory, candidate=tmp_path)
    found = find_drawing_line(inquiry, GENERATOR).suspect
    assert [line.source for line in find_lines(inquiry.replica, "random", FIRST)] == ["random", found.source]
    assert "random.seed(seed + index)" in remedy_for(found.kind, found.source, "random.random()").fix
