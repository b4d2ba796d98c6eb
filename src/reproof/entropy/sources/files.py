"""Tap the files that an earlier run of the same check has written: whoever reads one depends on that run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.entropy.sources.file_access import LISTINGS, follow_files

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor
    from reproof.entropy.sources.file_access import Access


class EarlierFiles:
    """Notes where files of an earlier run are opened for reading, or looked for."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Look for the files that the plan names, and the folders they are in."""
        self._interceptor = interceptor
        base = Path.cwd()
        self._files = {str(base / name) for name in interceptor.plan.earlier}
        self._parents = {str(parent) for name in self._files for parent in Path(name).parents} - {
            str(parent) for parent in (base, *base.parents)
        }
        self._written: set[str] = set()

    def look_at(self, access: Access) -> None:
        """Note a read; a file that is written is this run's own from then on."""
        is_listing = access.source in LISTINGS
        if access.name not in (self._parents if is_listing else self._files) or access.name in self._written:
            return
        if not access.is_read:
            self._written.add(access.name)
            return
        # Named apart from the listing itself, whose order is a source of its own on the same line.
        source = f"{access.source} of earlier files" if is_listing else access.source
        place = self._interceptor.place_of(source, "state-on-disk", access.frame)
        if place is not None:
            place.note(os.path.relpath(access.name))


def install(interceptor: Interceptor) -> None:
    """Watch the files of an earlier run, if the plan names any. Effects: as `follow_files`."""
    if interceptor.plan.earlier:
        follow_files(EarlierFiles(interceptor).look_at)
