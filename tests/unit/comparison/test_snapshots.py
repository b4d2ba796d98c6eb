"""Copies of states that a training went through are told from states of their own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import torch
import xxhash
from torch import nn

from reproof.comparison import compare_traces
from reproof.comparison.snapshots import are_snapshots
from reproof.recorder import Recording
from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Comparison


@pytest.fixture
def told(run: Any, say: Any) -> Callable[..., Path]:
    """Return what writes a run whose model was in states x, y and z, and what it has left besides: names and states."""

    def write(name: str, **left: str) -> Path:
        steps = [[say.named("Net.w", state, "update")] for state in "xyz"]
        steps[-1] += [say.named(f"{one}.w", state, "final") for one, state in {"Net": "z", **left}.items()]
        folder: Path = run(name, *steps)
        return folder

    return write


@pytest.mark.parametrize("maps_steps", [False, True])
@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (({"copy": "x"}, {"copy": "y"}), ([(None, None)], 0, ())),
        (({"copy": "x", "mean": "p"}, {"copy": "y", "mean": "q"}), ([(None, None)], 1, ())),
        (({"Net": "x"}, {"Net": "y"}), ([], 1, ())),
        (({"copy": "x"}, {"copy": "p"}), ([], 1, ())),
        (({}, {"copy": "x"}), ([(0, 1)], 0, ())),
        (({"copy": "x", "more": "y"}, {}), ([(1, 0), (1, 0)], 0, ())),
        (({}, {"Net.best": "x"}), ([], 0, ("only the candidate has final Net.best.w in step 2",))),
        (({"mean": "p"}, {}), ([], 0, ("only the baseline has final mean.w in step 2",))),
        (({"copy": "x", "mean": "p"}, {}), ([(1, 0)], 0, ("only the baseline has final mean.w in step 2",))),
    ],
)
def test_what_is_told_and_what_is_judged(told: Callable[..., Path], left: Any, expected: Any, maps_steps: bool) -> None:  # noqa: FBT001
    """A copy of a state is told, in whichever run; an average and the trained model itself are judged."""
    beside, differing, structure = expected
    traces = [open_trace(told(name, **own)) for name, own in zip("ab", left, strict=True)]
    found = compare_traces(*traces, maps_steps=maps_steps)
    assert found.verdict == ("diverged" if differing else "inconclusive" if structure else "identical")
    assert [(one.baseline, one.candidate) for one in found.beside] == beside
    assert (found.counts[-1].differing, found.structure) == (differing, structure)
    state = DIFFERENT if differing else EQUAL if left[0].keys() == left[1].keys() else NOT_COMPARED
    assert [plane[2] for one in found.steps for stage, plane in one.planes if stage == "final"] == [state] * maps_steps


def record(folder: Path, steps_kept: tuple[int, ...], *, averages: float = 0.0) -> None:
    """Record a training that keeps copies of its model after some steps, changed or not."""
    torch.manual_seed(0)
    kept = []
    with Recording(folder):
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(4):
            optimizer.zero_grad()
            model(torch.ones(3, 2)).sum().backward()
            optimizer.step()
            if step in steps_kept:
                copy = nn.Linear(2, 1)
                copy.load_state_dict(model.state_dict())
                copy.weight.data.mul_(1 + averages)
                kept.append(copy)
    del model, kept


def compare(folder: Path) -> Comparison:
    """Compare the two runs."""
    traces = [open_trace(folder / name) for name in "ab"]
    return compare_traces(*traces, is_same_program=True)


@pytest.mark.parametrize(("first", "second"), [((0, 2), (1, 3)), ((), (2,))], ids=str)
def test_other_snapshots_are_told_and_not_judged(
    tmp_path: Path, first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    """Whichever steps they are of, and however many."""
    record(tmp_path / "a", first)
    record(tmp_path / "b", second)
    found = compare(tmp_path)
    assert found.verdict == "identical", (found.first, found.structure, found.skipped)
    assert [one.candidate for one in found.beside] == [None if first else 1] * 2


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [("x", "y", True), ("x", "x", False), ("a", "x", False), ("", "x", True), ("ax", "ya", True), ("xx", "x", True)],
)
def test_what_both_have_need_not_be_a_state(run: Any, say: Any, first: str, second: str, answer: bool) -> None:  # noqa: FBT001
    """Only what one of them has more often is looked for among the states of the training."""
    trace = open_trace(run("a", *([say.named("Net.w", state, "update")] for state in "xyz"))).ranks[0]
    found = [Counter(xxhash.xxh3_128_digest(state.encode()) for state in states) for states in (first, second)]
    assert are_snapshots((trace, trace), (found[0], found[1])) is answer


def test_a_state_of_its_own_is_a_divergence(tmp_path: Path) -> None:
    """A copy that is no state of the training, such as an average with another factor."""
    record(tmp_path / "a", (1,), averages=0.5)
    record(tmp_path / "b", (1,), averages=0.25)
    found = compare(tmp_path)
    assert found.verdict == "diverged"
    assert found.first is not None
    assert found.first.stage == "final"


@pytest.mark.parametrize("is_optimizer_there", [True, False])
def test_which_state_the_trained_model_ends_with_is_judged(tmp_path: Path, *, is_optimizer_there: bool) -> None:
    """Also if it is one that the training went through, as where the best one is loaded again."""
    for name, best in (("a", 1), ("b", 2)):
        torch.manual_seed(0)
        with Recording(tmp_path / name):
            model = nn.Linear(2, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            states = []
            for _ in range(4):
                optimizer.zero_grad()
                model(torch.ones(3, 2)).sum().backward()
                optimizer.step()
                states.append({key: value.clone() for key, value in model.state_dict().items()})
            if not is_optimizer_there:
                del optimizer
            model.load_state_dict(states[best])
    found = compare(tmp_path)
    assert found.verdict == "diverged"
    assert found.first is not None
    assert found.first.stage == "final"


def test_a_state_that_one_trained_model_alone_holds_is_judged(tmp_path: Path) -> None:
    """As an attribute of its own."""
    for name, keeps in (("a", False), ("b", True)):
        torch.manual_seed(0)
        with Recording(tmp_path / name):
            model = nn.Linear(2, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for step in range(3):
                optimizer.zero_grad()
                model(torch.ones(3, 2)).sum().backward()
                optimizer.step()
                if keeps and step == 1:
                    model.best = model.weight.detach().clone()
    found = compare(tmp_path)
    assert found.verdict == "diverged", (found.beside, found.skipped)


def test_copies_of_runs_that_have_parted_before_are_counted_as_all_else(tmp_path: Path) -> None:
    """They differ because the training does."""
    for name, rate in (("a", 0.1), ("b", 0.2)):
        torch.manual_seed(0)
        with Recording(tmp_path / name):
            model = nn.Linear(2, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=rate)
            for _ in range(2):
                optimizer.zero_grad()
                model(torch.ones(3, 2)).sum().backward()
                optimizer.step()
    found = compare(tmp_path)
    assert found.verdict == "diverged"
    assert not found.beside
    assert next(count.differing for count in found.counts if count.stage == "final")
