"""Which line is named of those that order objects by their addresses; real runs are in `tests/causes`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.hypotheses.addresses import Addresses

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Difference


def order_on(folder: Path, *lines: int) -> None:
    """Write the ledger of a run that ordered objects on these lines."""
    entries: list[Any] = []
    for number, line in enumerate(lines):
        place = {"place": number, "key": f"id@a.py:{line}", "kind": "process-identity", "source": "id"}
        entries += [{**place, "file": "a.py", "line": line, "function": "f", "through": None}, [[number, 1]]]
    (folder / "rank0.entropy").write_text("\n".join(map(json.dumps, entries)))


@pytest.mark.parametrize(
    ("lines", "diverges", "named"),
    [((3,), [], 3), ((3, 5), [False, True], 5), ((3, 5), [True], 3), ((3, 5), [False, False], 3)],
)
def test_the_line_is_named_whose_order_matters(
    lines: tuple[int, ...], diverges: list[bool], *, named: int, make_inquiry: Callable[..., Any], tmp_path: Path
) -> None:
    """With fixed addresses two runs are identical, and with another order on that line alone they are not."""
    order_on(tmp_path, *lines)
    first = make_inquiry().first
    inquiry = make_inquiry(first, None, *(first if diverged else None for diverged in diverges))
    assert [cause.line for cause in Addresses().test(inquiry)] == [named]
    assert len(inquiry.laboratory.plans) == 2 + len(diverges)


def test_no_line_is_named_if_fixed_addresses_do_not_help(
    first: Difference, make_inquiry: Callable[..., Any], tmp_path: Path
) -> None:
    """Something else differs; and without such a line there is no experiment."""
    assert Addresses().test(make_inquiry()) == []
    order_on(tmp_path, 3)
    assert Addresses().test(make_inquiry(first, first)) == []
