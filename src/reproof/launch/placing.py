"""Place the copy of the user's folder in which a run takes place, so that it sees the world that the user's runs see.

Where the system lets anybody mount layers (`confinement`), the copy is shown under the name of the folder itself: data
beside it, absolute paths and packages in editable mode are found as ever, and what is written outside of the copy is
thrown away. Elsewhere the copy lies among links to what lies beside and above the folder, imports from the folder come
from the copy, and writing to what the links lead to is refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.entropy.plan import Plan
from reproof.launch.command import MODULE, PROGRAM
from reproof.launch.confinement import resemble
from reproof.launch.folders import WORK, copy_folder, is_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.launch.processes import RunRequest

OPAQUE: Final = "user.overlay.opaque"
"""Attribute of a folder in an upper layer: what is below it in the lower one is hidden (overlayfs of Linux)."""

SYSTEM: Final = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys"}
)
"""Folders below the root that hold nothing of a user's."""

SHARED: Final = frozenset({"tmp", "usr", "var"})
"""Folders below the root that are covered only where the user's folder is in them."""

REAL: Final = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "nfs", "nfs4", "cifs", "lustre"}
)
"""File systems that hold data; more are known by beginning with ``fuse``."""

MAX_LINKS: Final = 10_000
"""A folder with more entries is not linked entry by entry."""

ENVIRONMENT_DEPTH: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """What is mounted somewhere."""

    path: Path
    kind: str

    @property
    def is_real(self) -> bool:
        """Whether it holds data, rather than what the system tells of itself."""
        return self.kind in REAL or self.kind.startswith("fuse.")


def place_run(request: RunRequest, source: Path, work: Path, *, is_moved: bool = False) -> RunRequest:
    """Return a run that takes place in a copy of its folder.

    `source` is that folder, or a copy of it as it was earlier; `work` is to be made, for this run alone. If it is
    moved, the copy lies elsewhere, as seen by the script. Raises UsageError if the folder cannot be copied. Effects:
    creates `work`; `remove_work` removes it.
    """
    if not is_moved and sys.platform == "linux":
        placed = place_in_layers(request, source, work)
        if placed is not None:
            return placed
        remove_work(work)
    return place_among_links(request, source, work)


def make_work() -> Path:
    """Make a temporary folder for copies."""
    return Path(tempfile.mkdtemp(prefix=WORK))


def remove_work(work: Path) -> None:
    """Remove what was made for runs; layers hold folders that only their owner can open, once told."""
    for depth in ("", "*/", "*/*/"):
        for folder in work.glob(f"{depth}store/work-*/work"):
            with suppress(OSError):
                folder.chmod(0o700)
    shutil.rmtree(work, ignore_errors=True)


def place_in_layers(request: RunRequest, source: Path, work: Path) -> RunRequest | None:
    """Return a run that sees the copy under the name of its folder; None if the system does not offer that."""
    origin = request.folder
    mounts = read_mounts()
    top = find_top(origin, work, mounts)
    upper = work / "upper"
    copy = work / origin.name if top is None else upper / origin.relative_to(top)
    store = work / "store"
    store.mkdir(parents=True)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy_folder(source, copy)
    if top is not None:
        if not make_opaque(copy):
            return None
        for folder in copy.relative_to(upper).parents:
            resemble(str(top / folder), upper / folder)
    traces = request.trace.parent
    if traces.is_relative_to(origin):
        (copy / traces.relative_to(origin)).mkdir(parents=True, exist_ok=True)
    environments = [path for path in find_environments(origin) if make_mount_point(copy / path.relative_to(origin))]
    layers = {
        "folder": str(origin),
        "copy": str(copy),
        "top": None if top is None else str(top),
        "upper": str(upper),
        "covered": [str(path) for path in find_covered(top or origin, work, mounts)],
        "environments": [str(path) for path in environments],
        "kept": [str(traces)],
        "store": str(store),
    }
    command = confine({"layers": layers})
    return replace(request, folder=copy, confinement=command) if is_offered(command) else None


def make_opaque(folder: Path) -> bool:
    """Have a folder in a layer hide what is below it; return whether the file system can note that."""
    try:
        os.setxattr(folder, OPAQUE, b"y")
    except OSError:
        return False
    return True


