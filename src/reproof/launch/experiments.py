"""Pass an experiment to a fresh process in a file: what it replays and pins, and which probes it sets."""

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
    """Write an experiment to a file for `read_experiment`."""
    entries = {
        "plan": (plan or Plan()).to_json(),
        "probes": None if probes is None else asdict(probes),
    }
    path.write_text(json.dumps(entries), encoding="utf-8")


def read_experiment(path: Path) -> tuple[Plan, Probes | None]:
    """Return the plan for the sources of entropy, and the probes, of an experiment.

    Raises UsageError if the file cannot be read or is not an experiment.
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
