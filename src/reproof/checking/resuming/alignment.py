"""Find the step of the uninterrupted run at which a resumed one goes on: where it had the same initial state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reproof.schema import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reproof.checking.resuming.steps import StepReader

State = dict[str, bytes]
"""Digests of parameters and buffers by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Where a resumed run goes on.

    Attributes:
        step: The step of the uninterrupted run that is step 0 of the resumed one; 0 if it starts anew.
        restored: Parameters and buffers that are as they were before that step, and were not always so.
        differing: Parameters and buffers that are not.
    """

    step: int
    restored: tuple[str, ...]
    differing: tuple[str, ...]


def find_continuation(whole: StepReader, resumed: StepReader, last: int) -> Continuation | None:
    """Return where the resumed run goes on, or None if its initial state is none that the uninterrupted run had.

    The step is the one before which most of the initial tensors were the same; of several such, as after an update that
    changed nothing, the one whose events are most alike, then the latest. The latest step at which it can go on is
    `last`: the checkpoint is no newer than the interruption. Raises TraceError if a frame that is looked at is damaged.
    """
    initial = {name: seen.digest for name, seen in resumed.named(0, "init").items()}
    scores: list[int] = []
    moving: set[str] = set()
    for state, changed in _states(whole, set(initial), last):
        moving |= changed
        scores.append(sum(state.get(name) == digest for name, digest in initial.items()))
    best = max(scores)
    candidates = [step for step, score in enumerate(scores) if score == best]
    step = max(candidates, key=lambda step: (_count_equal(whole, resumed, step) if len(candidates) > 1 else 0, step))
    there = next(dict(state) for number, (state, _) in enumerate(_states(whole, set(initial), step)) if number == step)
    restored = tuple(name for name in initial if name in moving and there.get(name) == initial[name])
    differing = tuple(name for name in initial if name in there and there[name] != initial[name])
    return Continuation(step=step, restored=restored, differing=differing) if restored else None


def pair_models(whole: StepReader, resumed: StepReader, last: int) -> dict[str, str]:
    """Return what models of the resumed run are called in the uninterrupted one, where a class has several.

    A fresh start may try several initialisations, and each evaluation take a copy of the model; a resumed run may call
    them in another order: then the numbers of the models differ. The state tells which is which, that of a model before
    some step, all of it, and whether it is trained; those that are made later follow in order. The latest step at which
    it can go on is `last`.
    """
    initial = {name: seen.digest for name, seen in resumed.named(0, "init").items()}
    ours = _group_by_model(initial)
    theirs = _group_by_model(whole.names_before(last + 1))
    counts = _count_kinds(initial), _count_kinds(whole.names_before(last + 1))
    several = {kind for kind, count in counts[0].items() if counts[1][kind] >= max(count, 2)}
    trained = [
        {match[0] for e in reader.trace.events if e.stage == "gradient" and (match := MODEL.match(e.name))}
        for reader in (resumed, whole)
    ]
    pairs = [
        (model, other)
        for model, names in ours.items()
        for other in theirs
        if model.partition("#")[0] == other.partition("#")[0] in several
        and (model in trained[0]) == (other in trained[1])
        and {name.removeprefix(model) for name in names} <= {name.removeprefix(other) for name in theirs[other]}
    ]
    names = {name for _, other in pairs for name in theirs[other]}
    best, best_step = dict[str, str](), 0
    for step, (state, _) in enumerate(_states(whole, names, last)) if pairs else ():
        found: dict[str, str] = {}
        for model, other in pairs:
            is_same = all(state.get(other + name.removeprefix(model)) == initial[name] for name in ours[model])
            if is_same and model not in found and other not in found.values():
                found[model] = other
        if len(found) >= len(best):
            best, best_step = found, step
    for model in ours:  # lost, or seen in the state after the update: where as many are made, one is left for it
        kind, _, number = model.partition("#")
        if model not in best and counts[0][kind] == counts[1][kind]:
            left = _list_left(theirs, kind, best)
            best[model] = model if model in left else left[0]
    kinds = {model.partition("#")[0] for model in best}
    ever = _group_by_model(whole.names_before(whole.trace.num_steps + 1))
    made = [_count_kinds(reader.names_before(step + 1)) for reader, step in ((whole, best_step), (resumed, 0))]
    for model in _group_by_model(resumed.names_before(resumed.trace.num_steps + 1)):
        kind, _, number = model.partition("#")
        if kind in kinds and model not in best and counts[0][kind] < counts[1][kind]:  # made later, as copies are
            later = f"{kind}#{int(number or 1) + made[0][kind] - made[1][kind]}"
            left = [] if later in ever else _list_left(theirs, kind, best)  # made before, and first called later
            best[model] = left[0] if left else later
    return {model: other for model, other in best.items() if model != other}


def _list_left(models: Iterable[str], kind: str, paired: dict[str, str]) -> list[str]:
    """Return the models of a class that no model of the other run is yet."""
    return [model for model in models if model.partition("#")[0] == kind and model not in paired.values()]


def _count_kinds(names: Iterable[str]) -> Counter[str]:
    return Counter(model.partition("#")[0] for model in _group_by_model(names))


def _group_by_model(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        if (match := MODEL.match(name)) is not None:
            found.setdefault(match[0], []).append(name)
    return found


def _states(whole: StepReader, names: set[str], last: int) -> Iterator[tuple[State, set[str]]]:
    """Yield the state before each step from the first to `last`, as far as it has these names, and what has changed."""
    state = {name: seen.digest for name, seen in whole.named(0, "init").items() if name in names}
    yield state, set()
    for step in range(last):
        updated = {**whole.named(step, "init"), **whole.named(step, "update")}
        now = {name: seen.digest for name, seen in updated.items() if name in names}
        changed = {name for name, digest in now.items() if state.get(name, digest) != digest}
        state.update(now)
        yield state, changed


def _count_equal(whole: StepReader, resumed: StepReader, step: int) -> int:
    """Return how many events of the resumed run's first step are those of a step of the uninterrupted one."""
    events = whole.events(step)
    return sum(key in events and events[key].digest == seen.digest for key, seen in resumed.events(0).items())
