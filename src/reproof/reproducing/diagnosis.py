"""Why a re-run does not give the bits of the bundle: by experiment where the difference can be emulated here.

Each circumstance that differs and that a process can be given (threads, instruction sets, variables) is set as it was
in the bundle; the smallest set that gives the bits again is what made them differ. What cannot be emulated (another
processor or version) is named, and what the first divergence tells stands beside it as suspected.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.checking import CheckRequest, run_check
from reproof.errors import ReproofError
from reproof.explain.minimize import minimize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reproof.bundle.surroundings import EnvironmentRow
    from reproof.schema import Cause, Comparison, Difference

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle:
    """One circumstance that can be set as it was.

    Attributes:
        name: What it is called in the environment.
        original: Its value in the bundle.
        here: Its value here.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A re-run with some circumstances as they were.

    Attributes:
        names: The circumstances.
        restores: Whether every bit was the bundle's.
        seconds: How long it took.
    """

    names: tuple[str, ...]
    restores: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"set_as_in_bundle": list(self.names), "restores_bits": self.restores, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        confirmed: Circumstances that give the bits again when they are set as in the bundle, one sentence each.
        suspected: What else may be the reason, one sentence each.
        experiments: Re-runs that were made.
        is_stable: Whether two re-runs here gave the same bits; None if that was not tried.
        causes: Why two re-runs here differ from each other, with file and line, by experiment.
    """

    confirmed: tuple[str, ...] = ()
    suspected: tuple[str, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    is_stable: bool | None = None
    causes: tuple[Cause, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "confirmed": list(self.confirmed),
            "suspected": list(self.suspected),
            "experiments": [experiment.to_json() for experiment in self.experiments],
            "is_stable": self.is_stable,
            "causes": [cause.to_json() for cause in self.causes],
        }


def list_toggles(rows: tuple[EnvironmentRow, ...], forced_threads: int | None) -> tuple[Toggle, ...]:
    """Return the circumstances that differ and can be set as they were.

    Args:
        rows: Of the environment.
        forced_threads: Number of threads that the user has asked for, or None.
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


def find_restoring(toggles: tuple[Toggle, ...], restores: Callable[[tuple[Toggle, ...]], bool]) -> tuple[Toggle, ...]:
    """Return the smallest set of circumstances that gives the bits again, or none if all together do not.

    Args:
        toggles: Likeliest first.
        restores: Makes the experiment.
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


def search_causes(command: tuple[str, ...], project: Path, keep: Path) -> tuple[tuple[Cause, ...], tuple[str, ...]]:
    """Return why two runs of a training differ from each other, and what the search has to say besides.

    Args:
        command: What follows ``python``.
        project: Folder in which it runs.
        keep: Folder for traces.

    Effects: runs the training several times, in the project and in copies of it.
    """
    before = Path.cwd()
    os.chdir(project)  # a check takes place in the current folder
    try:
        result = run_check(CheckRequest(command=command, keep=keep))
    except ReproofError as error:
        return (), (f"the search for causes failed: {error.problem}",)
    finally:
        os.chdir(before)
    return result.comparison.causes, result.explanation.notes if result.explanation is not None else ()


def suspect_from(comparison: Comparison | None, rows: tuple[EnvironmentRow, ...], toggled: frozenset[str]) -> list[str]:
    """Return what the first divergence tells, and the circumstances that matter and cannot be emulated."""
    found = [f"{row.name} is {row.here} here and was {row.original}" for row in rows if _is_left(row, toggled)]
    if comparison is None or comparison.first is None:
        return found
    return [describe_first(comparison.first), *found]


def _is_left(row: EnvironmentRow, toggled: frozenset[str]) -> bool:
    return row.grade == "matters" and row.name not in toggled


def describe_first(first: Difference) -> str:
    """Return in words what the place of the first divergence tells."""
    where = f"the first divergence is in step {first.step}, {first.stage} {first.name!r}"
    if first.stage == "batch" and first.detail == "order":
        return f"{where}: the rows come in another order (seed of the loader, split or sampler)"
    return f"{where}: {_MEANINGS.get(first.stage, 'what is computed there differs')}"


_MEANINGS: Final = {
    "init": "the model starts from other weights (seed, initialisation or architecture)",
    "batch": "the loader delivers other data (data, split or preprocessing)",
    "forward": "the same weights and batch give other outputs (kernels, threads, dropout or the model's code)",
    "loss": "the same outputs give another loss (loss function or weighting)",
    "gradient": "the same loss gives other gradients (kernels or threads in the backward pass)",
    "update": "the same gradients give other weights (learning rate, weight decay or another setting of the optimizer)",
    "metric": "a logged value differs while all before agrees",
}
