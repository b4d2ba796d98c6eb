"""What is said of an operation that computes otherwise in varied surroundings."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.hypotheses.variations import VariedOperation
from reproof.explain.suspects import VARIATION, Suspect

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Difference

THREADS = Suspect(key=f"{VARIATION}threads", kind="thread-count", source="threads")
PROCESSOR = Suspect(key=f"{VARIATION}cpu-isa", kind="environment", source="cpu-isa")
FOLDER = Suspect(key=f"{VARIATION}cwd", kind="environment", source="cwd")


@pytest.mark.parametrize(("is_op_known", "named"), [(True, ("aten::sum", 4)), (False, ("threads", None))])
def test_the_operation_is_named_or_else_the_variation(
    first: Difference, make_inquiry: Callable[..., Any], *, is_op_known: bool, named: tuple[str, int | None]
) -> None:
    """What makes the run diverge by itself is the cause, confirmed with a line; it is left out from then on."""
    op: Any = SimpleNamespace(name="aten::sum", file="train.py", line=4, explanation="it differs")
    inquiry = make_inquiry(None, replace(first, op=op if is_op_known else None), suspects=(PROCESSOR, THREADS))
    [cause] = VariedOperation().test(inquiry)
    assert (cause.kind, cause.confirmed, cause.source, cause.line) == ("thread-count", is_op_known, *named)
    assert inquiry.removals.suspects == (THREADS,)


def test_surroundings_that_change_no_arithmetic_are_not_tried(make_inquiry: Callable[..., Any]) -> None:
    """Nor any, where the divergence shows although all are the baseline's."""
    assert not VariedOperation().applies(make_inquiry(suspects=(FOLDER,)))
    inquiry = make_inquiry(suspects=(THREADS,))
    assert VariedOperation().applies(inquiry)
    diverged = replace(inquiry.replica, first=inquiry.first)
    assert not VariedOperation().applies(replace(inquiry, replica=diverged))
