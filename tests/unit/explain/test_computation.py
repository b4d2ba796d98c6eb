"""What is concluded from one experiment on a computation; whole searches are tests of real runs (`tests/causes`)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.computation import judge_repetition, name_op, says_so
from reproof.schema import Difference, UnstableOp
from reproof.trace.probes import RepetitionWriter

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 7


def make_op(num_events: int) -> UnstableOp:
    """Return an operation that is not stable, executed after so many events."""
    return UnstableOp(
        step=0,
        num_events=num_events,
        name="aten::index_put_",
        overload="default",
        phase="forward",
        module="Net",
        file="train.py",
        line=num_events,
        function="forward",
        num_results=9,
        num_distinct=3,
        num_elements=4,
        num_differing=1,
        max_abs=None,
        max_ulp=None,
        stable_with=("one thread",),
        raises_with=(),
    )


@pytest.mark.parametrize(
    ("made_by", "kind", "told"),
    [
        ("computed", "nondeterministic-op", "it was stable when repeated"),
        ("random", "unseeded-rng", "torch.manual_seed(seed)"),
        ("argument", "data-change", ""),
        ("outside", "data-change", ""),
        ("uninitialized", "uninitialized-memory", ""),
    ],
)
def test_an_operation_is_suspected_only_of_what_it_made(made_by: Any, kind: str, told: str, tmp_path: Path) -> None:
    """One that was given other data, or another state of the generator, computes as it did before."""
    laboratory: Any = SimpleNamespace(setting=SimpleNamespace(request=SimpleNamespace(folder=tmp_path)))
    trial: Any = SimpleNamespace(number=2)
    found: Any = SimpleNamespace(
        cause=made_by, name="aten::uniform_", file="train.py", line=4, explanation="something differs"
    )
    first = Difference(rank=0, step=0, stage="init", detail=None, name="x", baseline="a", candidate="b")
    cause = name_op(laboratory, first, trial, found)
    assert (cause.kind, cause.line, cause.confirmed) == (kind, 4, made_by == "uninitialized")
    assert told in f"{cause.evidence} {cause.fix}"
    assert ("stable" in cause.evidence) == (made_by == "computed")


@pytest.mark.parametrize(("executed", "line"), [((EVENTS + 1,), None), ((EVENTS + 1, 3), 3), ((EVENTS,), EVENTS)])
def test_what_came_after_the_divergence_is_not_to_blame(
    executed: tuple[int, ...], line: int | None, tmp_path: Path
) -> None:
    """An operation of the model does not make the batch that it is given."""
    writer = RepetitionWriter(tmp_path, 0)
    for num_events in executed:
        writer.add(make_op(num_events))
    writer.close(9, 0)
    laboratory: Any = SimpleNamespace(setting=SimpleNamespace(request=SimpleNamespace(folder=tmp_path)))
    trial: Any = SimpleNamespace(trace=tmp_path, number=2)
    first = Difference(
        rank=0, step=0, stage="batch", detail="content", name="x", baseline="a", candidate="b", num_events=EVENTS
    )
    cause = judge_repetition(laboratory, first, trial, None)
    assert (None if cause is None else cause.line) == line


def test_lines_that_say_that_they_allocate_are_known(tmp_path: Path) -> None:
    """By the words of the functions that leave memory unwritten."""
    lines = ["np.log(x, where=x > 0)", "nn.Linear(3, 4)", "self.store.resize_(9)"]
    (tmp_path / "train.py").write_text("\n".join(lines), encoding="utf-8")
    assert [says_so(tmp_path, "train.py", n) for n in (1, 2, 3)] == [True, False, True]
