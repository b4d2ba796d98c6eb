"""Read a script and the modules of its own folder and package that it imports; nothing is imported or run.

Modules are looked for where ``python script.py`` and ``python -m package.module`` would find the user's own: in the
script's folder, and in the folder that holds its outermost package. What is not there is a library.
"""

from __future__ import annotations

import ast
import bisect
import io
import warnings
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from typing import Final

from reproof.doctor.records import NotRead
from reproof.errors import UsageError
from reproof.launch.cells import join_cells, read_cells
from reproof.launch.command import NOTEBOOK

MAX_FILES: Final = 500
_UNREADABLE: Final = (OSError, ValueError, SyntaxError, RecursionError)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One file, parsed; `shown` is its path as the user has it, `starts` the lines before each cell of a notebook."""

    path: Path
    shown: str
    tree: ast.Module
    lines: tuple[str, ...]
    starts: tuple[int, ...] = ()

    def place(self, line: int) -> tuple[str, int]:
        """Return file and line as the user knows them: of a notebook, the cell and the line in it."""
        if not self.starts:
            return self.shown, line
        cell = bisect.bisect_left(self.starts, line)
        return f"{self.shown}[{cell}]", line - self.starts[cell - 1]


class Sources:
    """A script (`main`) with the modules that it imports from its own folder and package, in the order of imports."""

    def __init__(self, script: Path) -> None:
        """Read the script and follow its imports, or raise UsageError if the script cannot be read."""
        if not script.exists():
            raise UsageError(f"there is no {script}", "name a Python script, or a folder of them")
        try:
            self.main = _parse(script)
        except _UNREADABLE as error:
            why, how = _describe(error), "name a script that Python can run"
            raise UsageError(f"{script} cannot be read: {why}", how) from None
        self.files = [self.main]
        self.not_read: list[NotRead] = []
        outermost = self.main.path.parent
        while (outermost / "__init__.py").is_file() and outermost != outermost.parent:
            outermost = outermost.parent
        self._roots = dict.fromkeys((self.main.path.parent, outermost))
        self._found: dict[tuple[Path | None, str], Source | None] = {}
        self._by_path: dict[Path, Source | None] = {self.main.path: self.main}
        for importer in self.files:  # it grows
            for node in ast.walk(importer.tree):
                for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else []:
                    base, level = (node.module, node.level) if isinstance(node, ast.ImportFrom) else (None, 0)
                    parts = ".".join(filter(None, (base, alias.name))).split(".")
                    for end in range(len(parts) + 1):  # the packages on the way are run, too
                        self.find(importer, ".".join(parts[:end]), level)

    def find(self, importer: Source, module: str, level: int = 0) -> Source | None:
        """Return the file behind the name of an ``import``, or None if it is not one of the program's own."""
        if level > len(importer.path.parents) or not (module or level):
            return None
        start = importer.path.parents[level - 1] if level else None
        if (start, module) not in self._found:
            bases = [folder.joinpath(*module.split(".")) for folder in ([start] if start else self._roots)]
            # a package comes before a module of the same name, as in Python
            pairs = [[base / "__init__.py", *([base.with_name(f"{base.name}.py")] if module else [])] for base in bases]
            path = next((path.resolve() for pair in pairs for path in pair if path.is_file()), None)
            self._found[start, module] = None if path is None else self._read(path)
        return self._found[start, module]

    def _read(self, path: Path) -> Source | None:
        if path not in self._by_path:
            try:
                if len(self.files) >= MAX_FILES:
                    raise ValueError(f"more than {MAX_FILES} files")
                self._by_path[path] = source = _parse(path)
                self.files.append(source)
            except _UNREADABLE as error:
                self._by_path[path] = None
                self.not_read.append(NotRead(file=_shown(path), why=_describe(error)))
        return self._by_path[path]


def _shown(path: Path) -> str:
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else path)


def _parse(path: Path) -> Source:
    text, starts = join_cells(read_cells(path)) if path.suffix == NOTEBOOK else (decode_source(path.read_bytes()), ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like: Python says so when it runs the script
        tree = ast.parse(text, filename=str(path))
    lines = io.StringIO(text, newline=None).read().split("\n")  # as Python counts them, unlike str.splitlines
    return Source(path=path.resolve(), shown=_shown(path), tree=tree, lines=tuple(lines), starts=starts)


def _describe(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError) or str(error).startswith("invalid or missing encoding"):
        return "it is not in UTF-8, or not in the encoding that it declares"
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}" if error.lineno else str(error.msg)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
