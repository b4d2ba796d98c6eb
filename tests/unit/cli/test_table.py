"""A table of records as lines of text."""

from __future__ import annotations

from reproof.cli.table import Column, draw_table

COLUMNS: tuple[Column[complex], ...] = (
    Column(title="real", show=lambda row: f"{row.real:g}", width=6),
    Column(title="imag", show=lambda row: f"{row.imag:g}", is_right=True),
    Column(title="", show=lambda row: "axis" if not row.imag else ""),
)


def test_a_column_is_as_wide_as_its_widest_cell() -> None:
    """At least as wide as it shall be; numbers stand at the right, and nothing follows the last word of a line."""
    assert draw_table(COLUMNS, [1 + 12345j, 22 + 0j]) == [
        "real     imag",
        "1       12345",
        "22          0  axis",
    ]


def test_a_table_without_rows_has_its_titles() -> None:
    """Whoever wants nothing instead asks before."""
    assert draw_table(COLUMNS, []) == ["real    imag"]