def make_mount_point(folder: Path) -> bool:
    """Make an empty folder, on which something is to be mounted, unless its place is taken."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return True


def confine(spec: dict[str, object]) -> tuple[str, ...]:
    """Return the words before a command that confine it."""
    program = Path(__file__).with_name("confinement.py")
    return (sys.executable, "-I", "-S", str(program), json.dumps(spec))


def is_offered(confinement: tuple[str, ...]) -> bool:
    """Whether the system offers a confinement: a program that does nothing is started in it."""
    nothing = [sys.executable, "-I", "-S", "-c", ""]
    done = subprocess.run(  # noqa: S603  # our own program
        [*confinement, *nothing], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode == 0


def read_mounts() -> tuple[Mount, ...]:
    """Return what is mounted, in the order in which it was; nothing if the system does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    mounts = []
    for line in lines:
        before, _, after = line.partition(" - ")
        path = before.split(" ")[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
        mounts.append(Mount(path=Path(path), kind=after.split(" ")[0]))
    return tuple(mounts)


def find_top(folder: Path, work: Path, mounts: tuple[Mount, ...]) -> Path | None:
    """Return the outermost folder above the user's that one layer can cover; None if there is none.

    It is on the same file system, has nothing else mounted below, and the layers are not in it.
    """
    home = max((mount.path for mount in mounts if folder.is_relative_to(mount.path)), key=lambda p: len(p.parts))
    for parent in reversed(folder.parents):
        is_on_it = parent.is_relative_to(home) and parent != Path("/")
        is_single = not any(m.path != parent and m.path.is_relative_to(parent) for m in mounts)
        if is_on_it and is_single and not work.is_relative_to(parent):
            return parent
    return None


def find_covered(top: Path, work: Path, mounts: tuple[Mount, ...]) -> list[Path]:
    """Return the other folders that may hold a user's files, outer ones first."""
    candidates = {mount.path for mount in mounts if mount.is_real and mount.path != Path("/")}
    with suppress(OSError):
        candidates |= {path for path in Path("/").iterdir() if path.is_dir() and not path.is_symlink()}
    others = {mount.path for mount in mounts if not mount.is_real}
    return sorted(
        path
        for path in candidates - others
        if path.parts[1] not in SYSTEM | SHARED
        and not path.is_relative_to(top)
        and not top.is_relative_to(path)
        and not work.is_relative_to(path)
    )


def find_environments(folder: Path) -> tuple[Path, ...]:
    """Return the virtual environments in a folder, which are not copied: the one in use, and those near its top."""
    found = {Path(sys.prefix)} if Path(sys.prefix).is_relative_to(folder) and Path(sys.prefix) != folder else set()

    def look(place: Path, depth: int) -> None:
        with suppress(OSError):
            for path in [path for path in place.iterdir() if path.is_dir() and not path.is_symlink()]:
                if is_environment(path):
                    found.add(path)
                elif depth:
                    look(path, depth - 1)

    look(folder, ENVIRONMENT_DEPTH)
    return tuple(sorted(found))


def place_among_links(request: RunRequest, source: Path, work: Path) -> RunRequest:
    """Return a run in a copy among links to what lies beside and above its folder."""
    origin = request.folder
    world = work / "world"
    copy = world.joinpath(*origin.parts[1:])
    copy.parent.mkdir(parents=True)
    copy_folder(source, copy)
    for place in origin.parents[:-1]:  # beside the folder, and beside each one above it
        link_entries(place, world.joinpath(*place.parts[1:]))
    for path in find_environments(origin):
        with suppress(OSError):
            (copy / path.relative_to(origin)).symlink_to(path)
    temporary = Path(request.environment.get("TMPDIR", tempfile.gettempdir())).resolve()
    environment = dict(request.environment)
    if origin.is_relative_to(temporary):  # what lies in it can only be kept from being written with all of it
        temporary = work / "tmp"
        temporary.mkdir()
        environment["TMPDIR"] = str(temporary)
    paths = environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(move_path(path, origin, copy) for path in paths.split(os.pathsep))
    writable = [work, request.trace.parent, temporary, *find_writable(origin)]
    folders = tuple(map(str, writable))
    guard = confine({"writable": folders})
    is_guarded = sys.platform == "linux" and is_offered(guard)
    return replace(
        request,
        command=relative_command(request.command, origin),
        folder=copy,
        environment=environment,
        confinement=guard if is_guarded else (),
        plan=replace(request.plan or Plan(), origin=str(origin), writable=() if is_guarded else folders),
    )


def relative_command(command: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Return a command that finds its script in a copy of the folder; a script outside stays where it is."""
    if command[0] in {MODULE, PROGRAM}:
        return command
    script = Path(os.path.abspath(folder / command[0]))  # noqa: PTH100  # Path has nothing that keeps links
    inside = script.is_relative_to(folder)
    return (str(script.relative_to(folder)) if inside else str(script), *command[1:])


def link_entries(source: Path, target: Path) -> None:
    """Link what is in a folder in another one, but for what is there already."""
    try:
        paths = list(source.iterdir())
    except OSError:
        return
    for path in paths if len(paths) <= MAX_LINKS else ():
        if not os.path.lexists(target / path.name):
            (target / path.name).symlink_to(path)


def move_path(path: str, origin: Path, copy: Path) -> str:
    """Return a path in a folder as one in its copy; any other as it is."""
    return str(copy / os.path.relpath(path, origin)) if Path(path).is_relative_to(origin) else path


def find_writable(origin: Path) -> Iterator[Path]:
    """Yield where programs keep what is no data: devices, and the hidden folders of the user's home."""
    yield from map(Path, ("/dev", "/proc", "/run"))
    with suppress(OSError, RuntimeError):
        for path in Path.home().iterdir():
            if path.name.startswith(".") and path.is_dir() and not origin.is_relative_to(path):
                yield path
