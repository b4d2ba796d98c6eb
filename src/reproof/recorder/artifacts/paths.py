"""Find artifacts: files that a training leaves and its user names, such as a checkpoint or a table of results.

They are found by patterns when the training is over, and each is recorded as events of stage ``metric``. Left out:
how formats are read (`formats`), so that naming artifacts needs no PyTorch.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from reproof.errors import UsageError
from reproof.schema import Event
from reproof.trace import format as fmt
from reproof.trace.writer import is_trace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reproof.recorder.context import Context

MAGIC: Final = re.compile(r"[*?\[]")
ANY_DEPTH: Final = "**"


class Artifacts:
    """The artifacts of one recording.

    A pattern is one of the shell: ``*``, ``?``, ``[ab]``, and ``**`` for any number of folders. Names that begin with a
    dot are matched only by a part that does so too. ``**`` follows no symbolic link to a folder, as links may form a
    circle; files may be links.
    """

    def __init__(self, patterns: Sequence[str] | str) -> None:
        """Check the patterns. Raises UsageError if one of them is empty, or has ``**`` beside other characters."""
        self.patterns = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        self._start = Path()
        for pattern in self.patterns:
            check_pattern(pattern)

    def note_folder(self) -> None:
        """Make patterns relative to the current working folder, which the script may change later."""
        if self.patterns:
            self._start = Path.cwd()

    def prepare(self) -> None:
        """Import what reads the formats as soon as PyTorch is there, before the script can replace functions of it."""
        if self.patterns:
            importlib.import_module("reproof.recorder.artifacts.formats")

    def record_at_end(self, context: Context, status: str) -> None:
        """Record the artifacts of a run that is complete; of another, note that they are not read.

        The status is as in the header of the run.
        """
        if status == "complete":
            self._record_found(context)
            return
        for pattern in self.patterns:
            skip(context, pattern, f"not read: the run is {status}")

    def _record_found(self, context: Context) -> None:
        """Read the artifacts that exist by now, in the order of their names, and record what they hold.

        Effects: none but reading. Nothing in a file is executed, and no random number is drawn.
        """
        found: dict[str, Path] = {}
        missing: dict[str, str] = {}
        own_folder = os.path.realpath(self._start / context.folder)
        for pattern in self.patterns:
            names = list(match_pattern(self._start, PurePath(pattern), missing))
            files = {name: path for name in names if not is_part_of_trace(path := self._start / name, own_folder)}
            if not files:
                missing[pattern] = self._explain_absence(pattern)
            found |= files
        for name, why in missing.items():
            skip(context, name, why)
        if found:
            from reproof.recorder.artifacts.formats import record_file, undisturbed

            with undisturbed():
                for name, path in sorted(found.items()):
                    record_file(context.evidence, f"artifact {name}", path)

    def _explain_absence(self, pattern: str) -> str:
        try:
            mode = (self._start / pattern).stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "no file matches"
        except OSError as error:
            return error.strerror or type(error).__name__
        if stat.S_ISDIR(mode):
            return f"it is a folder: name the files in it, {PurePath(pattern, ANY_DEPTH).as_posix()!r} for all"
        return "it is part of a trace"


def check_pattern(pattern: str) -> None:
    """Check that a pattern has a meaning. Raises UsageError if it has none."""
    if not pattern or "\0" in pattern:
        raise UsageError(f"artifact {pattern!r} names no file", "give a pattern such as 'checkpoints/*.pt'")
    if any(ANY_DEPTH in part and part != ANY_DEPTH for part in PurePath(pattern).parts):
        raise UsageError(
            f"artifact {pattern!r} has '**' beside other characters", "write '**/*.pt' for the files of all folders"
        )


def match_pattern(start: Path, pattern: PurePath, unread: dict[str, str]) -> Iterator[str]:
    """Yield the names of what a pattern matches: files, and what is neither file nor folder.

    `unread` takes the names of folders that cannot be read, with the reasons: there may be more in them.
    """
    path, parts = start / pattern, pattern.parts
    num_fixed = next((i for i, part in enumerate(parts) if MAGIC.search(part)), len(parts))
    fixed, wild = PurePath(*parts[:num_fixed]), parts[num_fixed:]
    if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112  # first: a name may have brackets
        yield pattern.as_posix()
    elif wild and os.path.isdir(start / fixed):  # noqa: PTH112  # unlike Path's, it raises nothing
        yield from match_parts(start, fixed, (*wild, "*") if wild[-1] == ANY_DEPTH else wild, unread)


def match_parts(start: Path, folder: PurePath, parts: tuple[str, ...], unread: dict[str, str]) -> Iterator[str]:
    """Yield the names of what is below a folder and fits the parts of a pattern, one part per folder on the way."""
    part, rest = parts[0], parts[1:]
    if part == ANY_DEPTH:
        yield from match_parts(start, folder, rest, unread)
    try:
        with os.scandir(start / folder) as entries:
            known = list(entries)
    except OSError as error:
        unread[folder.as_posix()] = error.strerror or type(error).__name__
        return
    for entry in known:
        inner = folder / entry.name
        if part == ANY_DEPTH:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from match_parts(start, inner, parts, unread)
        elif fits(entry.name, part):
            leads_on = os.path.isdir(entry)  # noqa: PTH112  # entry.is_dir() raises where links form a circle
            if rest and leads_on:
                yield from match_parts(start, inner, rest, unread)
            elif not rest and not leads_on:
                yield inner.as_posix()


def fits(name: str, part: str) -> bool:
    """Whether a name fits one part of a pattern."""
    return fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))


def is_part_of_trace(path: Path, own_folder: str) -> bool:
    """Whether a file belongs to a trace, the one in `own_folder` or another; no two traces are the same."""
    folder = Path(os.path.realpath(path.parent))
    return folder.is_relative_to(own_folder) or (
        is_trace_file(path.name) and (folder / fmt.file_name(0, "frames")).is_file()
    )


def skip(context: Context, name: str, why: str) -> None:
    """Note that an artifact is not compared."""
    context.frames.skip(Event(stage="metric", name=f"artifact {name}", skipped=why))
