"""Write results for programs: `--json FILE`, which replaces an earlier result and nothing else."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from reproof.cli.options import option
from reproof.errors import UsageError

if TYPE_CHECKING:
    from reproof.cli.options import Parameter

STANDARD_OUTPUT: Final = "-"

COMPARISON: Final = frozenset({"schema", "verdict", "compared", "first_divergence", "causes", "conditions", "runs"})
"""Keys that the JSON of `compare`, `check`, `explain` and `resume-check` always has."""

OVERVIEW: Final = frozenset({"schema", "run", "incomplete", "damage", "ranks", "stages", "losses", "metrics"})
"""Keys that the JSON of `show` always has."""

DIAGNOSIS: Final = frozenset({"schema", "checks", "findings", "files", "not_read"})
"""Keys that the JSON of `doctor` always has."""

REPRODUCTION: Final = frozenset({"schema", "verdict", "tier", "gates", "bundle", "trial", "environment", "fresh_seeds"})
"""Keys that the JSON of `reproduce` always has."""

FROM_STUDY: Final = frozenset({"schema", "verdict", "tier", "bundle", "trial", "stored"})
"""Keys that the JSON of `bundle from-study` always has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFile:
    """Where a result goes; refused as soon as it is named if it cannot go there.

    Attributes:
        path: The file; ``-`` is standard output.
        keys: What a result of this kind always has: a file with other content is the user's.
    """

    path: str
    keys: frozenset[str]

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        if not self.is_standard_output:
            self._refuse()

    @property
    def is_standard_output(self) -> bool:
        """Whether the JSON takes the place of the text."""
        return self.path == STANDARD_OUTPUT

    @property
    def _place(self) -> Path:
        path = Path(self.path)
        return path if is_stream(path) else Path(os.path.realpath(path))  # a link stays, and its file is replaced

    def write(self, result: dict[str, Any]) -> None:
        """Write a result; a file appears whole or not at all.

        Raises UsageError if the file cannot be written, or now holds something other than an earlier result.
        """
        text = json.dumps(result, indent=1)
        if self.is_standard_output:
            click.echo(text)
            return
        self._refuse()  # the script may have written a file of this name meanwhile
        try:
            write_whole(self._place, f"{text}\n")
        except OSError as error:
            raise self._cannot_write(error) from None

    def _refuse(self) -> None:
        """Refuse a file that cannot be written, or whose content would be lost.

        Raises UsageError if it is such a file.
        """
        try:
            refuse_unwritable(self._place)
            is_free = is_replaceable(self._place, self.keys)
        except OSError as error:
            raise self._cannot_write(error) from None
        if not is_free:
            remedy = "name another file for --json, or move this one away"
            raise UsageError(f"{self.path} exists and is no earlier result", remedy)

    def _cannot_write(self, error: OSError) -> UsageError:
        return UsageError(f"cannot write {self.path}: {error.strerror}", "choose another file for --json")


def json_option(keys: frozenset[str]) -> Parameter:
    """Return the option ``--json`` of a command whose results have these keys."""

    def read(_context: click.Context, _option: click.Parameter, path: str | None) -> JsonFile | None:
        return None if path is None else JsonFile(path=path, keys=keys)

    return option("--json", metavar="FILE", callback=read, help="Write the result as JSON ('-' for standard output).")


def write_json(result: dict[str, Any], target: JsonFile | None) -> bool:
    """Write a result if that was asked for; return whether the text is to be printed as well."""
    if target is None:
        return True
    target.write(result)
    return not target.is_standard_output


def refuse_unwritable(path: Path) -> None:
    """Refuse a path where no file can be written or replaced. Raises OSError if it is such a path."""
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not path.parent.exists():
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    if not path.parent.is_dir():
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    needed = [*((path,) if path.exists() else ()), *(() if is_stream(path) else (path.parent,))]
    if not all(os.access(place, os.W_OK) for place in needed):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def is_stream(path: Path) -> bool:
    """Whether this is a pipe, a device or an open file such as /dev/stdout: what is written there replaces nothing."""
    return path.exists() and (path.is_relative_to("/dev") or not path.is_file()) and not path.is_dir()


def is_replaceable(path: Path, keys: frozenset[str]) -> bool:
    """Whether a file can be replaced without loss: it does not exist, is empty, or holds an earlier result.

    Raises OSError if it cannot be read.
    """
    if not path.exists() or is_stream(path) or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        if not file.read(64).lstrip().startswith(b"{"):  # a large file of another kind is not read
            return False
        file.seek(0)
        try:
            found = json.load(file)
        except (ValueError, RecursionError):
            return False
    return isinstance(found, dict) and keys <= found.keys()


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically, or write to a stream."""
    if is_stream(path):
        path.write_text(text, encoding="utf-8")
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
