"""Keep a trial that was trained: how a bundle is made of it, whoever has trained it.

Left out: which trials are kept (`reproof.integrations.optuna`, `reproof.integrations.from_study`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from reproof.bundle.code import find_withheld
from reproof.bundle.config import DEFAULT_SEED_KEY, tell_credentials
from reproof.bundle.records import DEFAULT_ALPHA, JOBLIB_SCALER, Direction, Metrics, TrialInfo
from reproof.bundle.writer import BundleContents, write_bundle
from reproof.errors import UsageError
from reproof.integrations.verifying import Verify

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.bundle.training import TrainingOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleOptions:
    """How candidates of a bundle are trained and kept.

    Attributes:
        seed_key: Key of the seed in the configuration, with dots.
        device: What the training is told to train on.
        num_threads: Threads of one CPU operation, or None to leave their number alone; what is in use is recorded.
        is_deterministic: Whether operations without a deterministic implementation raise; else they only warn.
        margins: Largest difference that counts as equivalent, per target and metric, or empty.
        replaces: Whether the bundle of another study is replaced.
        keep_code: Whether the bundle holds the text of the project's imported modules, so that a stranger can train
            from it. A module that seems to hold a credential is refused.
        direction: Whether a smaller or a larger value is better, for a `FixedTrial`: it has no study that tells.
        verify: Whether the winner is trained once more in a fresh process: ``"best"`` when this process ends, or when
            `BestTrialBundle.verify` is called; ``"each-best"`` each trial as soon as it leads; or ``"none"``. A warning
            tells that one does not reproduce, and why.
    """

    seed_key: str = DEFAULT_SEED_KEY
    device: str = "cpu"
    num_threads: int | None = None
    is_deterministic: bool = True
    margins: Metrics | None = None
    alpha: float = DEFAULT_ALPHA
    replaces: bool = False
    keep_code: bool = False
    direction: Direction = "minimize"
    verify: Verify = "none"

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        if self.verify not in get_args(Verify):
            raise UsageError(f"verify={self.verify!r}", f"choose from {', '.join(get_args(Verify))}")


def refuse_credentials(project: Path, entry: str) -> None:
    """Refuse to keep code in which something looks like a credential: a bundle is made to be shared.

    Raises UsageError naming the file and the line.
    """
    withheld = find_withheld(project, entry)
    if withheld:
        raise UsageError(f"keep_code would give away {withheld[0]}", "take it out of the code, or leave keep_code out")


def write_trial(
    folder: Path,
    entry: str,
    config: dict[str, Any],
    info: TrialInfo,
    outcome: TrainingOutcome,
    *,
    options: BundleOptions,
) -> None:
    """Write a trained trial as a bundle into a folder that holds its trace already.

    Effects: creates files; warns of what looks like a credential in the configuration, which is kept as it is.
    """
    if told := tell_credentials(config):
        warnings.warn(told, UserWarning, stacklevel=2)
    contents = BundleContents(
        entry=entry,
        seed_key=options.seed_key,
        config=config,
        trial=info,
        weights={"best": outcome.best, "last": outcome.last},
        environment=outcome.environment,
        code=outcome.code,
        data=outcome.data,
        scaler=outcome.scaler,
        margins=options.margins or {},
        alpha=options.alpha,
    )
    write_joblib(folder, outcome.scaler_object)
    write_bundle(folder, contents)


def write_joblib(folder: Path, scaler: Any) -> None:
    """Write a scaler in the form that other programs expect; reproof never loads it."""
    if scaler is None:
        return
    try:
        import joblib
    except ModuleNotFoundError:
        return  # it comes with scikit-learn, whose scaler this is
    joblib.dump(scaler, folder / JOBLIB_SCALER)
