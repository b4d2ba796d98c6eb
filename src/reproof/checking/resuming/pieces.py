"""Name the pieces of state that a resumed training lacks, each with its proof from the traces.

A piece is named where evidence that depends on nothing else differs: the initial parameters; a count of steps that
begins anew; a learning rate; the state of a random generator that the training goes on to use; samples that come twice.
So several missing pieces are found at once. What PyTorch was asked to save and load (`reproof.recorder.restorations`)
tells apart pieces that the digests alone cannot.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from reproof.checking.resuming.data import is_ahead
from reproof.checking.resuming.evidence import list_names
from reproof.checking.resuming.inputs import find_in_data, find_in_rng, find_overwritten_rng
from reproof.checking.resuming.steps import is_beside
from reproof.comparison.details import PairReader
from reproof.comparison.growth import read_loss
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.checking.resuming.evidence import MissingPiece, Resumption
    from reproof.comparison.tally import Pair

OF_ITERABLE: Final = "save what the dataset counts, buffers and draws from, as a state_dict() of it, and set that again"

OF_END: Final = (
    "save what decides when the training ends: the number of the epoch and of the step, and of early stopping the best"
    " value and how long ago it was"
)

OF_LOSS: Final = "save what else enters the loss: the number of the epoch or step that a weight follows, or the average"

SAME_RATIO: Final = 1e-5
"""Ratios of losses that are closer than this have the same factor: what rounding makes of it in a few steps is less."""

NUM_RATIOS: Final = 3
"""Steps whose losses are looked at: a factor that follows a count may change in one of them."""


def find_missing(resumption: Resumption) -> tuple[MissingPiece, ...]:
    """Return the pieces of state that are missing, in the order in which a step meets them."""
    found = [piece for find in FINDERS for piece in find(resumption)]
    if not any(piece.piece == "counter" for piece in found):
        found += find_in_length(resumption)
    if not found:
        found += find_unexplained(resumption)
    return tuple(found)


def find_in_state(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find parameters, buffers and averaged copies that are not as they were."""
    num_restored = len(resumption.continuation.restored)
    for piece, what in (("model", "parameters"), ("buffers", "buffers or frozen parameters"), ("ema", "tensors")):
        pairs = resumption.differing_from("init", piece)
        limit = resumption.first_step("update", "model")
        names = tuple(pair.event.name for pair in pairs if pair.step == resumption.start or pair.step <= limit)
        is_part = piece == "buffers" and resumption.differing_from("init", "model")  # of the same state_dict
        if names and not is_part:
            beside = f", while {plural(num_restored, 'other tensor')} came back to the bit" if num_restored else ""
            why = f"{list_names(names)}: {what} are not what they were in step {pairs[0].step}{beside}"
            yield resumption.make(piece, why, names)
    if not resumption.differing_from("init", "ema"):
        pairs = [
            p for p in resumption.differing_from("update", "ema") if p.step <= resumption.first_step("update", "model")
        ]
        if pairs:
            names = tuple(pair.event.name for pair in pairs)
            yield resumption.make(
                "ema", f"{list_names(names)} differ in step {pairs[0].step}, what they are made from does not", names
            )


