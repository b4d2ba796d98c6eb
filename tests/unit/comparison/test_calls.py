"""Calls without gradients: what a clock or a thread decides proves nothing, and what is evaluated otherwise does."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
import xxhash
from tests.unit.conftest import Happened, Kept

from reproof.comparison import compare, compare_traces
from reproof.comparison.calls import split_line
from reproof.schema import Event
from reproof.trace import format as fmt
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Comparison

    Run = Callable[..., Path]


def call(given: str, returned: str = "", *, line: str = "train.py:7", model: str = "Net", state: str = "") -> Any:
    """Return the events of a call without gradients; `state` is the content of the model's only parameter."""
    kept = (Kept("call", "B", tuple(line.encode())),)
    if state:
        kept += (Kept("members", "Q", struct.unpack("<2Q", xxhash.xxh3_128_digest(state.encode()))),)
    names = f"{model} input[0]", f"{model} output"
    first, last = (Event(stage="metric", name=name, num_tensors=1) for name in names)
    return [Happened(first, given, kept), Happened(last, returned or f"f({given})")]


def update(content: str, say: Any) -> Any:
    """Return what an optimizer made of the only parameter."""
    return say.named("Net.weight", content, "update", num_tensors=1)


def both_ways(a: Path, b: Path) -> Comparison:
    """Return the comparison of two runs of one program, and see that the verdict on any two runs is no better."""
    any_two, same = (compare_traces(open_trace(a), open_trace(b), is_same_program=known) for known in (False, True))
    assert any_two.verdict == same.verdict or (any_two.verdict, same.verdict) == ("inconclusive", "diverged")
    return same


@pytest.mark.parametrize("line", ["", "7", ":7", "train.py", "train.py:", "train.py:x"])
def test_what_is_no_line_has_no_place(line: str) -> None:
    """A trace may hold any text there."""
    assert split_line(line) == {}
    assert split_line("a:b.py:7") == {"file": "a:b.py", "line": 7}


