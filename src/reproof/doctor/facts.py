"""What a script sets by itself, so that a condition is not called missing that the script sees to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reproof.doctor.program.catalogue import LIBRARIES, LOADER
from reproof.doctor.program.constants import UNKNOWN
from reproof.doctor.rules.loaders import count_workers
from reproof.doctor.rules.seeding import has_generator, is_drawing_loader, seeding_calls
from reproof.doctor.rules.settings import flags_set, variables_set

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.program.scopes import Scope
    from reproof.doctor.records import Finding

_CALLS: Final[dict[str, tuple[str, str, Any]]] = {
    "torch.use_deterministic_algorithms": ("deterministic-algorithms", "mode", True),
    "torch.set_float32_matmul_precision": ("matmul-precision", "precision", "highest"),
    "torch.set_num_threads": ("num-threads", "int", UNKNOWN),
}
"""Functions that set a condition: its name, the parameter, and the value with which the condition holds."""

_FLAGS: Final[dict[str, tuple[str, Any]]] = {
    "torch.backends.cudnn.deterministic": ("cudnn-deterministic", True),
    "torch.backends.cudnn.benchmark": ("cudnn-benchmark-off", False),
    "torch.backends.cudnn.allow_tf32": ("cudnn-tf32-off", False),
}
_WORKSPACES: Final = (":4096:8", ":16:8")
_SET_BY_REPROOF: Final = (
    "deterministic-algorithms",
    "cudnn-deterministic",
    "cudnn-benchmark-off",
    "cudnn-tf32-off",
    "matmul-precision",
    "cublas-workspace",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A condition that a script sets.

    Attributes:
        place: File and line.
        holds: Whether the condition holds from then on; None if the script does not fix the value.
    """

    place: str
    holds: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFacts:
    """What a script says about conditions.

    Attributes:
        settings: The conditions that it sets, by their names.
        seeded: The libraries whose global generators it seeds, each with the first place.
        num_loaders: Its DataLoaders.
        with_workers: The places of loaders that have workers, or may have.
        without_generator: The places of loaders that shuffle with the global generator.
        with_generator: How many loaders have a generator of their own.
        reseeded_workers: Where workers are seeded with something that is new in each run.
    """

    settings: dict[str, Setting] = field(default_factory=dict)
    seeded: dict[str, str] = field(default_factory=dict)
    num_loaders: int = 0
    with_workers: tuple[str, ...] = ()
    without_generator: tuple[str, ...] = ()
    with_generator: int = 0
    reseeded_workers: tuple[str, ...] = ()


def read_facts(reading: Reading, findings: tuple[Finding, ...]) -> ScriptFacts:
    """Return what a script sets; where it sets a condition more than once, the last place counts."""
    loaders = [site for site in reading.calls if site.name == LOADER]
    seeded: dict[str, str] = {}
    for library, site in seeding_calls(reading):
        seeded.setdefault(library, _place(site.call, site.scope))
    return ScriptFacts(
        settings=dict(_settings(reading)),
        seeded={library: seeded[library] for library in LIBRARIES if library in seeded},
        num_loaders=len(loaders),
        with_workers=tuple(_place(site.call, site.scope) for site in loaders if count_workers(reading, site) != 0),
        without_generator=tuple(_place(site.call, site.scope) for site in loaders if is_drawing_loader(reading, site)),
        with_generator=sum(has_generator(site) for site in loaders),
        reseeded_workers=tuple(f"{item.file}:{item.line}" for item in findings if item.kind == "worker-seeding"),
    )


def _settings(reading: Reading) -> Iterator[tuple[str, Setting]]:
    for site in reading.calls:
        yield from _set_by_call(reading, site)
    for name, (condition, wanted) in _FLAGS.items():
        for statement, scope, value in flags_set(reading, name):
            yield condition, Setting(place=_place(statement, scope), holds=_is(value, wanted))
    for name, node, scope, value in variables_set(reading):
        if name == "CUBLAS_WORKSPACE_CONFIG":
            known = reading.constants.evaluate(value, scope)
            holds = None if known is UNKNOWN else known in _WORKSPACES
            yield "cublas-workspace", Setting(place=_place(node, scope), holds=holds)


def _set_by_call(reading: Reading, site: CallSite) -> Iterator[tuple[str, Setting]]:
    place = _place(site.call, site.scope)
    if site.name in _CALLS:
        condition, parameter, wanted = _CALLS[site.name]
        value = reading.constants.argument(site.call, parameter, 0, site.scope, default=UNKNOWN)
        yield condition, Setting(place=place, holds=True if wanted is UNKNOWN else _is(value, wanted))
    elif site.name == "reproof.deterministic":
        yield from ((condition, Setting(place=place, holds=True)) for condition in _SET_BY_REPROOF)


def _is(value: object, wanted: object) -> bool | None:
    return None if value is UNKNOWN else value == wanted


def _place(node: ast.AST, scope: Scope) -> str:
    return f"{scope.source.shown}:{getattr(node, 'lineno', 1)}"
