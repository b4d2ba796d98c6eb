"""The page of a resumed training: its steps are those of the uninterrupted run, and it names what is missing."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from reproof.checking.resuming import ResumeFinding
from reproof.checking.resuming.comparison import compare_resumed, inconclusive
from reproof.cli.loss_plot import draw_losses
from reproof.cli.screen import Screen
from reproof.report.page import render_page
from reproof.report.resumes import Shift, add_resume
from reproof.report.rows import build_report, make_empty
from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.report.records import Report


@pytest.fixture
def resumed(run: Any, say: Any) -> Callable[..., Report]:
    """Return the function that makes the rows of a run of six steps and one that was resumed at its step 3.

    Each epoch of two steps has a loader of its own, as in the words of many scripts: the resumed run counts them anew.
    """

    def tell(steps: range, *, shift: int = 0, parts: bool = False, models: str = "") -> list[Any]:
        told = []
        for step in steps:
            what = f"{step}{' other' * (parts and step >= 4)}"
            batch = [step * 2, step * 2 + 1][:: -1 if parts and step >= 4 else 1]
            loader = step // 2 - shift
            init = [say.named("Net.w", f"w{step}", "init")] if step == steps.start else []
            events = [say.order("", *batch, loader=loader), say.data(what, loader=loader), say.loss(1 / len(what))]
            told.append([*init, *events, say.named("Net.w", f"w{step + 1}{what[1:]}", "update")])
            for number, model in enumerate(models.split()):
                first = [say.named(f"{model}.w", f"{number}{step}", "init")] if step == steps.start else []
                told[-1] = [*first, *told[-1], say.named(f"{model}.w", f"{number}{step + 1}", "update")]
            if step == steps.start and shift and models:  # what it passes over to find its place
                told[-1] = [say.data("0"), say.data("1"), *told[-1]]
        return told

    def make(*, parts: bool, models: tuple[str, str] = ("", ""), more: int = 0) -> Report:
        settings = {"level": "steps", "command": ("train.py",)}
        whole = open_trace(run("whole", *tell(range(6), models=models[0]), **settings))
        told = tell(range(3, 6 + more), shift=1, parts=parts, models=models[1])
        later = open_trace(run("later", *told, **settings))
        comparison, finding = compare_resumed(whole, later, 4, 5, (None, None))
        report = build_report(comparison, whole, later, shift=Shift(finding.continues_at or 0, finding.models))
        return add_resume(report, comparison, finding.to_json())

    return make


def test_it_parts(resumed: Callable[..., Report]) -> None:
    """Map, first divergence, events, curve and batch of both runs stand at the steps of the uninterrupted one."""
    report = resumed(parts=True)
    assert report.verdict.headline.startswith("Resumed, the training parts from the uninterrupted one in step 4, in ")
    assert report.verdict.meaning_text.startswith("Interrupted after 4 steps, resumed at step 3. Missing: ")
    assert (report.verdict.equal_share, report.sides) == (4 / 6, ("uninterrupted", "resumed"))
    planes = {stage: zlib.decompress(base64.b64decode(text)) for stage, text in report.maps[0].planes}
    assert planes["batch"] == bytes([EQUAL] * 4 + [DIFFERENT] * 2)
    assert planes["init"] == bytes([EQUAL, 0, 0, EQUAL, 0, 0])
    assert [row.step for row in report.steps] == [3, 4, 5]
    init, *others = report.steps[0].events[-1:] + report.steps[0].events[:-1]
    assert (init.stage, init.state, init.baseline == init.candidate) == ("init", EQUAL, True)
    assert {event.state for event in others} == {EQUAL}
    assert (report.curves[0].steps, report.curves[0].num_differing) == ((3, 4, 5), 2)
    assert report.batch is not None
    assert (report.batch.baseline, report.batch.candidate) == (("8", "9"), ("9", "8"))
    page = render_page(report)
    assert "Missing after resuming: " in page
    assert "No cause was searched for" not in page


def test_a_model_that_is_used_later_has_its_state_there(run: Any, say: Any) -> None:
    """Its step is in the verdict, and what the uninterrupted run had then stands beside it."""
    settings = {"level": "steps", "command": ("train.py",)}

    def tell(steps: range, first: int, lost: str) -> list[Any]:
        told = [[say.named("Net.w", f"w{steps.start}", "init")]]
        for step in steps:
            told[-1] += [say.named("Mean.w", f"m{step}{lost}", "init")] if step == first else []
            told[-1] += [say.loss(1 / (step + 1)), say.named("Net.w", f"w{step + 1}", "update")]
            told[-1] += [say.named("Mean.w", f"m{step + 1}{lost}", "update")] if step >= first else []
            told.append([])
        return told[:-1]

    whole = open_trace(run("whole", *tell(range(6), 2, ""), **settings))
    later = open_trace(run("later", *tell(range(3, 6), 4, " lost"), **settings))
    comparison, finding = compare_resumed(whole, later, 4, 5, (None, None))
    report = add_resume(build_report(comparison, whole, later, shift=Shift(3)), comparison, finding.to_json())
    assert report.verdict.headline.endswith("uninterrupted one in step 4, in the initial state of the model.")
    assert report.first is not None
    stages = {row.stage: (row.differing, row.num_open) for row in report.first.stages}
    assert stages["init"] == (1, 0)


def test_the_plot_of_the_terminal_has_the_steps_of_the_uninterrupted_run(run: Any, say: Any) -> None:
    """And not those that the resumed one counts by itself."""
    whole = [[say.loss(1 / (step + 1)), say.named("Net.w", f"w{step + 1}", "update")] for step in range(14)]
    settings = {"level": "steps", "command": ("train.py",)}
    whole[0].insert(0, say.named("Net.w", "w0", "init"))
    a = open_trace(run("whole", *whole, **settings))
    losses = [[say.named("Net.w", "w3", "init")], *[[] for _ in range(10)]]
    for step, told in enumerate(losses, 3):
        told += [say.loss(1 / (step + 1) + (step >= 7)), say.named("Net.w", f"w{step + 1}", "update")]
    b = open_trace(run("later", *losses, **settings))
    comparison, _ = compare_resumed(a, b, 4, 5, (None, None))
    *_, axis, told = draw_losses(comparison, Screen(), start=3)
    assert axis.split() == ["step", "3", "13"]
    assert told.endswith("they part in step 7")


def test_it_goes_on_to_the_bit(resumed: Callable[..., Report]) -> None:
    """Where it goes on, and how much was compared from there."""
    report = resumed(parts=False)
    assert report.verdict.headline == "Resumed, the training goes on to the bit."
    assert "resumed at step 3. 13 events of 3 steps from there on are equal" in report.verdict.meaning_text
    assert "Missing after resuming" not in render_page(report)


def test_what_was_compared_stands_beside_each_other(resumed: Callable[..., Report]) -> None:
    """Models that the resumed run numbers otherwise, and batches behind those that it passes over."""
    report = resumed(parts=False, models=("Head Head#2", "Head#2 Head"))
    assert report.verdict.verdict == "identical"
    events = {(event.stage, event.name): event for event in report.steps[0].events}
    for stage in ("init", "update"):
        for name in ("Head.w", "Head#2.w"):
            event = events[stage, name]  # type: ignore[index]
            assert (event.state, event.baseline) == (EQUAL, event.candidate)
    batches = [event.state for event in report.steps[0].events if event.stage == "batch" and event.detail == "content"]
    assert batches == [EQUAL, NOT_COMPARED, NOT_COMPARED]
    assert {event.state for row in report.steps[1:] for event in row.events} == {EQUAL}


def test_steps_beyond_those_of_the_uninterrupted_run_are_not_in_the_map(resumed: Callable[..., Report]) -> None:
    """The resumed one goes on for as many as a whole training."""
    report = resumed(parts=False, more=4)
    assert [(row.num_steps, row.num_columns) for row in report.maps] == [(6, 6)]


def test_it_cannot_be_told() -> None:
    """Why, and nothing else: there are no two runs to show."""
    none = inconclusive(("a", "b"), "the first part wrote no file")
    report = add_resume(make_empty("train.py"), none, ResumeFinding(interrupted_at=2).to_json())
    assert report.verdict.meaning_text == "The first part wrote no file."
    assert 'id="coverage"' not in render_page(report)
