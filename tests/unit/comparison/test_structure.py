"""Runs of one program part where one of them does what the other does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison.runs import compare_traces
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.schema import Comparison


def check(a: Path, b: Path) -> Comparison:
    """Compare two runs of the same program."""
    return compare_traces(open_trace(a), open_trace(b), is_same_program=True)


def step_of(say: Any, *more: Any, content: str = "x") -> list[Any]:
    """Return a step of a training, and what else happened in it."""
    return [say.data(content), say.named("loss", content, "loss"), *more]


@pytest.mark.parametrize("lengths", [(3, 5), (5, 3)])
def test_a_run_that_goes_on(run: Any, say: Any, lengths: tuple[int, int]) -> None:
    """The first event beyond the end of the shorter run is where they part, and both lengths are told."""
    comparison = check(*(run(f"r{n}", *[step_of(say)] * n) for n in lengths))
    assert (comparison.verdict, comparison.exit_code, comparison.num_events) == ("diverged", 1, 6)
    first = comparison.first
    assert first is not None
    assert (first.step, first.stage, first.name, first.detail) == (3, "batch", "loader0(100)[0]", "content")
    sides = ("absent", "recorded")
    assert (first.baseline, first.candidate) == (sides if lengths == (3, 5) else sides[::-1])
    assert first.explanation == f"the baseline ends after {lengths[0]} steps, the candidate after {lengths[1]}"


def test_an_event_that_only_one_run_has(run: Any, say: Any) -> None:
    """An evaluation that only one of them makes is a divergence, though every bit in common is equal."""
    steps = [step_of(say)] * 4
    extra = [*steps[:2], step_of(say, say.named("accuracy", "0.9", "metric")), steps[3]]
    for a, b, owner in ((steps, extra, "candidate"), (extra, steps, "baseline")):
        comparison = check(run(f"a{owner}", *a), run(f"b{owner}", *b))
        first = comparison.first
        assert first is not None
        assert (comparison.verdict, first.step, first.stage, first.name) == ("diverged", 2, "metric", "accuracy")
        assert first.explanation == f"only the {owner} does this"
        assert all(count.differing == 0 for count in comparison.counts)


@pytest.mark.parametrize("num_steps", [2, 3])
def test_an_evaluation_after_the_last_step_of_one_run(
    tmp_path: Path, frames_writer: Any, say: Any, num_steps: int
) -> None:
    """Of runs of other lengths the lengths are told."""
    after = (2, 3, [say.named("accuracy", "0.9", "metric")])
    a = frames_writer(tmp_path / "a", [*((step, 1, step_of(say)) for step in range(2)), after])
    b = frames_writer(tmp_path / "b", [(step, 1, step_of(say)) for step in range(num_steps)])
    first = check(a, b).first
    assert first is not None
    lengths = f"the baseline ends after 2 steps, the candidate after {num_steps}"
    assert (first.step, first.explanation) == (2, lengths if num_steps > 2 else "only the baseline does this")


def test_of_several_the_first_in_the_order_of_a_step(run: Any, say: Any) -> None:
    """Whichever run has it."""
    a = run("a", step_of(say, say.named("accuracy", "0.9", "metric")))
    b = run("b", step_of(say, say.data("v", loader=1)))
    first = check(a, b).first
    assert first is not None
    assert (first.stage, first.name, first.candidate) == ("batch", "loader1(100)[0]", "recorded")


@pytest.mark.parametrize(
    ("extra_step", "stage", "expected"),
    [(0, "metric", "extra"), (1, "init", "extra"), (1, "metric", "bits"), (2, "init", "bits")],
)
def test_differing_bits_and_an_extra_event(run: Any, say: Any, extra_step: int, stage: str, expected: str) -> None:
    """What comes first in execution order is the first divergence; the other is told as well."""
    steps = [step_of(say), step_of(say), step_of(say)]
    others = [step_of(say), step_of(say, content="y"), step_of(say)]
    others[extra_step] = [*others[extra_step], say.named("extra", "z", stage)]
    comparison = check(run("a", *steps), run("b", *others))
    first = comparison.first
    assert first is not None
    assert first.name == ("extra" if expected == "extra" else "loader0(100)[0]")
    assert comparison.differences[0] == first
    assert comparison.structure


def test_a_run_that_was_cut_short_has_not_diverged(run: Any, say: Any) -> None:
    """A run that failed or was killed lacks its end for a reason that is told instead."""
    for status in ("failed", "interrupted", "running"):
        steps = [step_of(say)] * 5
        comparison = check(run(f"a{status}", *steps[:3], status=status), run(f"b{status}", *steps))
        assert (comparison.verdict, comparison.first) == ("inconclusive", None)
        assert comparison.skipped


def test_the_same_structure_is_none(run: Any, say: Any) -> None:
    """Runs that do the same have no such divergence."""
    comparison = check(run("a", *[step_of(say)] * 3), run("b", *[step_of(say)] * 3))
    assert (comparison.verdict, comparison.structure) == ("identical", ())
