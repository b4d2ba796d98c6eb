"""Times of files as they were in an earlier run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reproof.entropy.sources.file_times import read_times, set_times

if TYPE_CHECKING:
    from pathlib import Path


def test_a_status_gets_the_times_of_another_and_nothing_else(tmp_path: Path) -> None:
    """Seconds, whole seconds and nanoseconds are those of the other file, to the bit; all else stays."""
    for number, name in enumerate("ab"):
        (tmp_path / name).write_text(name * (1 + number))
        os.utime(tmp_path / name, ns=(1_700_000_000_123_456_789 + number, 1_600_000_000_987_654_321 - number))
    first, second = (tmp_path / "a").stat(), (tmp_path / "b").stat()
    found = set_times(second, list(read_times(first)))
    names = [name for name in dir(found) if name.startswith("st_")]
    is_time = {name: any(part in name for part in ("atime", "mtime", "ctime")) for name in names}
    assert {name: getattr(found, name) for name in names} == {
        name: getattr(first if is_time[name] else second, name) for name in names
    }
    assert tuple(found[7:10]) == tuple(first[7:10])
