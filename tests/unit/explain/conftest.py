"""What the tests of a search share: an inquiry whose experiments have the results that a test says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.inquiry import Inquiry
from reproof.explain.laboratory import BudgetSpentError, Trial
from reproof.launch.processes import FinishedRun
from reproof.schema import Difference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST = Difference(rank=0, step=2, stage="batch", detail="content", name="x", baseline="a", candidate="b", num_events=7)


class ScriptedLaboratory:
    """Its experiments diverge from the baseline as told, one after the other, and are spent when no more is told."""

    def __init__(self, folder: Path, results: list[Difference | None]) -> None:
        """Take the results of the experiments after the replica."""
        request = SimpleNamespace(trace=folder, folder=folder)
        self.setting = SimpleNamespace(request=request, overlay=None, variations=(), since=None)
        self.trials: list[Trial] = []
        self.plans: list[Any] = []
        self.candidate_again: Difference | None = None
        self._folder = folder
        self._results = iter(results)

    def run(self, purpose: str, plan: Any, **_: Any) -> Trial:
        """Make the next experiment."""
        self.plans.append(plan)
        for first in self._results:
            return self.add(purpose, first)
        raise BudgetSpentError

    def add(self, purpose: str, first: Difference | None) -> Trial:
        """Add an experiment with this divergence."""
        changes: Any = None
        run = FinishedRun(trace=self._folder, exit_code=0, seconds=1.0, changes=changes, output=None)
        self.trials.append(Trial(number=len(self.trials) + 1, purpose=purpose, run=run, first=first))
        return self.trials[-1]

    def compare(self, *_: Path) -> Difference | None:
        """Return where the candidate's own values part from the candidate."""
        return self.candidate_again


@pytest.fixture
def first() -> Difference:
    """Return a divergence in step 2."""
    return FIRST


@pytest.fixture
def make_inquiry(tmp_path: Path) -> Callable[..., Inquiry]:
    """Return what makes an inquiry with these results of its experiments."""

    def make(*results: Difference | None, differs_anyway: bool = False, **changes: Any) -> Inquiry:
        laboratory: Any = ScriptedLaboratory(tmp_path, list(results))
        replica = laboratory.add("replica", replace(FIRST, num_events=9) if differs_anyway else None)
        inquiry = Inquiry(first=FIRST, replica=replica, laboratory=laboratory, candidate=tmp_path)
        return replace(inquiry, **changes)

    return make
