"""Generators of a script's own that are made without a seed; seeding the global generators does not reach them."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from reproof.doctor.rules.report import describe_sink, is_training, make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.records import Finding

_MAKERS: Final = {
    **{
        f"numpy.random.{name}": "seed"
        for name in ("default_rng", "RandomState", "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
    },
    "numpy.random.SeedSequence": "entropy",
    "random.Random": "x",
}
"""What makes a generator, with the name of its seed. Not `torch.Generator`: without one it has a fixed seed."""

_SAMPLERS: Final = re.compile(r"optuna\.samplers\.(_\w+\.)*[A-Z]\w+Sampler")
_UNRANDOM_SAMPLERS: Final = ("GridSampler", "BruteForceSampler", "PartialFixedSampler")


def find(reading: Reading) -> Iterator[Finding]:
    """Yield the generators without a seed whose numbers reach the training."""
    for site in reading.calls:
        if site.name in _MAKERS:
            yield from _check_maker(reading, site)
        elif site.name in {"torch.seed", "torch.random.seed", "torch.Generator.seed"}:
            yield from _check_reseeding(reading, site)
        elif site.name.startswith("optuna."):
            yield from _check_study(reading, site)


def _check_maker(reading: Reading, site: CallSite) -> Iterator[Finding]:
    if reading.constants.argument(site.call, _MAKERS[site.name], 0, site.scope, default=None) is not None:
        return
    sink = reading.find_sink(site.node, "random")
    if sink is not None:
        name = site.name.removeprefix("numpy.random.")
        yield make_finding(
            "unseeded-generator",
            site.call,
            site.scope,
            f"this generator is made without a seed, which no global seed replaces; it reaches {describe_sink(sink)}",
            f"{name}(seed), with a seed of the script",
        )


def _check_reseeding(reading: Reading, site: CallSite) -> Iterator[Finding]:
    if is_training(reading):
        is_global = site.name != "torch.Generator.seed"
        yield make_finding(
            "unseeded-rng" if is_global else "unseeded-generator",
            site.call,
            site.scope,
            f"{site.name.removeprefix('torch.')}() takes a new seed from the operating system in each run",
            "torch.manual_seed(42)" if is_global else "generator.manual_seed(42)",
        )


def _is_dropped(site: CallSite) -> bool:
    """Whether the result of a call is not used: a study that is only made known to its storage draws nothing."""
    return any(isinstance(node, ast.Expr) and node.value is site.call for node in ast.walk(site.function))


def _check_study(reading: Reading, site: CallSite) -> Iterator[Finding]:
    """Check the sampler of an Optuna study: it decides the hyper-parameters of each trial."""
    if not any(other.method == "optimize" for other in reading.calls):
        return
    argument = reading.constants.argument
    if site.name.endswith(".create_study"):
        has_sampler = argument(site.call, "sampler", None, site.scope, default=None) is not None
        is_unseeded = not has_sampler and not _is_dropped(site)
    else:
        is_random = _SAMPLERS.fullmatch(site.name) and not site.name.endswith(_UNRANDOM_SAMPLERS)
        is_unseeded = bool(is_random) and argument(site.call, "seed", None, site.scope, default=None) is None
    if is_unseeded:
        yield make_finding(
            "unseeded-generator",
            site.call,
            site.scope,
            "the sampler of this study has no seed, so each run tries other hyper-parameters",
            "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=42))",
        )
