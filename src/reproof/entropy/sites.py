"""The line of the user's code that a call comes from.

What belongs to Python, to an installed package or to us is not the user's; everything else is, wherever it lies.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
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


STANDARD: Final = _find_standard()
"""How the paths of the standard library begin."""

INSTALLED: Final = _find_installed()
"""How the paths of installed packages begin."""

PACKAGES: Final = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
"""What installed packages lie in that are reached in another way: by a ``.pth`` file, PYTHONPATH or ``sys.path``."""

USER: Final = 0
LIBRARY: Final = 1
PYTHON: Final = 2
OURS: Final = 3

_owners: dict[str, int] = {}


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
    if path.startswith(INSTALLED) or any(name in path for name in PACKAGES):  # before Python's own, which holds them
        return LIBRARY
    if path.startswith(("<", *STANDARD)):
        return PYTHON
    return USER


def find_user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the user's code, from this one outwards."""
    while frame is not None and owner_of(frame.f_code.co_filename) != USER:
        frame = frame.f_back
    return frame


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
