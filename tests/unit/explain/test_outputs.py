"""What the experiment is given that decides where a difference in output comes from."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from reproof.explain.outputs import repeat_candidate

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.entropy.plan import Plan


def write_ledger(trace: Path, *seeds: str) -> Path:
    """Write the ledger of a run that gave some seeds to generators, and read the clock."""
    trace.mkdir()
    clock = {"place": 0, "key": "time.time@train.py:3", "kind": "wall-clock", "source": "time.time"}
    entries: list[Any] = [{"process": 1}, {**clock, "file": "train.py", "line": 3}, [[0, 1.5]]]
    entries += [{"note": "seed", "value": seed} for seed in seeds]
    lines = [json.dumps(entry, separators=(",", ":")) for entry in entries]
    (trace / "rank0.entropy").write_text("\n".join(lines), encoding="utf-8")
    return trace


def test_seeds_that_the_runs_do_not_share_are_others_still(tmp_path: Path) -> None:
    """With the clock of the baseline its seeds would come, too, and whatever is drawn with them would look harmless."""
    shared, own = "torch.manual_seed@train.py:9=17", "random.seed@train.py:12=4"
    baseline = write_ledger(tmp_path / "a", shared, f"{own}2")
    candidate = write_ledger(tmp_path / "b", shared, f"{own}3")
    plans: list[Plan] = []

    def run(_told: str, plan: Plan, **_: Any) -> Any:
        plans.append(plan)
        return SimpleNamespace(problem=None)

    setting = SimpleNamespace(request=SimpleNamespace(trace=baseline), since=0.0)
    laboratory: Any = SimpleNamespace(setting=setting, run=run)
    repeat_candidate(laboratory, candidate)
    assert [(plan.keys, plan.reseeds) for plan in plans] == [(("time.time@train.py:3",), (f"{own}2",))]
