"""Notice that a run will never end: one of its processes has died, and none of the others goes on; or it only waits.

A rank that waits for one that is gone may wait for ever, and so may an experiment for what an earlier run was given.
Left out: a run of the user's own that hangs by itself, which it does without reproof as well.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.errors import TraceError
from reproof.schema import PROCESSES
from reproof.trace.format import RUN_FILE
from reproof.trace.header import created_at, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_SECONDS: Final = 60.0
"""How long nothing may be recorded after a process has died."""

LONGEST_TIMES: Final = 10
"""A run that was silent for long before may be silent for so many times as long."""

LONGEST_TIMES_OF_EXPERIMENT: Final = 3
"""The same for an experiment: if it is ended wrongly, nothing of the user's is lost."""

PATIENCE_SECONDS: Final = 300.0
"""How long an experiment may record nothing at least, besides what a whole run took before."""

PATIENCE_TIMES: Final = 10
"""So many times what a whole run took: experiments are slower, and machines are shared."""

PERIOD_SECONDS: Final = 2.0
"""How often is looked."""


class StallWatch:
    """Watches the trace of one run."""

    def __init__(
        self, trace: Path, limit_seconds: float = LIMIT_SECONDS, patience_seconds: float | None = None
    ) -> None:
        """Begin now.

        Nothing may be recorded for `limit_seconds` after a process has died, and for `patience_seconds` although none
        has; None is for ever.
        """
        self._trace = trace
        self._patience = patience_seconds
        self._limit = limit_seconds
        self._period = min(PERIOD_SECONDS, limit_seconds)
        self._size = -1
        self._since = self._looked = time.monotonic()
        self._longest = 0.0

    def find_stall(self) -> str | None:
        """Return why the run will not end, or None."""
        now = time.monotonic()
        if now - self._looked < self._period:
            return None
        self._looked = now
        size = measure(self._trace)
        if size != self._size:
            self._longest = max(self._longest, now - self._since) if self._size > 0 else 0.0
            self._size, self._since = size, now
            return None
        silence = now - self._since
        if self._patience is not None and silence >= self._patience:
            return f"nothing was recorded for {silence:.0f} s"
        times = LONGEST_TIMES if self._patience is None else LONGEST_TIMES_OF_EXPERIMENT
        if silence < max(self._limit, times * self._longest):
            return None
        dead = next(find_dead(self._trace), None)
        return None if dead is None else f"{dead} had died, and nothing was recorded for {silence:.0f} s"


def find_patience(earlier: Path) -> float:
    """Return how long an experiment may record nothing, in seconds, by how long an earlier run took."""
    try:
        start = created_at(read_header(earlier)).timestamp()
        seconds = (earlier / RUN_FILE).stat().st_mtime - start
    except (OSError, TraceError):
        seconds = 0.0
    return PATIENCE_SECONDS + PATIENCE_TIMES * max(0.0, seconds)


def measure(trace: Path) -> int:
    """Return how much all processes of a run have recorded, in bytes of the disk or of whole records."""
    total = 0
    for path in (*trace.glob("*.names"), *trace.glob("*.frames"), *trace.glob(f"{PROCESSES}/*/*.[nf]*s")):
        with contextlib.suppress(OSError):
            status = path.stat()
            total += status.st_size + status.st_mtime_ns
    return total


def find_dead(trace: Path) -> Iterator[str]:
    """Yield the processes of a run that have not closed their trace and are no more."""
    for folder in (trace / PROCESSES).glob("*"):
        with contextlib.suppress(OSError, TraceError):
            header = read_header(folder)
            number = (header.environment.get("process") or {}).get("pid")
            if header.status == "running" and isinstance(number, int) and not is_alive(number):
                yield str(header.origin)


def is_alive(process: int) -> bool:
    """Whether there is such a process; one that has ended and is still asked for is none."""
    try:
        os.kill(process, 0)
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    except OSError:  # no proc
        return True
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
