"""The line of the user's code that a call comes from.

What belongs to Python, to an installed package or to us is not the user's; everything else is, wherever it lies, and
so is a package that was installed from a folder of this machine.
"""

from __future__ import annotations

import contextlib
import json
import linecache
import os
import re
import site
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType

OWN: Final = f"{Path(__file__).parent.parent}{os.sep}"


def _find_standard() -> tuple[str, ...]:
    paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}  # noqa: PTH120
    return tuple(sorted(f"{path}{os.sep}" for path in paths))


def _find_installed() -> tuple[str, ...]:
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    if sys.prefix != sys.base_prefix:  # console scripts, which call an installed package and hold nothing of their own
        paths.add(sysconfig.get_path("scripts"))
    if isinstance(user := site.getusersitepackages(), str):
        paths.add(user)
    return tuple(sorted(f"{path}{os.sep}" for path in paths))


def find_own_packages(folders: Iterable[Path]) -> tuple[str, ...]:
    """Return how the paths of the packages begin that `pip install .` has copied into folders of packages.

    Such a package has noted the folder from which it was installed (PEP 610); one that was built elsewhere, as conda
    does, notes a folder that is not here. One with compiled modules is a library that had to be built here, as PyTorch
    may be.
    """
    found = set()
    for note in (note for folder in folders for note in folder.glob("*.dist-info/direct_url.json")):
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # whoever installs writes it
            origin = json.loads(note.read_bytes())
            url = urlsplit(origin["url"])
            if "dir_info" in origin and url.scheme == "file" and Path(unquote(url.path)).is_dir():
                lines = (note.parent / "RECORD").read_text(encoding="utf-8").splitlines()
                names = {line.partition(".py,")[0] for line in lines if ".py," in line and not line.startswith("..")}
                tops = {name.partition("/")[0] + os.sep if "/" in name else f"{name}.py" for name in names}
                is_compiled = any(line.partition(",")[0].endswith((".so", ".pyd")) for line in lines)
                found |= set() if is_compiled else {f"{note.parent.parent}{os.sep}{top}" for top in tops}
    return tuple(sorted(found))


STANDARD: Final = _find_standard()
"""How the paths of the standard library begin."""

INSTALLED: Final = _find_installed()
"""How the paths of installed packages begin."""

OF_USER: Final = find_own_packages({Path(path) for path in INSTALLED if path.rstrip(os.sep).endswith("-packages")})
"""How the paths of the user's own packages begin among them."""

PACKAGES: Final = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
"""What installed packages lie in that are reached in another way: by a ``.pth`` file, PYTHONPATH or ``sys.path``."""

ENTRY: Final = re.compile(r"\s*(raise\s+SystemExit\(|(sys\.)?exit\()?\s*(\w+\.)*(main|cli|app|cli_main|run_main)\(")
"""A line on which a program begins. What happens within is what the program does, and nothing is wrong on that line."""

USER: Final = 0
LIBRARY: Final = 1
PYTHON: Final = 2
OURS: Final = 3

_owners: dict[str, int] = {}
_entries: dict[tuple[str, int], bool] = {}


class Site(NamedTuple):
    """A place in the user's code.

    Attributes:
        file: Relative to the folder in which the process started if it is below, else absolute; links are followed.
            Runs of one training in different folders have the same sites, however a file is reached.
        line: 1-based.
        function: Name of the function, or ``<module>``.
    """

    file: str
    line: int
    function: str


def owner_of(path: str) -> int:
    """Return whose code a file is: `USER`, `LIBRARY` (an installed package), `PYTHON` or `OURS`."""
    known = _owners.get(path)
    if known is None:
        known = _owners[path] = _judge(path)
    return known


def _judge(path: str) -> int:
    if path.startswith(OWN):
        return OURS
    if path.startswith(OF_USER):
        return USER
    if path.startswith(INSTALLED) or any(name in path for name in PACKAGES):  # before Python's own, which holds them
        return LIBRARY
    if path.startswith(("<", *STANDARD)):
        return PYTHON
    return USER


def find_user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the user's code, from this one outwards.

    Where that is a line on which a program begins, return the innermost one of the package whose program it is.
    """
    inner: list[FrameType] = []
    while frame is not None and owner_of(frame.f_code.co_filename) != USER:
        inner.append(frame)
        frame = frame.f_back
    if frame is not None and inner and is_entry(frame):
        program = top_package(inner[-1])
        return next((one for one in inner if program is not None and top_package(one) == program), frame)
    return frame


def top_package(frame: FrameType) -> str | None:
    """Return the installed package that a frame belongs to; None for what belongs to none."""
    is_installed = owner_of(frame.f_code.co_filename) == LIBRARY
    return str(frame.f_globals.get("__name__")).partition(".")[0] if is_installed else None


def is_entry(frame: FrameType) -> bool:
    """Whether a frame is at a line on which the user's program begins."""
    if frame.f_code.co_name != "<module>" or owner_of(frame.f_code.co_filename) != USER:
        return False
    place = (frame.f_code.co_filename, frame.f_lineno)
    known = _entries.get(place)
    if known is None:
        known = _entries[place] = ENTRY.match(linecache.getline(*place)) is not None
    return known


class Base:
    """The folder to which the files of sites are relative.

    Attributes:
        prefix: How their paths begin.
        origin: How the paths of the folder begin of which that one is a copy, if it is shown under another name.
    """

    prefix = f"{Path.cwd()}{os.sep}"
    origin: str | None = None


_names: dict[str, str] = {}


def name_file(path: str) -> str:
    """Return the name of a file of the user's code: the same in each run, whichever way it is reached."""
    known = _names.get(path)
    if known is None:
        known = os.path.realpath(path)
        for prefix in (Base.prefix, Base.origin):
            if prefix is not None and known.startswith(prefix):
                known = known.removeprefix(prefix)
        _names[path] = known
    return known


def site_of(frame: FrameType) -> Site:
    """Return the place where a frame is."""
    return Site(name_file(frame.f_code.co_filename), frame.f_lineno, name_of(frame.f_code))


def name_of(code: CodeType) -> str:
    """Return the qualified name of a function (its plain one before Python 3.11)."""
    return getattr(code, "co_qualname", code.co_name)


def find_site(depth: int = 1) -> Site | None:
    """Return the user's line that the caller was called from, or None if only libraries are on the stack."""
    frame = find_user_frame(sys._getframe(depth))  # noqa: SLF001  # the documented way to the stack
    return None if frame is None else site_of(frame)
