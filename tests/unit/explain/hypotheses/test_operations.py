"""Of what an operation is suspected; whole searches are tests of real runs (`tests/causes`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.hypotheses.operations import ChangedData, PartingOperation, UnstableOperation
from reproof.trace.probes import RepetitionWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Difference, UnstableOp

EVENTS = 7


@pytest.mark.parametrize(
    ("made_by", "kind", "told"),
    [
        ("computed", "nondeterministic-op", "it was stable when repeated"),
        ("random", "unseeded-rng", "torch.manual_seed(seed)"),
        ("argument", "unseen-source", "give that a seed"),
        ("outside", "unseen-source", "give that a seed"),
        ("uninitialized", "uninitialized-memory", ""),
    ],
)
def test_an_operation_is_suspected_only_of_what_it_made(
    made_by: Any, kind: str, told: str, first: Difference, make_inquiry: Callable[..., Any]
) -> None:
    """One that was given other data, or another state of the generator, computes as it did before."""
    found: Any = OpDifferenceLike(made_by)
    [cause] = PartingOperation().test(make_inquiry(replace(first, op=found)))
    assert (cause.kind, cause.line, cause.confirmed) == (kind, 4, made_by == "uninitialized")
    assert told in f"{cause.evidence} {cause.fix}"
    assert ("stable" in cause.evidence) == (made_by == "computed")


class OpDifferenceLike:
    """An operation at which two runs part."""

    name, file, line, explanation = "aten::uniform_", "train.py", 4, "something differs"

    def __init__(self, cause: str) -> None:
        """Take what made it differ."""
        self.cause = cause


@pytest.mark.parametrize(("executed", "line"), [((EVENTS + 1,), None), ((EVENTS + 1, 3), 3), ((EVENTS,), EVENTS)])
def test_what_came_after_the_divergence_is_not_to_blame(
    executed: tuple[int, ...],
    line: int | None,
    make_inquiry: Callable[..., Any],
    unstable: UnstableOp,
    tmp_path: Path,
) -> None:
    """An operation of the model does not make the batch that it is given."""
    writer = RepetitionWriter(tmp_path, 0)
    for num_events in executed:
        writer.add(replace(unstable, num_events=num_events, line=num_events))
    writer.close(9, 0)
    causes = UnstableOperation().test(make_inquiry(None))
    assert [cause.line for cause in causes] == ([] if line is None else [line])


@pytest.mark.parametrize(("since", "again", "is_named"), [(None, None, True), (1.0, None, False), (None, 2, False)])
def test_data_have_changed_where_runs_of_today_agree_and_the_recorded_one_does_not(
    since: float | None, again: int | None, is_named: Any, first: Difference, make_inquiry: Callable[..., Any]
) -> None:
    """Not within a check, whose runs had the same files, nor where two runs of today differ, too."""
    inquiry = make_inquiry(None if again is None else first)
    inquiry.laboratory.setting.since = since
    inquiry = replace(inquiry, replica=replace(inquiry.replica, first=first))
    kinds = [(cause.kind, cause.confirmed) for cause in ChangedData().test(inquiry)]
    assert kinds == ([("data-change", False)] if is_named else [])