class TestInTheMainThread:
    """Calls of one line are the same evaluation."""

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_a_call_that_one_run_makes_is_told_with_its_line(self, run: Run, say: Any, at: int) -> None:
        """Within any step and after the last, it is no divergence."""
        steps = [[say.data("d0")], [say.data("d1")], [*call("end")]]
        more = [[*step, *(call("x") if i == at else [])] for i, step in enumerate(steps)]
        found = both_ways(run("a", *steps), run("b", *more))
        assert found.verdict == "identical"
        told = [entry.to_json() for entry in found.beside]
        assert told == [
            {"what": "calls of Net without gradients", "baseline": 0, "candidate": 1, "file": "train.py", "line": 7}
        ]
        assert str(found.beside[0]) == "calls of Net without gradients at train.py:7: 1 in the candidate alone"

    def test_timed_loops_may_repeat_as_often_as_they_like(self, run: Run) -> None:
        """Also if the sum is the same by chance, so that the runs have the same structure."""
        loops = [call("big", line="t.py:1")] * 3, [call("small", line="t.py:2")] * 4
        others = [call("big", line="t.py:1")] * 5, [call("small", line="t.py:2")] * 2
        a, b = ([event for loop in both for one in loop for event in one] for both in (loops, others))
        found = both_ways(run("a", a), run("b", b))
        assert found.verdict == "identical"
        assert [(one.line, one.baseline, one.candidate) for one in found.beside] == [(2, 2, 0), (1, 0, 2)]

    def test_a_run_may_end_without_any_such_call(self, tmp_path: Path, frames_writer: Any, say: Any) -> None:
        """A frame after the last step that only one run has is told apart from a run that is longer."""
        step = (0, fmt.ENDS_STEP, [say.data("d0")])
        a = frames_writer(tmp_path / "a", [step])
        b = frames_writer(tmp_path / "b", [step, (1, fmt.ENDS_STEP | fmt.ENDS_RUN, call("x"))])
        found = both_ways(a, b)
        assert (found.verdict, len(found.beside)) == ("identical", 1)

    @pytest.mark.parametrize("split", [1, 2, 3])
    def test_frames_may_end_within_a_call(self, tmp_path: Path, frames_writer: Any, split: int) -> None:
        """A long step is written in several frames."""
        events = [*call("x"), *call("y"), *call("x")]
        a = frames_writer(tmp_path / "a", [(0, 0, events[:split]), (0, fmt.ENDS_STEP, events[split:])])
        b = frames_writer(tmp_path / "b", [(0, fmt.ENDS_STEP, events[:4])])
        found = both_ways(a, b)
        assert (found.verdict, len(found.beside)) == ("identical", 1)

    @pytest.mark.parametrize(
        "other",
        [call("x", "other"), call("y"), [*call("x", "other"), *call("x")], [*call("y"), *call("z")]],
    )
    def test_an_evaluation_of_both_that_differs_is_a_divergence(self, run: Run, say: Any, other: Any) -> None:
        """Other outputs of the same inputs, or other inputs, from one line."""
        found = both_ways(run("a", [say.data("d"), *call("x")]), run("b", [say.data("d"), *other]))
        assert found.verdict == "diverged"
        assert found.first is not None
        assert found.first.stage == "metric"

    def test_an_evaluation_on_other_rows_is_a_divergence(self, run: Run) -> None:
        """Rows that are drawn with replacement are calls that both make, if not as often."""
        a, b = ([event for row in rows for event in call(row)] for rows in ("112", "122"))
        assert both_ways(run("a", a), run("b", b)).verdict == "diverged"

    def test_calls_in_another_order_are_not_identical(self, run: Run) -> None:
        """They are the same calls, and still not the same run."""
        a, b = ([event for row in rows for event in call(row)] for rows in ("12", "21"))
        assert both_ways(run("a", a), run("b", b)).verdict == "inconclusive"

    def test_logged_values_are_no_calls(self, run: Run, say: Any) -> None:
        """A value that only one run logs stays a finding."""
        logged = say.named("accuracy", "0.5", "metric")
        a, b = run("a", [say.data("d"), *call("x")]), run("b", [say.data("d"), *call("x"), logged])
        assert compare(a, b).verdict == "inconclusive"
        assert compare_traces(open_trace(a), open_trace(b), is_same_program=True).verdict == "diverged"

    def test_what_follows_is_still_compared(self, run: Run, say: Any) -> None:
        """A call beside the training hides no difference in the step, nor after it."""
        a = run("a", [say.data("d0"), *call("x")], [say.data("d1")])
        b = run("b", [*call("p"), say.data("d0"), *call("x"), *call("p", line="t.py:9")], [say.data("d2")])
        found = both_ways(a, b)
        assert found.verdict == "diverged"
        assert found.first is not None
        assert (found.first.step, found.first.stage) == (1, "batch")

    def test_parts_of_a_model_belong_to_its_call(self, run: Run, say: Any) -> None:
        """At level modules the inputs and outputs of parts lie within a call."""
        first, last = call("x")
        parts = [say.named("Net.fc input[0]", "i", "metric"), say.named("Net.fc output", "o", "metric")]
        found = both_ways(run("a", [say.data("d"), first, *parts, last]), run("b", [say.data("d")]))
        assert (found.verdict, len(found.beside)) == ("identical", 1)


class TestInThreads:
    """Chance decides which states are evaluated; what each gives is compared."""

    NAME = "Net in a thread"

    def run_both(self, run: Run, say: Any, a: Any, b: Any) -> Comparison:
        """Return the comparison of two trainings whose threads made these calls."""
        steps = [[update("s1", say)], [update("s2", say)]]
        calls = ([event for one in made for event in call(*one[1:], model=self.NAME, state=one[0])] for made in (a, b))
        return both_ways(*(run(name, *steps, [say.data("d"), *made]) for name, made in zip("ab", calls, strict=True)))

    def test_other_states_of_the_training_are_beside(self, run: Run, say: Any) -> None:
        """A state that only one run evaluated was compared where the training went through it."""
        found = self.run_both(run, say, [("s1", "x", "1")], [("s2", "x", "2")])
        assert found.verdict == "identical"
        assert [(one.what, one.line, one.baseline, one.candidate) for one in found.beside] == [
            ("calls of Net without gradients in a thread", 7, 1, 1)
        ]

    def test_a_state_that_no_training_went_through_is_a_divergence(self, run: Run, say: Any) -> None:
        """An average of racy weights is no snapshot."""
        assert self.run_both(run, say, [("s1", "x", "1")], [("?", "x", "2")]).verdict == "diverged"

    @pytest.mark.parametrize("other", [("s1", "x", "9"), ("s1", "y", "1")])
    def test_the_same_state_gives_the_same(self, run: Run, say: Any, other: Any) -> None:
        """Other outputs, or other rows, of one state differ."""
        assert self.run_both(run, say, [("s1", "x", "1")], [other]).verdict == "diverged"
