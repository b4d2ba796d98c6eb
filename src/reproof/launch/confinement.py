"""Start a program so that it can write to nothing of the user's: executed as a script, with nothing of this package.

    python -I -S confinement.py SPEC PROGRAM [ARGUMENT ...]

SPEC is JSON. With ``layers`` the program sees every file where it is, and writes to layers that are thrown away: mounts
of its own, which Linux lets anybody have in a user namespace (user_namespaces(7)) unless the system forbids it. With
``writable`` it may write below these folders alone (landlock(7)). Exits with 125 if the system does not offer that.

Left out: what belongs into SPEC (`reproof.launch.placing`).
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

NOT_OFFERED = 125
"""Exit code where the system does not offer what is asked for."""

NEW_USERS, NEW_MOUNTS = 0x10000000, 0x00020000  # linux/sched.h
BIND, RECURSIVE, PRIVATE, READ_ONLY = 0x1000, 0x4000, 1 << 18, 1  # linux/mount.h
MOUNT_SETATTR, CREATE_RULESET, ADD_RULE, RESTRICT = 442, 444, 445, 446  # numbers of system calls, as on all machines
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
NO_NEW_PRIVILEGES = 38

WRITE_RIGHTS = 0b0011_1111_1111_0010
"""Landlock's rights that change files: write, remove, make, and move between folders; ABI 3 adds truncate."""

TRUNCATE = 1 << 14
ON_FILES = (1 << 1) | TRUNCATE


@functools.cache
def library() -> Any:
    """Return the C library."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Return the result of a call of the C library. Raises OSError if it has failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Call `mount`. Raises OSError if it is refused."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, options)]
    check(library().mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"mount {target}")


def enter_namespace() -> None:
    """Give this process mounts of its own; its user and group are shown as they were.

    Raises OSError if the system forbids it.
    """
    user, group = os.geteuid(), os.getegid()
    if library().unshare(NEW_MOUNTS) < 0:  # only the superuser may without a user namespace
        check(library().unshare(NEW_USERS | NEW_MOUNTS), "unshare")
        with suppress(OSError):  # before Linux 3.19 there is none, nor a need
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    mount("none", "/", None, RECURSIVE | PRIVATE)


def lay_over(folder: str, upper: Path, work: Path) -> None:
    """Put a layer over a folder that takes what is written there. Raises OSError if the system does not offer it."""
    for path in (upper, work):
        path.mkdir(parents=True, exist_ok=True)
    resemble(folder, upper)
    opened = [os.open(path, os.O_RDONLY) for path in (folder, upper, work)]  # a path may hold what separates options
    try:
        named = ",".join(
            f"{name}=/proc/self/fd/{number}"
            for name, number in zip(("lowerdir", "upperdir", "workdir"), opened, strict=True)
        )
        mount("overlay", folder, "overlay", 0, f"{named},userxattr")
    finally:
        for number in opened:
            os.close(number)


def resemble(original: str, folder: Path) -> None:
    """Give a folder the owner, mode and times of another one, as far as this user may."""
    status = Path(original).stat()
    with suppress(OSError):
        os.chown(folder, status.st_uid, status.st_gid)
    with suppress(OSError):
        shutil.copystat(original, folder)


def make_read_only(folder: str) -> None:
    """Let nothing be written below a folder, and on what is mounted there.

    Raises OSError if the system does not offer it.
    """
    mount(folder, folder, None, BIND | RECURSIVE)
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY, 0, 0, 0)
    arguments = (AT_FDCWD, os.fsencode(folder), AT_RECURSIVE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    check(library().syscall(MOUNT_SETATTR, *arguments), f"mount_setattr {folder}")


def build_layers(spec: dict[str, Any]) -> None:
    """Build what the program sees.

    Of `spec`, ``folder`` is where it runs; ``copy`` what is shown there, unless it is part of the layer of ``top``;
    ``top`` the folder above, with its ``upper`` layer prepared, or None; ``covered`` further folders, outer ones first;
    ``kept`` folders that stay themselves; ``store`` a folder for layers. Raises OSError if the system does not offer
    it.
    """
    store = Path(spec["store"])
    enter_namespace()
    staged = []
    for number, path in enumerate(spec["kept"]):
        place = store / f"kept-{number}"
        place.mkdir(exist_ok=True)
        mount(path, str(place), None, BIND | RECURSIVE)
        staged.append((str(place), path))
    environments = [(path, os.open(path, os.O_RDONLY)) for path in spec["environments"]]
    for number, path in enumerate(spec["covered"]):
        try:
            lay_over(path, store / f"upper-{number}", store / f"work-{number}")
        except OSError:  # a file system that cannot be the lower one, or with others mounted on it
            make_read_only(path)
    if spec["top"] is None:
        mount(spec["copy"], spec["folder"], None, BIND | RECURSIVE)
    else:
        lay_over(spec["top"], Path(spec["upper"]), store / "work-top")
    for number, (path, opened) in enumerate(environments):
        mount(f"/proc/self/fd/{opened}", path, None, BIND | RECURSIVE)
        lay_over(path, store / f"upper-environment-{number}", store / f"work-environment-{number}")
        os.close(opened)
    for source, path in staged:
        mount(source, path, None, BIND | RECURSIVE)
    os.chdir(spec["folder"])


def restrict_writes(folders: list[str]) -> None:
    """Let this process and its children write below these folders alone.

    Raises OSError if the system does not offer it.
    """
    version = check(library().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1), "landlock")
    if version < 2:  # noqa: PLR2004  # it would forbid all moves from folder to folder
        raise OSError(NOT_OFFERED, "landlock: too old")
    rights = WRITE_RIGHTS | (TRUNCATE if version > 2 else 0)  # noqa: PLR2004
    handled = ctypes.c_uint64(rights)
    ruleset = check(
        library().syscall(CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(8), 0), "landlock_create_ruleset"
    )
    for folder in folders:
        with suppress(OSError):
            opened = os.open(folder, os.O_PATH)
            allowed = rights if Path(folder).is_dir() else rights & ON_FILES
            rule = allowed.to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder)
            check(library().syscall(ADD_RULE, ruleset, 1, rule, 0), f"landlock_add_rule {folder}")
            os.close(opened)
    check(library().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    check(library().syscall(RESTRICT, ruleset, 0), "landlock_restrict_self")


def main() -> None:
    """Confine this process and become the program."""
    spec = json.loads(sys.argv[1])
    try:
        if "layers" in spec:
            build_layers(spec["layers"])
        else:
            restrict_writes(spec["writable"])
    except (OSError, AttributeError, TypeError) as error:  # a C library without these functions is not that of Linux
        print(f"reproof: {error}", file=sys.stderr)  # noqa: T201  # this file is a program
        raise SystemExit(NOT_OFFERED) from None
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  # the user's own script


if __name__ == "__main__":
    main()
