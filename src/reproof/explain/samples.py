"""Keep the samples of the batch in which two runs part, where the user has asked for it: one more run of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.entropy.plan import Plan
from reproof.schema import Probes

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.explain.laboratory import Laboratory
    from reproof.schema import Difference


def keep_samples(laboratory: Laboratory, first: Difference, candidate: Path) -> None:
    """Run both again as far as the batch, each with all that it read, and keep its samples beside the trace.

    Whether such a run is what it repeats is known as of any experiment: it is compared with it.
    """
    if first.stage != "batch":
        return
    setting = laboratory.setting
    laboratory.setting = replace(setting, max_runs=len(laboratory.trials) + 2)
    for owner, trace in (("baseline", setting.request.trace), ("candidate", candidate)):
        is_baseline = owner == "baseline"
        laboratory.run(
            f"everything replayed from the {owner}, samples of step {first.step} kept",
            Plan(baseline=str(trace)),
            num_steps=first.step + 1,
            is_hash_seed_of_baseline=is_baseline,
            clean_files=None if is_baseline else frozenset(),
            probes=Probes(samples_step=first.step),
            compare_with=None if is_baseline else trace,
        )
