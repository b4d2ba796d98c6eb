"""Change surroundings that a training should not depend on: what `--vary` may change, and how."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.plan import Plan
from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.launch.processes import RunRequest

NAMES: Final = ("hash-seed", "threads", "listing-order", "workers", "time", "cwd", "locale", "cpu-isa")
"""What may be varied. `cwd` moves the working folder and the temporary one, `time` the clock and the time zone."""

TIME_SHIFT_SECONDS: Final = 400 * 86400.0 + 5 * 3600.0 + 1234.0
"""More than a year and some hours, so that year, month, day and hour are others."""

FAR_ZONE: Final = "Pacific/Kiritimati"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a variation changes of a run.

    Attributes:
        environment: Variables of the process.
        reverses_listings: Whether folders are listed in the reverse order.
        more_workers: Added to the number of workers of each loader.
        time_shift: Seconds by which clocks are moved.
        moves_folder: Whether the run takes place in a copy of the folder elsewhere.
        changes_hash_seed: Whether the hash seed is another even if the user has set one.
    """

    environment: dict[str, str] = field(default_factory=dict)
    reverses_listings: bool = False
    more_workers: int = 0
    time_shift: float = 0.0
    moves_folder: bool = False
    changes_hash_seed: bool = False


def parse_variations(text: str) -> tuple[str, ...]:
    """Return the variations that a list such as ``threads,time`` or ``all`` names.

    Raises UsageError if one is unknown.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return NAMES
    for name in names:
        if name not in NAMES:
            raise UsageError(f"variation {name!r} is unknown", f"choose from all, {', '.join(NAMES)}")
    if not names:
        raise UsageError("no variation is named", f"choose from all, {', '.join(NAMES)}")
    return tuple(dict.fromkeys(names))


def default_threads() -> int:
    """Return how many threads PyTorch computes with, unless the script says otherwise."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(named) if named.isdecimal() and int(named) else available


def other_locale() -> str | None:
    """Return a locale that sorts and formats numbers differently from the user's; None if none is installed."""
    if not is_plain(os.environ.get("LC_ALL") or os.environ.get("LANG") or "C"):
        return "C"
    if (program := shutil.which("locale")) is None:
        return None
    listed = subprocess.run(  # noqa: S603  # no shell, fixed arguments
        [program, "-a"], capture_output=True, text=True, errors="replace", check=False
    ).stdout
    return next((name for name in listed.split() if not is_plain(name)), None)


def is_plain(name: str) -> bool:
    """Whether a locale is C or POSIX, which sort by code points and have no language."""
    return name.partition(".")[0] in {"C", "POSIX"}


def find_unvaried(names: Iterable[str]) -> dict[str, str]:
    """Return those of these variations that change nothing on this machine, each with the reason."""
    return {"locale": "no locale but C is installed"} if "locale" in names and other_locale() is None else {}


def surroundings_of(names: Iterable[str]) -> Surroundings:
    """Return what these variations, names of `NAMES`, change."""
    wanted = frozenset(names)
    environment: dict[str, str] = {}
    if "threads" in wanted:
        other = str(1 if default_threads() > 1 else 2)
        environment |= {"OMP_NUM_THREADS": other, "MKL_NUM_THREADS": other}
    if "cpu-isa" in wanted:
        environment |= {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
    if "locale" in wanted:
        chosen = other_locale()
        environment |= {"LC_ALL": chosen, "LANG": chosen} if chosen is not None else {}
    if "time" in wanted:
        environment |= {"TZ": FAR_ZONE if os.environ.get("TZ") != FAR_ZONE else "UTC"}
    return Surroundings(
        environment=environment,
        reverses_listings="listing-order" in wanted,
        more_workers=1 if "workers" in wanted else 0,
        time_shift=TIME_SHIFT_SECONDS if "time" in wanted else 0.0,
        moves_folder="cwd" in wanted,
        changes_hash_seed="hash-seed" in wanted,
    )


def vary(request: RunRequest, surroundings: Surroundings) -> RunRequest:
    """Return a run under changed surroundings; the caller moves the folder."""
    plan = replace(
        request.plan or Plan(),
        reverses_listings=surroundings.reverses_listings,
        more_workers=surroundings.more_workers,
        time_shift=surroundings.time_shift,
    )
    return replace(
        request,
        environment={**request.environment, **surroundings.environment},
        plan=request.plan if plan == Plan() else plan,
    )
