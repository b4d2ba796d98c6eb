"""The text around a line of a user's file, as far as it can still be read, and the function that the line is in."""

from __future__ import annotations

import ast
import hashlib
import textwrap
from typing import TYPE_CHECKING, Final

from reproof.launch.cells import read_lines
from reproof.report.records import Excerpt
from reproof.schema import split_cell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NUM_AROUND: Final = 2
"""Lines shown before and after the line."""

MAX_FILE_BYTES: Final = 4_000_000
MAX_LINE_CHARACTERS: Final = 400


def read_excerpt(folder: Path, file: str, line: int, digests: Mapping[str, str], expected: str = "") -> Excerpt | None:
    """Return the lines around a line; None if the file cannot be read or has no such line.

    The file is relative to the folder, or absolute. Where they are known, `digests` has the SHA-256 of files as they
    ran, by absolute path, and `expected` the line as it was, without indent.
    """
    name, cell = split_cell(file)
    path = folder / name
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:  # a trace may name a pipe or a device
            return None
        content = path.read_bytes()
    except OSError:
        return None
    text = content.decode("utf-8", errors="replace") if cell is None else "".join(read_lines(folder / file))
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        return None
    first = max(1, line - NUM_AROUND)
    shown = [text[:MAX_LINE_CHARACTERS] for text in lines[first - 1 : line + NUM_AROUND]]
    while len(shown) > line - first + 1 and not shown[-1].strip():
        shown.pop()
    known = digests.get(str(path.resolve()))
    has_changed = known is not None and hashlib.sha256(content).hexdigest() != known
    has_other_line = bool(expected) and lines[line - 1].strip() != expected
    return Excerpt(
        file=file,
        line=line,
        function=find_function("\n".join(lines), line),
        first=first,
        lines=tuple(textwrap.dedent("\n".join(shown).expandtabs(4)).split("\n")),
        note="The file has changed since the runs." if has_changed or has_other_line else "",
    )


def find_function(source: str, line: int) -> str:
    """Return the innermost function or class around a line with those around it, such as ``Bootstrap.weights``."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    names: list[str] = []
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.lineno <= line <= (
            node.end_lineno or node.lineno
        ):
            names.append(node.name)
            nodes = []
        nodes += ast.iter_child_nodes(node)
    return ".".join(names)
