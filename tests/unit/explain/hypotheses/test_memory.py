"""Which memory counts for a divergence, and which lines are tried first of those that allocate memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.hypotheses import memory
from reproof.explain.hypotheses.memory import DecidingMemory, MarkedMemory, looks_unwritten, reaches
from reproof.schema import Difference, PoisonedEvent
from reproof.trace.probes import write_poisoned

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Difference(rank=0, step=2, stage="batch", detail="content", name="x", baseline="a", candidate="b")
MARKED = PoisonedEvent(
    stage="batch",
    name="x",
    step=2,
    file="train.py",
    line=4,
    function="<module>",
    num_poisoned=1,
    num_elements=2,
)


def test_lines_that_say_that_they_allocate_are_known(tmp_path: Path) -> None:
    """By the words of the functions that leave memory unwritten."""
    lines = ["np.log(x, where=x > 0)", "nn.Linear(3, 4)", "self.store.resize_(9)"]
    (tmp_path / "train.py").write_text("\n".join(lines), encoding="utf-8")
    assert [looks_unwritten(tmp_path, "train.py", n) for n in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ((MARKED,), 4),
        ((replace(MARKED, stage="metric", name="warm-up", step=0),), None),
        ((replace(MARKED, name="y", line=9), MARKED), 4),
        ((replace(MARKED, step=1),), None),
        ((replace(MARKED, file=""),), None),
        ((replace(MARKED, stage="forward", name="input of aten::index"),), 4),
    ],
)
def test_only_marks_in_the_divergent_event_count(
    events: tuple[PoisonedEvent, ...], line: int | None, tmp_path: Path, make_inquiry: Any
) -> None:
    """Memory that is read for a warm-up explains the warm-up; an operation that refuses the marks ends the run."""
    write_poisoned(tmp_path, 0, events)
    causes = MarkedMemory(is_initial=False).test(make_inquiry(None))
    assert [cause.line for cause in causes] == ([] if line is None else [line])


def test_a_killed_experiment_shows_nothing(make_inquiry: Any) -> None:
    """It has not left what marks were seen; the search goes on with the next hypothesis."""
    assert MarkedMemory(is_initial=False).test(make_inquiry(None)) == []


def test_what_changes_something_later_is_no_cause(make_inquiry: Any, first: Difference) -> None:
    """An experiment must diverge where the runs did, or before: initial states come before all else of a step."""
    for later, expected in ((first, True), (replace(first, num_events=8), False), (replace(first, step=3), False)):
        trial = make_inquiry().laboratory.add("other values", later)
        assert reaches(trial, first) == expected
    initial = replace(first, stage="init", detail=None, num_events=9)
    assert not reaches(make_inquiry().laboratory.add("other values", first), initial)


@pytest.mark.parametrize(("text", "is_evident"), [("a = np.empty(3)", True), ("a = make(3)", False)])
def test_lines_that_seem_to_leave_memory_unwritten_are_tried_before_calls(
    text: str, is_evident: Any, tmp_path: Path, make_inquiry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no line does, whether a call gives another result is asked first, which is likelier."""
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(memory, "find_places", lambda _inquiry: [("train.py", 1)])
    monkeypatch.setattr(memory, "is_uninitialized", lambda _inquiry: False)
    monkeypatch.setattr(memory, "find_marked", lambda _inquiry: None)
    made = []
    for one in (True, False):
        inquiry = make_inquiry(None, FIRST, FIRST)
        DecidingMemory(is_evident=one).test(inquiry)
        made.append(bool(inquiry.laboratory.plans))
    assert made == [is_evident, not is_evident]
