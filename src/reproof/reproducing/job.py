"""What is to be reproduced and where, settled once; every later stage reads it.

The folder of a reproduction exists before anything runs, so that an option which cannot be carried out is refused at
once. It is taken back when the reproduction ends with an error.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.bundle.code import describe_entry
from reproof.bundle.reader import open_bundle
from reproof.bundle.records import CODE, SIGNATURE
from reproof.bundle.writer import write_entry
from reproof.errors import LaunchError, UsageError
from reproof.reproducing.bundled import find_roots, join_path, write_project
from reproof.reproducing.data_files import find_by_digest
from reproof.reproducing.entry import find_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reproof.bundle.records import Bundle

BUNDLED: Final = Path("bundled")
"""What is given as the project for the code that the bundle itself holds; ``./bundled`` is a folder of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceRequest:
    """What to reproduce, and how.

    Attributes:
        bundle: The bundle.
        project: Folder of the project whose training the bundle names; `BUNDLED` for the code that the bundle holds.
        data: Folder in which data files are found by their digest, wherever they are in it; None for their places in
            the project.
        out: Folder for traces and the certificate, or None for one beside the bundle.
        num_seeds: Fresh-seed runs besides the one with the bundle's seed.
        device: Another device than the bundle's.
        threads: Another number of threads than the bundle's.
        entry: Another training than the bundle names.
        runs_anyway: Whether to run although files differ that must not.
        diagnoses: Whether to look for the reason if the bits differ.
    """

    bundle: Path
    project: Path = Path()
    data: Path | None = None
    out: Path | None = None
    num_seeds: int = 0
    device: str | None = None
    threads: int | None = None
    entry: str | None = None
    runs_anyway: bool = False
    diagnoses: bool = True

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        if self.num_seeds < 0 or (self.threads is not None and self.threads < 1):
            raise UsageError(f"{self.num_seeds} seeds, {self.threads} threads", "give positive numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One reproduction.

    Attributes:
        bundle: The bundle, verified.
        project: Folder of the project, absolute.
        out: Folder of this reproduction, absolute; it exists.
        started: When it began, with time zone.
        tell: Called with a line before each thing that takes time.
        data_files: Where data files were found, by the names that the bundle has for them.
        variables: Variables that the project needs in each process.
    """

    request: ReproduceRequest
    bundle: Bundle
    project: Path
    out: Path
    started: datetime.datetime
    tell: Callable[[str], None]
    data_files: Mapping[str, Path] = field(default_factory=dict)
    variables: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def entry(self) -> str | None:
        """The training, as ``path/to/file.py:function`` relative to the project; None if nobody names it."""
        return self.request.entry or self.bundle.manifest.entry

    def check_entry(self) -> str:
        """Return the training that will run: one that the user has named, or one that the bundle has the code of.

        Raises LaunchError if the bundle names none, or one whose file is not in its list of code.
        """
        named = self.bundle.manifest.entry
        if self.request.entry is not None:
            return self.request.entry
        if named is None:
            raise LaunchError("the bundle names no training", "name it with --entry path/to/file.py:function")
        if named.partition(":")[0] not in self.bundle.code.get("files", {}):
            raise LaunchError(
                f"the bundle names {named} as its training, and {CODE} does not list that file",
                f"look at it, and run it with --entry {named} if it is the one",
            )
        return named


@contextlib.contextmanager
def open_job(request: ReproduceRequest, tell: Callable[[str], None]) -> Iterator[Job]:
    """Verify the bundle and make the folder of its reproduction, for the length of a `with` block.

    Raises BundleError if the bundle is refused and UsageError if the folder cannot be used. Effects: creates the
    folder; notes the training in a bundle of a folder of others that has none. If the block raises, a folder without a
    file is removed; after Ctrl-C, one that was made beside the bundle with all in it.
    """
    tell(f"verifying {request.bundle}")
    bundle = _keep_entry(open_bundle(request.bundle), request)
    started = datetime.datetime.now().astimezone()
    out = make_out_folder(request, started)
    try:
        data_files = {} if request.data is None else find_by_digest(bundle, request.data)
        project, variables = Path(os.path.abspath(request.project)), dict[str, str | None]()  # noqa: PTH100  # links stay
        if request.project == BUNDLED:
            project = write_project(bundle, out / "project")
            variables["PYTHONPATH"] = join_path(find_roots(bundle, project))
        yield Job(
            request=request,
            bundle=bundle,
            project=project,
            out=out,
            started=started,
            tell=tell,
            data_files=data_files,
            variables=variables,
        )
    except BaseException as error:
        _discard(out, is_ours=request.out is None, is_interrupted=not isinstance(error, Exception))
        raise


def _keep_entry(bundle: Bundle, request: ReproduceRequest) -> Bundle:
    """Note the training that the user names for a folder of others, so that it need not be named again."""
    named, project = bundle.manifest.entry, request.project
    is_ours = bundle.manifest.imported and not (bundle.folder / SIGNATURE).exists()
    if not is_ours or request.entry is None or named not in {None, request.entry} or bundle.code.get("files"):
        return bundle
    with contextlib.suppress(LaunchError, OSError):  # what cannot be found is told when it is to run
        find_entry(project, request.entry)
        if (code := describe_entry(project, request.entry)) is not None:
            write_entry(bundle.folder, request.entry, code)
            return open_bundle(bundle.folder)
    return bundle


def make_out_folder(request: ReproduceRequest, now: datetime.datetime) -> Path:
    """Create the folder for what a reproduction leaves.

    Raises UsageError if it exists and is not empty, lies in the bundle, or cannot be made.
    """
    bundle = Path(os.path.abspath(request.bundle))  # noqa: PTH100  # links stay
    folder = request.out
    if folder is None:
        parent = bundle.parent / f"{bundle.name}-reproductions"
        stem = f"{now:%Y%m%d-%H%M%S}"
        names = (parent / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 1000))
        folder = next(name for name in names if not name.exists())
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # as above
    if folder.is_relative_to(bundle):
        raise UsageError(f"{folder} lies in the bundle", "a bundle holds what its manifest lists: name another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", "name a folder that is new or empty with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}", "name another folder with --out") from None
    return folder


def _discard(out: Path, *, is_ours: bool, is_interrupted: bool) -> None:
    """Remove the folder if it is empty, or whole after an interruption if nobody but us has named it."""
    if is_ours and is_interrupted:
        shutil.rmtree(out, ignore_errors=True)
    with contextlib.suppress(OSError):  # one that is not empty stays
        out.rmdir()
    if is_ours:
        with contextlib.suppress(OSError):
            out.parent.rmdir()
