"""What surrounded the training of a bundle, and how much a difference to here may matter.

The environment is the one that every trace keeps, without what identifies the machine's owner (paths, host, process),
and with a list of the packages that the training imported: no other package's version can matter.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from reproof.credentials import mask_text, mask_values
from reproof.environment import collect_environment, collect_torch_environment, compare_environments
from reproof.trace.format import RUN_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

Grade = Literal["same", "harmless", "matters", "unknown"]

_PRIVATE: Final = ("process", "code")
_MATTERS: Final = re.compile(
    r"torch(\..*)?|python\.hash_seed|platform\.(libc|machine|system)|cpu\.(model|isa)"
    r"|variables\.(OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|NUMEXPR|ATEN|ONEDNN|DNNL|CUBLAS|CUDA|CUDNN|NVIDIA|TORCH|PYTORCH)\w*"
)
_HARMLESS: Final = re.compile(
    r"cpu\.(affinity|count|num_usable)|memory_bytes|platform\.(release|build|hostname)|locale\..*|time_zone\..*"
    r"|variables\.(LANG|LANGUAGE|LC_\w+|TZ|SLURM_\w+|PYTHONPATH|PYTHONUTF8|PYTHONNOUSERSITE|OMP_WAIT_POLICY"
    r"|LD_LIBRARY_PATH|PYTHONHASHSEED|TORCHINDUCTOR_\w+)"
    r"|python\.(build|flags\..*|executable)|torch\.threads\.interop|torch\.build_sha256"
)
_SET_BY_US: Final = re.compile(
    r"python\.hash_seed|torch\.(threads\.intraop|flags\..*)"
    r"|variables\.(PYTHONHASHSEED|CUBLAS_WORKSPACE_CONFIG|KMP_DUPLICATE_LIB_OK|KMP_INIT_AT_FORK|TORCHINDUCTOR_CACHE_DIR)"
)
"""By reproof, or by PyTorch and scikit-learn when they are imported."""

_UNKNOWN: Final = "unknown"

_PATH_IN_VALUE: Final = re.compile(r"(?:^|[\s=:;,'\"])(?:~|/|file:/|[A-Za-z]:[\\/]|\\\\)")
"""An absolute path, such as of a cache: it has the name of a user or a project in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRow:
    """One circumstance, there and here.

    Attributes:
        name: Keys joined by dots, such as ``torch.threads.intraop``.
        original: As in the bundle.
        here: As in the re-run.
        grade: Whether a difference can matter for the numbers.
    """

    name: str
    original: str
    here: str
    grade: Grade

    def to_json(self) -> dict[str, str]:
        """Return plain values."""
        return {"name": self.name, "original": self.original, "here": self.here, "grade": self.grade}


def describe_surroundings() -> dict[str, Any]:
    """Return what surrounds this process now, for `environment.yaml`.

    Effects: as `reproof.environment.collect_environment`.
    """
    found = strip_private(collect_environment())
    return {**found, **collect_torch_environment(), "imported": find_imported()}


def strip_private(environment: dict[str, Any]) -> dict[str, Any]:
    """Return an environment without what identifies the machine and its owner: paths, host, process, command line."""
    found = {name: value for name, value in environment.items() if name not in _PRIVATE}
    for topic, name in (("python", "executable"), ("platform", "hostname")):
        if isinstance(found.get(topic), dict):
            found[topic] = {key: value for key, value in found[topic].items() if key != name}
    if isinstance(variables := found.get("variables"), dict):
        found["variables"] = {
            key: text
            for key, text in variables.items()
            if not key.endswith(("PATH", "PRELOAD")) and not _PATH_IN_VALUE.search(str(text))
        }
    return dict(mask_values(found))


def strip_trace(folder: Path) -> None:
    """Take out of a trace what a bundle must not give away: it is made to be shared.

    The events stay as they are. The command line goes, and what was read from and written to the outside: a bundle is
    run again from its configuration. Effects: rewrites `run.json`, removes ledgers and the record of what was put out.
    """
    path = folder / RUN_FILE
    header = json.loads(path.read_text(encoding="utf-8"))
    home = str(Path.home())
    header["command"] = []
    header["environment"] = strip_private(header["environment"])
    header["problems"] = [mask_text(text.replace(home, "~")) for text in header["problems"]]
    path.write_text(json.dumps(header, indent=1), encoding="utf-8")
    for written in list(folder.iterdir()):
        if written.suffix in {".entropy", ".output"}:
            written.unlink()


def find_imported() -> list[str]:
    """Return the normalised names of the distributions of which this process has imported something, sorted."""
    distributions = packages_distributions()
    names = {name.partition(".")[0] for name in sys.modules}
    found = {distribution for name in names for distribution in distributions.get(name, ())}
    return sorted(map(normalise, found))


def find_version(environment: Mapping[str, Any], name: str) -> str | None:
    """Return the version of an installed distribution, by its normalised name; None if it was not installed."""
    packages = environment.get("packages", {})
    if name in packages:
        return str(packages[name])
    return next((str(version) for other, version in packages.items() if normalise(other) == name), None)


def normalise(name: str) -> str:
    """Return the name of a distribution in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def grade_environment(original: dict[str, Any], here: dict[str, Any]) -> tuple[EnvironmentRow, ...]:
    """Return the circumstances that differ, those that matter first; none if those of the original are not known."""
    if not original:
        return ()
    imported = set(original.get("imported", ())) | set(here.get("imported", ()))
    sides = [{name: value for name, value in side.items() if name != "imported"} for side in (original, here)]
    rows = [
        EnvironmentRow(
            name=found.name,
            original=found.baseline,
            here=found.candidate,
            grade=_grade(found.name, {found.baseline, found.candidate}, imported),
        )
        for found in compare_environments(*sides)
    ]
    order: tuple[Grade, ...] = ("matters", "unknown", "harmless", "same")
    return tuple(sorted(rows, key=lambda row: order.index(row.grade)))


def is_set_by_us(name: str) -> bool:
    """Whether a re-run is given this circumstance as the bundle has it, so that it is no difference before it runs."""
    return _SET_BY_US.fullmatch(name) is not None


def count_same(original: dict[str, Any], here: dict[str, Any]) -> int:
    """Return how many circumstances were compared and are the same."""
    first, second = dict(_leaves(original, "")), dict(_leaves(here, ""))
    return sum(1 for name in first.keys() & second.keys() if first[name] == second[name])


def _leaves(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, f"{name}.{key}")]
    return [(name, repr(value))]


def _grade(name: str, values: set[str], imported: set[str]) -> Grade:
    if _HARMLESS.fullmatch(name):
        return "harmless"
    if name.startswith("packages."):
        return "matters" if name.removeprefix("packages.") in imported or not imported else "harmless"
    if _UNKNOWN in values:
        return "unknown"
    return "matters" if _MATTERS.fullmatch(name) or name == "python" else "unknown"
