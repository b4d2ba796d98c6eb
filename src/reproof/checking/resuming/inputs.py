"""Find what is missing of the inputs of a step: random states, and the place in the data."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from reproof.checking.resuming.evidence import list_names
from reproof.schema import RNG_LOADER
from reproof.trace.views.steps import name_generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.checking.resuming.data import DataPosition
    from reproof.checking.resuming.evidence import MissingPiece, Resumption
    from reproof.checking.resuming.steps import StepReader
    from reproof.comparison.tally import Pair, Place


def find_in_rng(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find generators that the training goes on to use and that were not set to where they were.

    One that is the same again some steps later was reseeded in between, for instance with the number of the epoch.
    """
    whole, resumed, start = resumption.whole, resumption.resumed, resumption.start
    last = min(whole.trace.num_steps - start, resumed.trace.num_steps) - 1
    differing = differing_rng(whole.rng(start), resumed.rng(0))
    if resumption.first_step("forward") >= resumption.first_step("batch"):
        differing &= differing_rng(whole.rng(start + last), resumed.rng(last))
    names = []
    for source in sorted(differing):
        name = name_generator(source)
        is_set = resumption.was_loaded("rng", "cuda" if name.startswith("cuda") else name)
        if enters(resumption, source) and not is_set and not (name == "torch" and draws_by_new_pass(resumption)):
            names.append(name)
    if names and resumption.tally.first is not None:
        known = "" if resumption.loaded is None else ", and it was not set from a checkpoint"
        why = f"after step {start} the state of {list_names(tuple(names))} is not the same{known}"
        yield resumption.make("rng", why, tuple(names))


def find_overwritten_rng(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find generators that are elsewhere: set, and drawn from or seeded before the training went on, for instance."""
    whole, start = resumption.whole, resumption.start
    names = [
        name_generator(source)
        for source in sorted(differing_rng(whole.rng(start), resumption.resumed.rng(0)))
        if moves(whole, source, start)
    ]
    if names:
        is_set = any(resumption.was_loaded("rng", "cuda" if name.startswith("cuda") else name) for name in names)
        told = ", although it was set: something draws between, as a new pass over the data does" if is_set else ""
        why = f"after step {start} the state of {list_names(tuple(names))} is not the same{told}"
        yield resumption.make("rng", why, tuple(names))


def draws_by_new_pass(resumption: Resumption) -> bool:
    """Whether PyTorch's generator may be elsewhere only because a new pass over the data has drawn its order."""
    position = resumption.position
    return resumption.loaded is None and position is not None and bool(position.num_before) and position.is_lost


def differing_rng(a: dict[int, int], b: dict[int, int]) -> set[int]:
    """Return the global generators whose states differ; those of loaders are read when a pass over the data begins."""
    return {source for source in a.keys() & b.keys() if a[source] != b[source] and source < RNG_LOADER}


def enters(resumption: Resumption, source: int) -> bool:
    """Whether what a training draws from a generator may be why it parts from the uninterrupted one where it does.

    Each pass of a `DataLoader` draws a number that it seeds workers with, whether it has any or shuffles. So a state
    that moves there alone explains batches that are not as they were, unless they are those of an earlier step in
    which it was elsewhere; what else differs it explains if it moves within passes, too.
    """
    first = resumption.tally.first
    if first is None or not moves(resumption.whole, source, resumption.start):
        return False
    position = resumption.position
    repeated = None if position is None else position.repeated_step
    is_there = repeated is not None and resumption.whole.rng(repeated).get(source) == resumption.resumed.rng(0)[source]
    is_seeded = is_there and resumption.surplus <= 0  # as at the start of the script, from which this pass draws again
    if resumption.first_step("batch") <= first.step and (repeated is None or is_seeded):
        return True
    states = [resumption.whole.rng(step).get(source) for step in range(first.step - 2, first.step + 2)]
    moved = [a is not None and b is not None and a != b for a, b in itertools.pairwise(states)]
    return moved[1] and (moved[0] or moved[2] or resumption.whole.trace.num_steps <= first.step + 1)


def moves(whole: StepReader, source: int, start: int) -> bool:
    """Whether a training draws from a generator from a step on."""
    states = {whole.rng(step).get(source) for step in range(max(0, start - 1), whole.trace.num_steps)}
    return len(states - {None}) > 1


def find_in_data(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find why the resumed run gets other samples."""
    pairs = resumption.differing_from("batch")
    if not pairs or pairs[0].step > min(resumption.first_step("forward"), resumption.first_step("update")):
        return
    position = resumption.position
    has_rng = any(True for _ in find_in_rng(resumption))
    is_of_loader = pairs[0].event.plain_name != pairs[0].event.name  # else a model is called more often
    if position is not None and resumption.surplus > 0 and position.is_of_earlier_pass(resumption.start):
        yield resumption.make("counter", position.describe(resumption.start))
    elif position is not None and position.num_before and (position.is_lost or begins_anew(resumption, position)):
        yield resumption.make("sampler-position", position.describe(resumption.start))
    elif generators := find_loader_generators(resumption, pairs):
        names = list_names(generators)
        why = f"the generator of {names} is not in the same state when a pass over the data begins"
        yield resumption.make("loader-generator", why, generators)
    elif position is not None and position.is_lost and not has_rng:
        piece = "sampler-position" if position.num_before is None else "counter"
        yield resumption.make(piece, position.describe(resumption.start))
    elif position is not None and position.num_passed and is_of_loader and resumption.surplus <= 0 and not has_rng:
        why = f"{position.num_passed} batches are passed over, of another order: that of a pass is drawn when it begins"
        yield resumption.make("sampler-position", why)


def begins_anew(resumption: Resumption, position: DataPosition) -> bool:
    """Whether the resumed run takes as many steps more as it has lost of the pass, whichever order this now has."""
    return 0 < position.count_again(resumption.start) == resumption.surplus


def find_loader_generators(resumption: Resumption, pairs: list[Pair]) -> tuple[str, ...]:
    """Return the loaders whose own generators were not in the same state when the pass began that differs."""
    found: dict[str, None] = {}
    for pair in pairs:
        if pair.event.detail == "order":
            numbers = number_loader(resumption.whole, pair.baseline), number_loader(resumption.resumed, pair.candidate)
            states = (
                find_loader_state(resumption.whole, numbers[0], pair.step),
                find_loader_state(resumption.resumed, numbers[1], pair.step - resumption.start),
            )
            if None not in states and states[0] != states[1] and not begins_earlier(resumption, numbers[0], states[1]):
                found[pair.event.name.removesuffix(" indices")] = None
    return tuple(found)


def number_loader(reader: StepReader, place: Place) -> int:
    """Return the number of the loader that a batch comes from, in the order of their creation in this run."""
    event = reader.trace.frame(place.frame).layout.events[place.position]
    return int(event.name.removeprefix("loader").partition("(")[0])


def begins_earlier(resumption: Resumption, number: int, state: int | None) -> bool:
    """Whether a loader's generator is where it was before an earlier pass, in a run that takes too many steps.

    Then it is seeded from the number of the pass, which is what was lost.
    """
    earlier = (resumption.whole.rng(step).get(RNG_LOADER + number) for step in range(resumption.start))
    return resumption.surplus > 0 and state in earlier


def find_loader_state(reader: StepReader, number: int, step: int) -> int | None:
    """Return the state of the generator of a loader when the pass began that a step belongs to."""
    states = (reader.rng(earlier).get(RNG_LOADER + number) for earlier in range(step, -1, -1))
    return next((state for state in states if state is not None), None)
