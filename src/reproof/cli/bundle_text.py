"""What a bundle holds, as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.bundle.config import tell_credentials
from reproof.bundle.records import CHOSEN
from reproof.cli.lines import section
from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from reproof.bundle import Bundle

MAX_SHOWN = 20


def name_trial(bundle: Bundle) -> str:
    """Return what a bundle is of, as far as it tells: trial, study, and of how many it was the best."""
    trial = bundle.trial
    number = "a trial" if trial.number is None else f"trial {trial.number}"
    study = "" if trial.study is None else f" of study {trial.study}"
    kind = "one" if trial.details.get(CHOSEN) else "best"
    count = "" if trial.num_trials is None else f", {kind} of {plural(trial.num_trials, 'trial')}"
    return f"{number}{study}{' (imported)' if bundle.manifest.imported else ''}{count}"


def draw(bundle: Bundle) -> list[str]:
    """Return the lines that describe a bundle."""
    trial, manifest = bundle.trial, bundle.manifest
    metrics = [
        f"{target}: " + ", ".join(f"{name} {value:.6g}" for name, value in found.items())
        for target, found in trial.metrics.items()
    ]
    reference = bundle.reference
    told = (
        "none yet: make them with `reproof replicate`"
        if reference is None
        else f"{plural(len(reference.replicates), 'fresh seed')}, "
        f"{plural(len(reference.perturbations), 'one-ulp perturbation')}"
    )
    given_away = tell_credentials(bundle.config)
    lines = [
        f"{name_trial(bundle)}: {trial.value!r}",
        f"training {manifest.entry or 'not named'}, seed {bundle.seed}, written {manifest.created}",
        *section("Parameters", [f"{name}: {value}" for name, value in list(trial.params.items())[:MAX_SHOWN]]),
        *section("Metrics", metrics[:MAX_SHOWN]),
        *section("Weights, by content", [f"{name}: {digest}" for name, digest in sorted(manifest.weights.items())]),
        *section("Not to be shared", [given_away] if given_away else []),
        *section("Evidence", [f"trace: {'yes' if bundle.has_trace else 'no'}", f"reference: {told}"]),
    ]
    return [printable(line) for line in lines]
