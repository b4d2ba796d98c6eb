"""Circumstances that can be set as they were in the bundle, and the smallest set of them that gives its bits again.

A number of threads, an instruction set or a variable can be given to a process; another processor, version or driver
cannot, and is no toggle.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.explain.minimize import minimize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reproof.bundle.surroundings import EnvironmentRow

VARIABLES: Final = (
    "ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE",
    "MKL_DYNAMIC", "OMP_DYNAMIC", "PYTHONHASHSEED",
)  # fmt: skip
"""Variables that are given to a process, those that most often change bits first."""

CAPABILITIES: Final = ("DEFAULT", "AVX2", "AVX512")
"""What PyTorch computes with on x86, from the least to the most (https://docs.pytorch.org/docs/stable/backends.html)."""

CAPABILITY: Final = "torch.cpu_capability"
THREADS: Final = "torch.threads.intraop"


ROUNDING: Final = frozenset({THREADS, CAPABILITY, *(f"variables.{name}" for name in VARIABLES)}) - {
    "variables.NVIDIA_TF32_OVERRIDE", "variables.PYTHONHASHSEED",
}  # fmt: skip
"""Circumstances by which the same operations are only rounded in another order."""

GUESSED_THREADS: Final = (1, 2, 4, 8, 16)
"""Numbers of threads that are tried where those of the original are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle:
    """One circumstance that can be set as it was.

    Attributes:
        name: What it is called in the environment.
        threads: Threads to set, or None.
        variables: Variables to set, or to take away.
    """

    name: str
    original: str
    here: str
    threads: int | None = None
    variables: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        """Say what differs."""
        return f"{self.name.removeprefix('variables.')} is {self.here} here and was {self.original}"


def list_toggles(rows: tuple[EnvironmentRow, ...], forced_threads: int | None) -> tuple[Toggle, ...]:
    """Return the circumstances that differ and can be set as they were.

    `forced_threads` is the number of threads that the user has asked for, or None.
    """
    found = {row.name: row for row in rows}
    toggles = []
    threads = found.get(THREADS)
    if threads is not None and threads.original.isdigit() and forced_threads is not None:
        toggles.append(
            Toggle(name=THREADS, original=threads.original, here=threads.here, threads=int(threads.original))
        )
    for variable in VARIABLES:
        row = found.get(f"variables.{variable}")
        if row is not None:
            value = None if row.original == "not set" else row.original
            toggles.append(Toggle(name=row.name, original=row.original, here=row.here, variables=((variable, value),)))
    return (*toggles, *_emulate_capability(found))


def _emulate_capability(found: Mapping[str, EnvironmentRow]) -> list[Toggle]:
    """Return the toggle for a processor that can do more than the bundle's, if no variable has lowered it."""
    row = found.get(CAPABILITY)
    if row is None or "variables.ATEN_CPU_CAPABILITY" in found:
        return []
    if not {row.original, row.here} <= set(CAPABILITIES):
        return []
    if CAPABILITIES.index(row.original) > CAPABILITIES.index(row.here):
        return []  # this processor cannot
    variables = (("ATEN_CPU_CAPABILITY", row.original.lower()),)
    return [Toggle(name=CAPABILITY, original=row.original, here=row.here, variables=variables)]


def guess_toggles(here: Mapping[str, Any]) -> tuple[Toggle, ...]:
    """Return surroundings that an original may have had of which none are known, likeliest first."""
    torch = here.get("torch", {})
    threads, capability = torch.get("threads", {}).get("intraop"), torch.get("cpu_capability")
    counts = dict.fromkeys((GUESSED_THREADS[0], os.cpu_count() or 1, *GUESSED_THREADS))
    toggles = [
        Toggle(name=THREADS, original=str(count), here=str(threads), threads=count)
        for count in counts
        if count != threads
    ]
    lower = CAPABILITIES[: CAPABILITIES.index(capability)] if capability in CAPABILITIES else ()
    for name in reversed(lower):
        variables = (("ATEN_CPU_CAPABILITY", name.lower()),)
        toggles.append(Toggle(name=CAPABILITY, original=name, here=str(capability), variables=variables))
    return tuple(toggles)


def find_restoring(toggles: tuple[Toggle, ...], restores: Callable[[tuple[Toggle, ...]], bool]) -> tuple[Toggle, ...]:
    """Return the smallest set of circumstances that gives the bits again, or none if all together do not.

    The likeliest come first; `restores` makes the experiment.
    """
    if not toggles:
        return ()
    known: dict[frozenset[str], bool] = {}

    def restores_once(chosen: tuple[Toggle, ...]) -> bool:
        key = frozenset(toggle.name for toggle in chosen)
        if key not in known:
            known[key] = restores(chosen)
        return known[key]

    if not restores_once(toggles):
        return ()
    return minimize(toggles, restores_once)
