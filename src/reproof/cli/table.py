"""Draw a table as lines of text; a column is a record that says what it shows of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a table.

    Attributes:
        title: What stands above it.
        show: Returns what it shows of a row.
        width: Characters that it has at least.
        is_right: Whether it is aligned at the right, as numbers are.
    """

    title: str
    show: Callable[[Row], str]
    width: int = 0
    is_right: bool = False


def draw_table(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> list[str]:
    """Return a line of titles and one line per row; each column is as wide as its widest cell."""
    cells = [[column.title for column in columns], *([column.show(row) for column in columns] for row in rows)]
    widths = [max(column.width, *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    signs = [">" if column.is_right else "<" for column in columns]
    return [
        "  ".join(f"{text:{sign}{width}}" for text, sign, width in zip(line, signs, widths, strict=True)).rstrip()
        for line in cells
    ]