def find_in_loss(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find why the loss differs although the outputs are the same."""
    step = resumption.first_step("loss")
    before = (resumption.first_step("forward"), resumption.first_step("batch"), resumption.first_step("metric"))
    if step >= min(before) or step == math.inf:  # the outputs of a teacher enter the loss as well
        return
    pair = resumption.differing_from("loss")[0]
    ratio = find_ratio(resumption, pair)
    equal = f"in step {pair.step} batch and outputs are the same, the loss is"
    is_power = ratio is not None and ratio > 0 and math.frexp(ratio)[0] == 0.5  # noqa: PLR2004  # the mantissa of a power of two
    is_known = resumption.classes("scaler") if resumption.loaded is not None else is_power
    if ratio is not None and (is_known or scales(resumption, pair.step)):
        is_harmless = resumption.first_step("update", "model") == math.inf
        told = "; the parameters stay the same, as factors that are powers of two allow" if is_harmless else ""
        by_hand = None if is_known else "save the factor that the loss is multiplied by, and what it follows"
        why = f"{equal} {ratio:g} times as large: it is scaled by another factor{told}"
        yield resumption.make("scaler", why, fix=by_hand)
    elif not any(find_in_rng(resumption)):  # random numbers may enter the loss
        why = f"{equal} not: what else enters it, such as a weight that follows the epoch, or a running average?"
        yield resumption.make("counter", why, fix=OF_LOSS)


def scales(resumption: Resumption, step: int) -> bool:
    """Whether the loss is that of the other run but for a factor that the gradients do not have.

    Then the parameters are the same but for rounding, and in one of the next steps the losses have the same ratio. A
    weight in the loss changes what is learned.
    """
    whole, resumed = resumption.whole.trace, resumption.resumed.trace
    last = min(step + NUM_RATIOS, whole.num_steps, resumption.start + resumed.num_steps)
    pairs = [(read_loss(whole, n), read_loss(resumed, n - resumption.start)) for n in range(step, last)]
    ratios = [b / a for a, b in pairs if a and b and math.isfinite(b / a)]
    others = [ratio for ratio in ratios if not math.isclose(ratio, 1, rel_tol=SAME_RATIO)]
    return any(math.isclose(a, b, rel_tol=SAME_RATIO) for a, b in itertools.pairwise(others))


def find_ratio(resumption: Resumption, pair: Pair) -> float | None:
    """Return how many times as large the resumed run's number is."""
    found = PairReader(resumption.whole.trace, resumption.resumed.trace).numbers(pair, "exact")
    values = [] if found is None else [numbers.values for numbers in found]
    if (
        not values
        or any(len(v) != 1 or isinstance(v[0], str) or not math.isfinite(v[0]) for v in values)
        or not values[0][0]
    ):
        return None
    return float(values[1][0]) / float(values[0][0])


def find_in_gradients(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find gradients that were being accumulated when the checkpoint was made."""
    start = resumption.start
    counts = [
        sum(key[0] == "loss" for key in reader.events(step))
        for reader, step in ((resumption.whole, start), (resumption.resumed, 0))
    ]
    is_first = resumption.first_step("gradient") < min(
        resumption.first_step("forward"), resumption.first_step("loss"), resumption.first_step("batch")
    )
    if is_first and resumption.first_step("gradient") == start and counts[0] > counts[1]:
        lost = counts[0] - counts[1]
        why = f"step {start} sums the gradients of {counts[0]} losses, {lost} of them from before the checkpoint"
        yield resumption.make("accumulated-gradients", why)


def find_in_optimizer(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find optimizer state that begins anew, whether or not the gradients are the same.

    Looked at is the first step that an optimizer takes after resuming: of several, some take theirs later.
    """
    counts, copies, others = list[str](), list[str](), list[str]()
    for pair in resumption.differing_from("update", "optimizer"):
        name, owner = pair.event.name, pair.event.name.rpartition(".")[0]
        begun, (shift, first) = resumption.whole.first_update(name), resumption.resumed.first_update(name)
        if first is None or resumption.start + shift != pair.step:
            continue
        gradient = resumption.resumed.named(shift, "gradient").get(owner)
        there = resumption.whole.named(pair.step, "gradient").get(owner)
        if name.endswith(".step") and begun[1] is not None and begun[1].digest == first.digest:
            counts.append(name)
        if gradient is not None and gradient.digest == first.digest:
            copies.append(name)
        if gradient is not None and there is not None and gradient.digest == there.digest:
            others.append(name)
    for names, why in (
        (counts, "its counts of steps begin anew"),
        (copies, "its state equals the gradient, as in a very first step"),
        (others, "its state differs although the gradients are the same"),
    ):
        if names:
            classes = " and ".join(resumption.classes("optimizer")) or "the optimizer"
            yield resumption.make("optimizer", f"{classes}: {why} ({list_names(tuple(names))})", tuple(names))
            return


def find_in_schedule(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find hyper-parameters, such as the learning rate, that do not go on as they would have."""
    pairs = resumption.differing_from("update", "scheduler")
    before = min(resumption.first_step("batch"), resumption.first_step("forward"), resumption.first_step("loss"))
    schedulers = resumption.classes("scheduler")
    follows_loss = resumption.loaded is None or "ReduceLROnPlateau" in schedulers
    if not pairs or (pairs[0].step > before and follows_loss):
        return
    is_later = pairs[0].step > before or pairs[0].step >= resumption.first_step("metric")
    if is_later and resumption.was_loaded("scheduler"):
        return  # it follows what differs already, such as an evaluation
    is_fresh = any(True for _ in find_in_optimizer(resumption))
    if is_fresh and (resumption.was_loaded("scheduler") or (resumption.loaded is not None and not schedulers)):
        return  # the learning rate is part of the optimizer's own state
    why = (
        f"{' and '.join(schedulers) or 'the schedule'}: {describe_rates(resumption, pairs[0])} in step {pairs[0].step}"
    )
    if resumption.was_loaded("scheduler"):
        late = "make the scheduler before optimizer.load_state_dict(...): to make one sets the learning rate anew"
        yield resumption.make("scheduler", f"{why}, although its state was loaded", fix=late)
    else:
        yield resumption.make("scheduler", why)


def describe_rates(resumption: Resumption, pair: Pair) -> str:
    """Describe the learning rates of both runs."""
    found = PairReader(resumption.whole.trace, resumption.resumed.trace).numbers(pair, "exact")
    if found is None or found[0].values == found[1].values:
        return "other hyper-parameters"
    shown = [
        ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in numbers.values)
        for numbers in found
    ]
    return f"learning rate {shown[1]} rather than {shown[0]}"


def find_in_length(resumption: Resumption) -> Iterator[MissingPiece]:
    """Find a count of steps or epochs that begins anew, or elsewhere.

    Batches taken again make a run longer, too, but no more; one that has to fill a memory first takes fewer steps.
    """
    position = resumption.position
    again = 0 if position is None else position.count_again(resumption.start)
    first = resumption.first_batch
    is_elsewhere = first is not None and not is_ahead(
        resumption.whole, resumption.resumed, resumption.start, first.event
    )
    if resumption.surplus < 0 and is_elsewhere:
        return  # it does not pass over steps: it takes them with data that the other run never had
    if resumption.surplus and not 0 < resumption.surplus <= again:
        told = "more" if resumption.surplus > 0 else "fewer"
        why = f"the resumed run takes {abs(resumption.surplus)} steps {told} than were left at step {resumption.start}"
        yield resumption.make("counter", why, fix=OF_END)


def find_unexplained(resumption: Resumption) -> Iterator[MissingPiece]:
    """Name the first difference if no piece of state is known to be its cause."""
    pair = resumption.tally.first
    if pair is None:
        return
    if pair.event.stage == "final":
        piece = "ema" if is_beside(pair.event) else "other"
        why = f"{pair.event.name} is not the same at the end, all that the training went through is"
        yield resumption.make(piece, why, (pair.event.name,))
    elif pair.event.stage == "metric" and " input[" not in pair.event.name:
        yield resumption.make(
            "ema",
            f"only an evaluation differs, in step {pair.step}: it uses what the training does not, such as averages",
        )
    elif calls_alike(resumption) and (found := list(find_overwritten_rng(resumption))):
        yield from found
    elif pair.event.detail == "order" and resumption.position is not None:
        yield from find_in_order(resumption)
    elif pair.event.stage == "batch" and "(iterable)" in pair.event.name:
        why = f"what an iterable dataset yields differs in step {pair.step}: its place, its buffer or its own generator"
        yield resumption.make("sampler-position", why, fix=OF_ITERABLE)
    else:
        where = f"{pair.event.stage} {pair.event.name} in step {pair.step}"
        yield resumption.make("other", f"{where} differs, and all state that was recorded before it is the same")


def calls_alike(resumption: Resumption) -> bool:
    """Whether the runs part in what models compute, and call them equally often: else each draws as its calls do."""
    pair, start = resumption.tally.first, resumption.start
    called = [
        Counter(key[:3] for key in events if key[0] == "forward")
        for events in (resumption.whole.events(start), resumption.resumed.events(0))
    ]
    return pair is not None and pair.event.stage in {"forward", "loss"} and called[0] == called[1]


def find_in_order(resumption: Resumption) -> Iterator[MissingPiece]:
    """Name what fixes the order of the data where no generator that is recorded tells of it."""
    position = resumption.position
    if position is None:
        return
    overwritten = list(find_overwritten_rng(resumption))
    if position.num_before == 0 and position.repeated_step is not None:
        yield resumption.make("counter", f"{position.describe(resumption.start)}: the order of an earlier pass")
    elif overwritten and not position.num_before:
        yield from overwritten
    else:
        why = f"from step {resumption.start} on the samples come in another order: it is neither saved nor made anew"
        yield resumption.make("sampler-position", why)


FINDERS: Final = (
    find_in_state,
    find_in_rng,
    find_in_data,
    find_in_loss,
    find_in_gradients,
    find_in_optimizer,
    find_in_schedule,
)
"""In the order in which a step meets what they look at."""
