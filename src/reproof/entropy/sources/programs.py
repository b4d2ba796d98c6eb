"""Tap what other programs print: no tap of ours is in them.

The program is run in an experiment as well, for the sake of its other effects; only what it printed is given as it was.
Seen is what `subprocess` collects (`run`, `check_output`, `getoutput`, `Popen.communicate`) and what is read from
`os.popen`. Left out: pipes of a `Popen` that are read by hand, exit codes, and files that a program writes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.printed import PRINTING, digest_printed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.entropy.interception import Interceptor
    from reproof.schema import CauseKind

MAX_CHARACTERS: Final = 1 << 20
"""Of more than that the digest alone is kept, and it cannot be replayed."""

ASKING: Final = frozenset({"subprocess", "os"})
KINDS: Final[dict[CauseKind, tuple[str, ...]]] = {
    "wall-clock": ("date", "uptime", "stat", "time", "datetime"),
    "process-identity": ("hostname", "getpid"),
    "listing-order": ("ls", "find"),
    "environment": ("uname", "whoami", "nproc", "lscpu", "free", "df", "locale", "env", "printenv", "pwd", "git"),
}
"""What a program reads, by the words of its command; any other may have drawn random numbers."""

DEFAULT_KIND: Final[CauseKind] = "os-entropy"
KIND_OF: Final = {word: kind for kind, words in KINDS.items() for word in words}


def find_kind(command: Any) -> CauseKind:
    """Return the kind of cause that the output of a command would be."""
    if isinstance(command, (str, bytes, os.PathLike)):
        words = re.findall(r"[\w./-]+", os.fsdecode(command))
    else:
        words = [word for part in command for word in re.findall(r"[\w/-]+", os.fsdecode(part))]
    names = [PurePath(word).name for word in words]
    return next((KIND_OF[name] for name in names if name in KIND_OF), DEFAULT_KIND)


def install(interceptor: Interceptor) -> None:
    """Tap `Popen.communicate` and `os.popen`. Effects: replaces the method and the function."""
    tap_communicate(interceptor)
    tap_popen(interceptor)


def tap_communicate(interceptor: Interceptor) -> None:
    """Tap the method by which `subprocess` collects output."""
    original = subprocess.Popen.communicate
    keep = keep_whole if interceptor.plan.keeps_printed else digest_printed

    def communicate(process: Any, *args: Any, **kwargs: Any) -> Any:
        return original(process, *args, **kwargs)

    def decode(recorded: list[Any], process: Any, *args: Any, **kwargs: Any) -> Any:
        found = original(process, *args, **kwargs)
        return tuple(None if one is None else to_output(text) for one, text in zip(found, recorded, strict=True))

    def make(kind: CauseKind) -> Callable[..., Any]:
        tap = Tap(
            source=PRINTING[0],
            kind=kind,
            python=ASKING,
            applies=lambda process, *_args, **_kwargs: bool(process.stdout or process.stderr),
            encode=lambda found: keep([to_json(one) for one in found]),
            decode=decode,
            stands_in=True,
        )
        return interceptor.tap(communicate, tap)

    taps = {kind: make(kind) for kind in (*KINDS, DEFAULT_KIND)}

    def communicate_tapped(self: Any, input: Any = None, timeout: float | None = None) -> Any:  # noqa: A002  # its name
        try:
            kind = find_kind(self.args)
        except Exception:  # noqa: BLE001  # of whatever the command is; nothing of ours may reach the program
            kind = DEFAULT_KIND
        return taps[kind](self, input, timeout)

    communicate_tapped.__name__, communicate_tapped.__qualname__ = "communicate", "Popen.communicate"
    communicate_tapped.__doc__ = original.__doc__
    subprocess.Popen.communicate = communicate_tapped  # type: ignore[method-assign]


def to_json(output: Any) -> Any:
    """Return output as JSON has it: text as it is, bytes in a list."""
    return [bytes(output).decode("latin-1")] if isinstance(output, (bytes, bytearray)) else output


def keep_whole(value: Any) -> Any:
    """Return what is written of a value that may be replayed: itself, or its digest if it is too long."""
    return value if len(json.dumps(value)) <= MAX_CHARACTERS else digest_printed(value)


def to_output(recorded: Any) -> Any:
    """Return the output that `to_json` was given."""
    return recorded[0].encode("latin-1") if isinstance(recorded, list) else recorded


class Output:
    """What `os.popen` returns: a stream, and the exit code when it is closed."""

    def __init__(self, stream: Any, tap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Read from this stream, by these taps."""
        self._stream = stream
        self.read = tap(stream.read)
        self.readline = tap(stream.readline)
        self.readlines = tap(stream.readlines)

    def __enter__(self) -> Output:  # noqa: PYI034  # not meant to be derived from
        """Return itself."""
        self._stream.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        """Close it."""
        return self._stream.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        """Return what the stream has."""
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        """Yield the lines."""
        return iter(self.readlines())


def tap_popen(interceptor: Interceptor) -> None:
    """Tap what is read from `os.popen`."""
    original = os.popen
    keep = keep_whole if interceptor.plan.keeps_printed else digest_printed

    def popen(cmd: str, mode: str = "r", buffering: int = -1) -> Any:
        stream = original(cmd, mode, buffering)
        if mode != "r":
            return stream

        def tap(read: Callable[..., Any]) -> Callable[..., Any]:
            def decode(recorded: Any, *args: Any) -> Any:
                read(*args)
                return recorded

            kind = find_kind(cmd)
            made = Tap(source=PRINTING[1], kind=kind, python=ASKING, encode=keep, decode=decode, stands_in=True)
            return interceptor.tap(read, made)

        return Output(stream, tap)

    popen.__doc__ = original.__doc__
    os.popen = popen
