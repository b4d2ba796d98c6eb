"""Experiments that hang end the search, and are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.plan import Plan
from reproof.explain.failures import describe_failures
from reproof.explain.laboratory import BudgetSpentError, Laboratory, Setting
from reproof.launch.processes import FinishedRun, RunRequest

if TYPE_CHECKING:
    from pathlib import Path


def make_laboratory(folder: Path) -> Laboratory:
    """Return one whose experiments have a copy of an empty folder."""
    request = RunRequest(command=("train.py",), folder=folder, trace=folder / "a", level="steps")
    setting = Setting(
        request=request,
        clean=folder,
        overlay=None,
        candidate_hash_seed=None,
        variations=(),
        max_runs=9,
        work=folder,
        traces=folder,
    )
    return Laboratory(setting)


@pytest.mark.parametrize("is_patience_over", [True, False])
def test_an_experiment_that_hangs_is_the_last(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_patience_over: bool,  # noqa: FBT001  # a case
) -> None:
    """Each further one may take as long; one that was ended because a process of it had died may not."""
    monkeypatch.setattr("reproof.explain.laboratory.place_run", lambda request, *_, **__: request)

    def run(requests: list[RunRequest], **_: Any) -> list[FinishedRun]:
        patience = requests[0].patience_seconds
        assert patience is not None
        seconds = patience + 1 if is_patience_over else 70.0
        changes: Any = None
        trace = requests[0].trace
        return [FinishedRun(trace=trace, exit_code=-2, seconds=seconds, changes=changes, output=None, stall="it waits")]

    monkeypatch.setattr("reproof.explain.laboratory.run_all", run)
    laboratory = make_laboratory(tmp_path)
    trial = laboratory.run("x", Plan(), num_steps=1)
    assert describe_failures([trial])[0].startswith("experiment 1 failed: it was ended since it waits; ")
    if is_patience_over:
        with pytest.raises(BudgetSpentError, match="the search ended with experiment 1, which hung"):
            laboratory.run("y", Plan(), num_steps=1)
    else:
        assert laboratory.run("y", Plan(), num_steps=1).number == 2
