"""Tap the files outside of the working folder that an earlier run of the same check has left, as in a user's cache.

Experiments take place in copies of the working folder; what lies elsewhere they share with all runs before. So it is
noted which of the user's lines reads such a file, and in an experiment it can be hidden, as if it were not there.
Left out: files that were there before the check, and reads by compiled code.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.entropy.handled import let_through
from reproof.entropy.sources.file_access import LISTINGS, follow_files
from reproof.entropy.untapped import read_time

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor
    from reproof.entropy.sources.file_access import Access

LAG_SECONDS: Final = 0.05
"""The clock of a file system is behind by less."""


class OutsideFiles:
    """Notes where files of earlier runs are read, and hides some of them until this run writes them."""

    def __init__(self, interceptor: Interceptor, since: float) -> None:
        """Look for files that were written after `since`, in seconds, and before now."""
        self._interceptor = interceptor
        self._since, self._start = since, read_time() - LAG_SECONDS
        self._hidden = frozenset(interceptor.plan.hides)
        self._inside = f"{Path.cwd()}{os.sep}"
        self._stat = os.stat

    def look_at(self, access: Access) -> None:
        """Note a read. Raises FileNotFoundError if the file is hidden."""
        name = access.name
        if not access.is_read or access.source in LISTINGS:
            return
        if name.startswith(self._inside) or not self._is_of_earlier(name):
            return
        place = self._interceptor.place_of(access.source, "state-on-disk", access.frame)
        if place is not None:
            place.note(name)
            if name in self._hidden:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), access.path)

    def _is_of_earlier(self, name: str) -> bool:
        try:
            status = self._stat(name)
        except (OSError, ValueError) as error:
            let_through(error)
            return False
        return stat.S_ISREG(status.st_mode) and self._since <= status.st_mtime < self._start


def install(interceptor: Interceptor) -> None:
    """Watch these files, if the plan says since when. Effects: as `follow_files`."""
    if interceptor.plan.since is not None:
        follow_files(OutsideFiles(interceptor, interceptor.plan.since).look_at)
