"""Read a script and the modules of its own folder and package that it imports; nothing is imported or run.

Modules are looked for where ``python script.py`` and ``python -m package.module`` would find the user's own: in the
script's folder, and in the folder that holds its outermost package. What is not there is somebody else's.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.doctor.records import NotRead
from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILES: Final = 500
"""Files of one script that are read; the rest are reported as not read."""

MAX_FILE_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One file, parsed.

    Attributes:
        path: Where it is.
        shown: Its path as the user would write it.
        tree: Its syntax tree.
        lines: Its lines, without their ends.
        is_main: Whether it is the script itself, so that its ``__name__`` is ``"__main__"``.
    """

    path: Path
    shown: str
    tree: ast.Module
    lines: tuple[str, ...]
    is_main: bool

    @property
    def folder(self) -> Path:
        """The folder that relative imports start from."""
        return self.path.parent

    def line(self, number: int) -> str:
        """Return a line by its 1-based number, without its indentation."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""


class Program:
    """A script with the modules that it imports from its own folder and package.

    Attributes:
        main: The script.
        not_read: The modules that exist and could not be read.
    """

    def __init__(self, script: Path) -> None:
        """Read the script and follow its imports; cycles are followed once.

        Raises:
            UsageError: The script itself cannot be read.
        """
        self.main = read_script(script)
        self.not_read: list[NotRead] = []
        self._roots = _import_roots(self.main.path)
        self._by_path: dict[Path, Source | None] = {self.main.path: self.main}
        self._located: dict[tuple[tuple[Path, ...], str], Path | None] = {}
        self._follow_imports()

    @property
    def sources(self) -> tuple[Source, ...]:
        """All files that were read, the script first, then in the order of their imports."""
        return tuple(source for source in self._by_path.values() if source is not None)

    def find(self, importer: Source, module: str, level: int = 0) -> Source | None:
        """Return the file behind the name of an ``import``, or None if it is not one of the program's own."""
        path = self._locate(importer, module, level)
        return None if path is None else self._by_path.get(path)

    def _follow_imports(self) -> None:
        waiting = [self.main]
        while waiting:
            importer = waiting.pop(0)
            for path in _unique(self._imported_paths(importer)):
                if path not in self._by_path:
                    self._by_path[path] = source = self._read_module(path)
                    waiting += [] if source is None else [source]

    def _imported_paths(self, importer: Source) -> Iterator[Path]:
        """Yield the files that the imports of a file lead to, packages on the way included."""
        for node in ast.walk(importer.tree):
            if isinstance(node, ast.Import):
                names = [(alias.name, 0) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                names = [(module, node.level)]
                names += [(f"{module}.{alias.name}".lstrip("."), node.level) for alias in node.names]
            else:
                continue
            for name, level in names:
                parts = name.split(".")
                prefixes = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
                yield from (path for prefix in prefixes if (path := self._locate(importer, prefix, level)) is not None)

    def _locate(self, importer: Source, module: str, level: int) -> Path | None:
        if level > len(importer.path.parents):
            return None
        folders = (importer.path.parents[level - 1],) if level else self._roots
        if (folders, module) not in self._located:
            self._located[folders, module] = self._search(folders, module)
        return self._located[folders, module]

    @staticmethod
    def _search(folders: tuple[Path, ...], module: str) -> Path | None:
        """Return the file of a module; a package comes before a module of the same name, as in Python."""
        parts = [part for part in module.split(".") if part]
        for folder in folders:
            base = folder.joinpath(*parts)
            candidates = [base / "__init__.py", *([base.with_name(f"{base.name}.py")] if parts else [])]
            found = next((path for path in candidates if path.is_file()), None)
            if found is not None:
                return found.resolve()
        return None

    def _read_module(self, path: Path) -> Source | None:
        shown = shown_path(path)
        if len(self._by_path) >= MAX_FILES:
            self.not_read.append(NotRead(file=shown, why=f"more than {MAX_FILES} files"))
            return None
        try:
            return _parse(path, shown, is_main=False)
        except (OSError, ValueError, SyntaxError, RecursionError) as error:
            self.not_read.append(NotRead(file=shown, why=_describe(error)))
            return None


def shown_path(path: Path) -> str:
    """Return a path relative to the current folder if it lies below it, else as it is."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def read_script(path: Path) -> Source:
    """Read the file that is run.

    Raises:
        UsageError: There is none, or it cannot be read.
    """
    if not path.exists():
        raise UsageError(f"there is no {path}", "name a Python script, or a folder of them")
    try:
        return _parse(path.resolve(), shown_path(path), is_main=True)
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {_describe(error)}", "name a script that Python can run") from None


def _parse(path: Path, shown: str, *, is_main: bool) -> Source:
    data = path.read_bytes()
    if len(data) > MAX_FILE_BYTES:
        msg = f"larger than {MAX_FILE_BYTES // 1024**2} MiB"
        raise ValueError(msg)
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode(encoding)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like: Python says so when it runs the script
        tree = ast.parse(text, filename=shown)
    lines = io.StringIO(text, newline=None).read().split("\n")  # as Python counts them, unlike str.splitlines
    return Source(path=path, shown=shown, tree=tree, lines=tuple(lines), is_main=is_main)


def _describe(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError) or str(error).startswith("invalid or missing encoding"):
        return "it is not in UTF-8, or not in the encoding that it declares"
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}" if error.lineno else str(error.msg)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _import_roots(script: Path) -> tuple[Path, ...]:
    """Return the folders in which absolute imports find the user's own modules."""
    outermost = script.parent
    while (outermost / "__init__.py").is_file() and outermost != outermost.parent:
        outermost = outermost.parent
    return (script.parent,) if outermost == script.parent else (script.parent, outermost)


def _unique(paths: Iterator[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))
