"""The cells of a notebook as it is saved: their text, by the numbers that a fresh kernel gives them.

The code of a cell is known by the file name ``train.ipynb[3]``: the third cell that is executed, ``In [3]``. A notebook
is JSON; nothing else is needed to read it. Left out: executing it (`reproof.launch.notebooks`).
"""

from __future__ import annotations

import itertools
import json
import linecache
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.errors import LaunchError
from reproof.schema import split_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

CELL_MAGIC: Final = re.compile(r"%%(\w+)")
PYTHON_MAGICS: Final = frozenset({"time", "timeit", "capture", "prun", "reproof"})
"""Magics of whole cells that hold Python."""

MAGIC: Final = re.compile(r"^(\s*)([%!?].*)$")
ASSIGNED: Final = re.compile(r"^([\w.,\s]+=\s*)([%!]\s*[^=\s].*)$")
"""A variable that gets what a magic or a command returns: ``files = !ls``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell with code.

    Attributes:
        number: 1-based, among the cells that a kernel executes: those with code in them.
        source: Its text.
        saved_count: The number under which it was last executed, as saved; None if it was not.
    """

    number: int
    source: str
    saved_count: int | None


def read_cells(path: Path) -> tuple[Cell, ...]:
    """Return the cells of a notebook that a kernel executes.

    Raises LaunchError if it cannot be read, or is no notebook.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["cells"] if "cells" in content else content["worksheets"][0]["cells"]
        codes = [cell for cell in found if cell["cell_type"] == "code"]
        texts = [join_source(cell["source"] if "source" in cell else cell["input"]) for cell in codes]
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise LaunchError(f"{path} is not a notebook: {error}", "save it anew, as .ipynb") from None
    counts = [cell.get("execution_count") for cell in codes]
    executed = [(text, count) for text, count in zip(texts, counts, strict=True) if text.strip()]
    return tuple(
        Cell(number=number, source=text, saved_count=count if isinstance(count, int) else None)
        for number, (text, count) in enumerate(executed, start=1)
    )


def join_source(source: Any) -> str:
    """Return the text of a cell, which may be saved as a list of lines."""
    if isinstance(source, str):
        return source
    return "".join(str(part) for part in source)


def as_python(cell: Cell) -> list[str]:
    """Return the lines of a cell with what only IPython understands as comments: magics, and commands of a shell."""
    lines = cell.source.split("\n")
    if (match := CELL_MAGIC.match(lines[0])) and match[1] not in PYTHON_MAGICS:
        return [f"# {line}" for line in lines]
    return [ASSIGNED.sub(r"\1None  # \2", MAGIC.sub(r"\1pass  # \2", line)) for line in lines]


def join_cells(cells: Iterable[Cell]) -> tuple[str, tuple[int, ...]]:
    """Return the cells as one piece of Python, and the number of lines before each of them."""
    parts = [as_python(cell) for cell in cells]
    starts = itertools.accumulate(map(len, parts[:-1]), initial=0)
    return "\n".join(itertools.chain.from_iterable(parts)), tuple(starts) if parts else ()


def describe_disorder(cells: tuple[Cell, ...]) -> str | None:
    """Return that a notebook was not last run from its top to its end, as its saved counts show; None if it was.

    What was seen in it may then not be what a fresh kernel computes. One without counts tells nothing.
    """
    counts = [cell.saved_count for cell in cells]
    known = [count for count in counts if count is not None]
    if not known or counts == list(range(1, len(counts) + 1)):
        return None
    if known != sorted(known):
        told = "its cells were last run in another order than they stand in"
    elif None in counts:
        told = "some of its cells were not run when the others were"
    else:
        told = "some of its cells were run again, or were changed or removed since"
    shown = " ".join(f"[{'' if count is None else count}]" for count in counts)
    return f"{told}: {shown}"


def read_lines(file: str | Path) -> list[str]:
    """Return the lines of a file of the user's code, or of a cell; nothing if it cannot be read."""
    path, cell = split_cell(str(file))
    if cell is None:
        return linecache.getlines(str(file))
    try:
        return next((one.source.splitlines(keepends=True) for one in read_cells(Path(path)) if one.number == cell), [])
    except LaunchError:
        return []


def read_code(file: str | Path, line: int) -> tuple[str, int]:
    """Return the Python in which a line stands, and its number there: a cell has the names of those before it."""
    path, cell = split_cell(str(file))
    if cell is None:
        return "".join(read_lines(file)), line
    try:
        text, starts = join_cells([one for one in read_cells(Path(path)) if one.number <= cell])
    except LaunchError:
        return "", line
    return text, (starts[-1] if starts else 0) + line


def read_line(file: str | Path, line: int) -> str:
    """Return a line, 1-based; nothing if there is none."""
    lines = read_lines(file)
    return lines[line - 1] if 0 < line <= len(lines) else ""
