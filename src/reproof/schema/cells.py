"""Names of the code of a notebook's cells: the file, and the number of the cell in brackets."""

from __future__ import annotations

import re
from typing import Final

CELL: Final = re.compile(r"(.+\.ipynb)\[(\d+)\]", re.DOTALL)


def split_cell(file: str) -> tuple[str, int | None]:
    """Return the file and the number of the cell that ``train.ipynb[3]`` names; None for any other file."""
    match = CELL.fullmatch(file)
    return (file, None) if match is None else (match[1], int(match[2]))
