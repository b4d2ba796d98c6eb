"""Hand an experiment to a fresh process: what it replays and pins, and what it looks into, in a file."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from reproof.entropy.plan import Plan, plan_from_json
from reproof.errors import UsageError
from reproof.schema import Probes

if TYPE_CHECKING:
    from pathlib import Path


def write_experiment(path: Path, plan: Plan | None, probes: Probes | None) -> None:
    """Write an experiment down for `read_experiment`."""
    entries = {
        "plan": (plan or Plan()).to_json(),
        "probes": None if probes is None else asdict(probes),
    }
    path.write_text(json.dumps(entries), encoding="utf-8")


def read_experiment(path: Path) -> tuple[Plan, Probes | None]:
    """Return what an experiment does with the sources of entropy, and what it looks into.

    Raises:
        UsageError: If the file cannot be read or is no experiment.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        probes = entries["probes"]
        if probes is not None:
            window = probes["ops_steps"]
            place = probes["other_memory"]
            pairs = {
                "ops_steps": None if window is None else (window[0], window[1]),
                "other_memory": None if place is None else (place[0], place[1]),
            }
            probes = Probes(**{**probes, **pairs})
        return plan_from_json(entries["plan"]), probes
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is no experiment: {error}", "let reproof write it") from None
