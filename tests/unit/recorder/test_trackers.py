"""What is given to trackers of experiments is recorded, by the names that their users know."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reproof.recorder.trackers import is_about_time, tap_trackers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRACKERS = {
    "tensorboardX/writer.py": """
class SummaryWriter:
    def add_scalar(self, tag, scalar_value, global_step=None): return "kept"
    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None): pass
""",
    "lightning/pytorch/core/module.py": """
class LightningModule:
    def log(self, name, value, *args, **kwargs): pass
""",
    "transformers/trainer.py": """
class Trainer:
    def log(self, logs, *args): pass
""",
    "mlflow/tracking/client.py": """
class MlflowClient:
    def log_metric(self, run_id, key, value, timestamp=None, step=None): pass
    def log_batch(self, run_id, metrics=(), params=(), tags=()): pass
""",
    "wandb/sdk/wandb_run.py": """
class Run:
    def log(self, data, step=None): pass
""",
}
"""Stand-ins with the signatures of the packages, which are not installed for a few methods."""


class Metric:
    """An entry of MLflow's batches."""

    key, value = "val_loss", 0.5


CALLS: dict[str, tuple[str, str, Callable[[Any], Any], list[tuple[str, Any]]]] = {
    "scalar": ("tensorboardX.writer", "SummaryWriter", lambda w: w.add_scalar("loss", 0.25, 3), [("loss", 0.25)]),
    "scalars": (
        "tensorboardX.writer", "SummaryWriter", lambda w: w.add_scalars("loss", {"a": 1, "b": 2}),
        [("loss/a", 1), ("loss/b", 2)],
    ),
    "lightning": (
        "lightning.pytorch.core.module", "LightningModule", lambda m: m.log("acc", 1.0, prog_bar=True), [("acc", 1.0)]
    ),
    "trainer": (
        "transformers.trainer", "Trainer", lambda t: t.log({"loss": 2.0, "train_runtime": 3.0, "note": "x"}),
        [("loss", 2.0)],
    ),
    "mlflow": ("mlflow.tracking.client", "MlflowClient", lambda c: c.log_metric("run", "f1", 0.5), [("f1", 0.5)]),
    "mlflow batch": (
        "mlflow.tracking.client", "MlflowClient", lambda c: c.log_batch("run", [Metric()]), [("val_loss", 0.5)]
    ),
    "wandb": (
        "wandb.sdk.wandb_run", "Run", lambda r: r.log({"val": {"loss": 1.5}, "_timestamp": 9.0}), [("val/loss", 1.5)]
    ),
}  # fmt: skip


@pytest.fixture
def trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the stand-ins on the path."""
    for name, text in TRACKERS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.relative_to(tmp_path).parents:
            (tmp_path / folder / "__init__.py").touch()
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.usefixtures("trackers")
@pytest.mark.parametrize("name", CALLS)
def test_what_is_logged_is_recorded(name: str) -> None:
    """Numbers by the names under which the tracker shows them, without times and speeds; the call does what it does."""
    module, owner, call, expected = CALLS[name]
    found: list[tuple[str, Any]] = []
    stop = tap_trackers(lambda *logged: found.append(logged))
    call(getattr(importlib.import_module(module), owner)())
    stop()
    assert found == expected


@pytest.mark.usefixtures("trackers")
def test_results_and_errors_of_the_tracker_pass() -> None:
    """What it returns is returned, and a wrong call raises the tracker's own error."""
    stop = tap_trackers(lambda *_: None)
    writer = importlib.import_module("tensorboardX.writer").SummaryWriter()
    assert writer.add_scalar("a", 1) == "kept"
    with pytest.raises(TypeError, match="scalar_value"):
        writer.add_scalar("a")
    stop()


def test_nothing_is_imported() -> None:
    """A script without a tracker stays without one."""
    before = set(sys.modules)
    tap_trackers(lambda *_: None)()
    assert not any(name.startswith(("mlflow", "wandb", "lightning")) for name in set(sys.modules) - before)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("charts/SPS", True), ("train_runtime", True), ("eval_samples_per_second", True), ("_timestamp", True),
        ("perf/fps", True), ("loss", False), ("time_to_failure_mae", False),
        ("time/step", True), ("perf/step_time_ms", True), ("epoch_seconds", True), ("train/mfu", True),
        ("time_per_epoch", True), ("time/loss", False), ("episode_duration", False),
        ("time_loss_s", False), ("val/runtime_error_rate", False),
    ],
)  # fmt: skip
def test_times_are_told_by_their_whole_name(name: str, *, expected: bool) -> None:
    """A result that has the word in its name is a result."""
    assert is_about_time(name) is expected
