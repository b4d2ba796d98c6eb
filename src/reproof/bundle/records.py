"""What a bundle holds, as plain records: read from a verified folder, never from code or pickles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from pathlib import Path

Direction = Literal["minimize", "maximize"]
Metrics = dict[str, dict[str, float]]
"""Target to metric (``r2``, ``mse``, ``mae``) to value."""

FORMAT: Final = "reproof-bundle"
FORMAT_VERSION: Final = 1

MANIFEST: Final = "bundle.json"
SIGNATURE: Final = "bundle.json.sig"
CONFIG: Final = "config.yaml"
TRIAL: Final = "trial_info.yaml"
ENVIRONMENT: Final = "environment.yaml"
CODE: Final = "code.json"
DATA: Final = "data.json"
REFERENCE: Final = "reference.json"
SCALER: Final = "target_scaler.json"
JOBLIB_SCALER: Final = "target_scaler.joblib"
BEST_WEIGHTS: Final = "weights/best.safetensors"
LAST_WEIGHTS: Final = "weights/last.safetensors"
TRACE: Final = "trace"

EARLIER: Final = "earlier_in_process"
"""Key of a trial's details: what its process had trained before."""

CHOSEN: Final = "chosen_by_number"
"""Key of a trial's details: that somebody has chosen it, and not the search as its best."""

DEFAULT_ALPHA: Final = 0.05
NUM_KEPT_LOSSES: Final = 20
"""Losses of the first steps that tell how a difference begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of a bundle.

    Attributes:
        path: Relative to the bundle, with slashes.
        sha256: Digest of its bytes, hexadecimal.
    """

    path: str
    num_bytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``files``."""
        return {"path": self.path, "bytes": self.num_bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `bundle.json` says.

    Attributes:
        entry: The training, as ``path/to/file.py:function`` relative to the project; a name, never code.
        seed_key: Key of the seed in the configuration, with dots.
        files: Every other file of the bundle.
        weights: Canonical digests of the weights, by ``best`` and ``last``.
        margins: Largest difference that counts as equivalent, per target and metric; fixed when the bundle is written.
        alpha: Significance level of the verdict.
        created: When it was written, ISO 8601 with time zone.
        reproof: Version that wrote it.
        imported: Whether the bundle was made from a folder of another tool, which has less evidence.
    """

    entry: str | None
    seed_key: str
    files: tuple[FileEntry, ...]
    weights: dict[str, str]
    margins: Metrics
    alpha: float
    created: str
    reproof: str
    imported: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the content of `bundle.json`."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "entry": self.entry,
            "seed_key": self.seed_key,
            "files": [entry.to_json() for entry in self.files],
            "weights": self.weights,
            "margins": self.margins,
            "alpha": self.alpha,
            "created": self.created,
            "reproof": self.reproof,
            "imported": self.imported,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInfo:
    """The trial that a bundle keeps.

    Attributes:
        study: Name of the study; None where an imported folder does not tell.
        number: Number of the trial in it, or None likewise.
        direction: Whether a smaller or a larger value is better.
        value: What the objective returned, to the bit.
        params: What the search chose.
        metrics: Per target, to the bit.
        best_epoch: 0-based epoch of the best weights, or None if the training did not report any.
        num_trials: Trials with a value that the study had when the search ended: the best of many is biased upwards; or
            None. After a crash, those until this one was kept.
        retry_of: Number of the trial that this one repeats, or None.
        details: What else is known: distributions, sampler, pruner.
    """

    study: str | None
    number: int | None
    direction: Direction
    value: float
    params: dict[str, Any]
    metrics: Metrics
    best_epoch: int | None = None
    num_epochs: int = 0
    num_trials: int | None = 1
    retry_of: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def is_better_than(self, other: TrialInfo) -> bool:
        """Whether this trial takes the place of another of the same study."""
        if self.value == other.value:
            return (self.number or 0) < (other.number or 0)  # as Optuna's own best trial: the first of equals
        return self.value < other.value if self.direction == "minimize" else self.value > other.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate:
    """The same configuration trained again with a fresh seed, after the search."""

    seed: int
    metrics: Metrics

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``replicates``."""
        return {"seed": self.seed, "metrics": self.metrics}


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """The same seed trained again with one initial weight moved to the next number.

    Attributes:
        losses: Losses of the first steps.
        metrics: Per target.
        weight: Which weight was moved, as ``name[index]``.
    """

    losses: tuple[float, ...]
    metrics: Metrics
    weight: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``perturbations``."""
        return {"losses": [loss.hex() for loss in self.losses], "metrics": self.metrics, "weight": self.weight}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a re-run is judged by.

    Attributes:
        margins: As in the manifest.
        replicates: Fresh seeds.
        perturbations: One-ulp changes.
    """

    margins: Metrics
    replicates: tuple[Replicate, ...] = ()
    perturbations: tuple[Perturbation, ...] = ()
    alpha: float = DEFAULT_ALPHA

    def to_json(self) -> dict[str, Any]:
        """Return the content of `reference.json`."""
        return {
            "margins": self.margins,
            "alpha": self.alpha,
            "replicates": [replicate.to_json() for replicate in self.replicates],
            "perturbations": [perturbation.to_json() for perturbation in self.perturbations],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle.

    Attributes:
        config: Every resolved value of the configuration.
        environment: What surrounded the training; empty for an imported bundle.
        code: The code that ran; empty for an imported bundle.
        data: The data that were used; empty for an imported bundle.
        scaler: Exact state of the target scaler, or None.
        reference: What a re-run is judged by, or None.
        trace: Folder of the recorded trial; it does not exist for an imported bundle.
    """

    folder: Path
    manifest: Manifest
    config: dict[str, Any]
    trial: TrialInfo
    environment: dict[str, Any]
    code: dict[str, Any]
    data: dict[str, Any]
    scaler: dict[str, Any] | None
    reference: Reference | None
    trace: Path

    @property
    def seed(self) -> int:
        """The seed of the training."""
        value: Any = self.config
        for key in self.manifest.seed_key.split("."):
            value = value[key]
        return int(value)

    @property
    def has_trace(self) -> bool:
        """Whether the trial was recorded."""
        return any(entry.path.startswith(f"{TRACE}/") for entry in self.manifest.files)
