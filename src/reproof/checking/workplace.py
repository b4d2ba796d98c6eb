"""Where the runs of a check take place: the user's folder or copies of it, and what is kept for experiments."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.entropy.plan import Plan
from reproof.errors import UsageError
from reproof.explain.laboratory import Setting
from reproof.launch.folders import copy_folder, measure_folder
from reproof.launch.placing import make_work, place_run, remove_work
from reproof.launch.processes import FinishedRun, RunProcess, RunRequest, draw_hash_seed, run_all
from reproof.launch.variations import surroundings_of, vary

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SNAPSHOT_BYTES: Final = 2 << 30
"""A larger folder is not copied before the first run: then no experiments can be made."""


class Workplace:
    """The folders of one check.

    Attributes:
        problem: Why no experiments can be made, or None.
    """

    def __init__(self, *, is_shared: bool, keeps: bool) -> None:
        """Prepare for runs in the current folder.

        If shared, all runs take place in the user's folder, one after the other; `keeps` tells whether it is kept as it
        is now, for experiments.
        """
        self._folder = Path.cwd()
        self._is_shared = is_shared
        self._keeps = keeps
        self._requests: list[RunRequest] = []
        self._clean = self._folder
        self._overlay: Path | None = None
        self._work = Path()
        self._since = time.time()
        self.problem: str | None = None

    def __enter__(self) -> Workplace:  # noqa: PYI034  # not meant to be derived from
        """Make room for copies, and one of the folder if experiments will need it.

        Effects: creates a temporary folder.
        """
        self._work = make_work()
        if self._keeps and self._is_shared:
            self._keep()
        return self

    def _keep(self) -> None:
        size = measure_folder(self._folder, MAX_SNAPSHOT_BYTES)
        if size > MAX_SNAPSHOT_BYTES:
            limit = MAX_SNAPSHOT_BYTES >> 30
            self.problem = f"no experiments were made: {self._folder} holds over {limit} GiB; use --isolate or --jobs"
            return
        try:
            self._clean = keep_folder(self._folder, self._work)
        except UsageError as error:
            self.problem = f"no experiments were made: {error}"

    def __exit__(self, *_error: object) -> None:
        """Remove the copies."""
        remove_work(self._work)

    def run(
        self,
        requests: list[RunRequest],
        *,
        variations: tuple[str, ...],
        num_jobs: int,
        watch: Callable[[list[RunProcess]], None],
    ) -> list[FinishedRun]:
        """Run the baseline, and then the candidates under changed surroundings."""
        if not self._is_shared:
            requests = [isolate(request, self._work) for request in requests]
        requests = [requests[0], *(self._vary(request, variations) for request in requests[1:])]
        self._requests = requests
        if num_jobs > 1:
            return run_all(requests, num_jobs=num_jobs, watch=watch)
        baseline = run_all(requests[:1], watch=watch)[0]
        if self._is_shared:
            requests = [requests[0], *(self._warn_of(request, baseline) for request in requests[1:])]
        return [baseline, *run_all(requests[1:], watch=watch)]

    def _vary(self, request: RunRequest, variations: tuple[str, ...]) -> RunRequest:
        """Return a candidate under changed surroundings."""
        surroundings = surroundings_of(variations)
        request = vary(request, surroundings)
        if surroundings.changes_hash_seed and request.hash_seed is None:
            request = replace(request, hash_seed=draw_hash_seed(is_forced=True))
        if surroundings.moves_folder:
            temporary = self._work / "tmp"
            temporary.mkdir(exist_ok=True)
            request = replace(request, environment={**request.environment, "TMPDIR": str(temporary)})
            request = isolate(request, self._work, is_moved=True) if self._is_shared else request
        return request

    def _warn_of(self, request: RunRequest, baseline: FinishedRun) -> RunRequest:
        """Add to a candidate the files that the baseline has written, and keep a copy of them."""
        written = (*baseline.changes.created, *baseline.changes.modified)
        if not written:
            return request
        if self._keeps and self.problem is None:
            self._overlay = self._work / "overlay"
            for name in written:
                target = self._overlay / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._folder / name, target, follow_symlinks=False)
        return replace(request, plan=replace(request.plan or Plan(), earlier=written))

    def setting(self, number: int, variations: tuple[str, ...], max_runs: int) -> Setting:
        """Return where experiments on a candidate start from."""
        return Setting(
            request=replace(self._requests[0], folder=self._folder),
            clean=self._clean,
            overlay=self._overlay,
            candidate_hash_seed=self._requests[number].hash_seed,
            variations=variations,
            max_runs=max_runs,
            work=self._work,
            traces=self._requests[0].trace.parent,
            since=self._since,
        )


def keep_folder(folder: Path, work: Path) -> Path:
    """Copy a folder as it is now, for experiments, and return the copy."""
    clean = work / "clean" / folder.name
    clean.parent.mkdir()
    copy_folder(folder, clean)
    return clean


def isolate(request: RunRequest, work: Path, *, is_moved: bool = False) -> RunRequest:
    """Give a run its own copy of its folder under the same name, as a script may use the name.

    If it is moved, the copy lies elsewhere, as seen by the script.
    """
    return place_run(request, request.folder, work / request.trace.name, is_moved=is_moved)
