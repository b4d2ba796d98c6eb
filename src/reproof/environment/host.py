"""The machine and its operating system: what decides which code paths of the numeric libraries run.

Read from `os` and ``/proc`` alone: the `platform` module takes longer to import than everything here to run, and
some of its functions start processes. Left out: GPUs, of which only PyTorch knows which are used.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Final

CPU_INFO: Final = Path("/proc/cpuinfo")
_FIRST_CPU_BYTES: Final = 8192
"""One processor's entry; the whole file takes milliseconds on a machine with hundreds of them."""

_MODEL = re.compile(r"^(?:model name|Model|CPU part)\s*:\s*(.+)$", re.MULTILINE)
_FLAGS = re.compile(r"^(?:flags|Features)\s*:\s*(.+)$", re.MULTILINE)
_NUMERIC_ISA = re.compile(r"avx|amx|fma|f16c|sse4|asimd|neon|sve|sme\d?$|bf16|i8mm")


def describe_host() -> dict[str, Any]:
    """Return the topics ``platform`` and ``cpu`` and the size of the memory."""
    return {"platform": _describe_platform(), "cpu": _describe_cpu(), "memory_bytes": _memory_bytes()}


def format_ranges(numbers: list[int]) -> str:
    """Return sorted whole numbers in short, e.g. ``0-3,8``."""
    starts = [number for number in numbers if number - 1 not in set(numbers)]
    ends = [number for number in numbers if number + 1 not in set(numbers)]
    pairs = zip(starts, ends, strict=True)
    return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in pairs)


def _describe_platform() -> dict[str, Any]:
    if not hasattr(os, "uname"):
        return {"system": sys.platform, "hostname": os.environ.get("COMPUTERNAME")}
    name = os.uname()
    return {
        "system": name.sysname,
        "release": name.release,
        "build": name.version,
        "machine": name.machine,
        "hostname": name.nodename,
        "libc": _libc_version(),
    }


def _describe_cpu() -> dict[str, Any]:
    model, isa = _read_cpu_info(CPU_INFO)
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "model": model or os.environ.get("PROCESSOR_IDENTIFIER"),
        "count": os.cpu_count(),
        "num_usable": None if usable is None else len(usable),
        "affinity": None if usable is None else format_ranges(usable),
        "isa": isa,
    }


def _read_cpu_info(path: Path) -> tuple[str | None, list[str] | None]:
    """Return the model of the first processor and those of its instruction sets that change numbers."""
    try:
        with path.open("rb") as file:
            text = file.read(_FIRST_CPU_BYTES).decode("ascii", "replace")
    except OSError:
        return None, None
    model, flags = _MODEL.search(text), _FLAGS.search(text)
    isa = sorted(filter(_NUMERIC_ISA.match, flags[1].split())) if flags else None
    return (model[1].strip() if model else None), isa


def _memory_bytes() -> int | None:
    pages, page_bytes = _sysconf("SC_PHYS_PAGES"), _sysconf("SC_PAGE_SIZE")
    return pages * page_bytes if pages and page_bytes else None


def _sysconf(name: str) -> int | None:
    try:
        return os.sysconf(name)
    except (AttributeError, ValueError, OSError):
        return None  # a system that does not tell


def _libc_version() -> str | None:
    """Return the version of glibc, whose ``exp`` and ``log`` change between versions."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        return None
