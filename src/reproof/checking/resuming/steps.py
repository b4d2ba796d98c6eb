"""Read the steps of two runs of which one begins at a later step of the other.

Left out: where that is (`alignment`) and what a difference means (`pieces`).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.comparison.growth import read_rng
from reproof.comparison.snapshots import is_state, members_of
from reproof.comparison.tally import Extra, Pair, Place, Tally
from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reproof.comparison.steps import StepStates
    from reproof.schema import Detail, Event, Stage
    from reproof.trace import RankTrace

Key = tuple["Stage", str, "Detail | None", int]
"""What an event is found by within a step: stage, name, detail, and how many of these come after it in the step.

The name of a batch is that without the loader: what counts is what the training is given, in order. A resumed training
may take the rest of an epoch from a loader of its own, or make one fewer than the other run.
"""

LOOK_BACK: Final = 16
"""State outside of every optimizer may be recorded at every 16th step only."""

MAX_STEPS_HELD: Final = 64


class Seen(NamedTuple):
    """An event with its digest and where it stands."""

    event: Event
    place: Place
    digest: bytes

    @property
    def name(self) -> str:
        """The event's name."""
        return self.event.name


class StepReader:
    """Reads the events of steps of one process, and keeps those read last."""

    def __init__(self, trace: RankTrace, models: Mapping[str, str] | None = None) -> None:
        """Read from this trace, with other names for some of its models."""
        self.trace = trace
        self._models = models or {}
        self._held: OrderedDict[int, dict[Key, Seen]] = OrderedDict()

    def events(self, step: int) -> dict[Key, Seen]:
        """Return the events of a step in execution order; none if there is no such step."""
        if step < 0:
            return {}
        if step not in self._held:
            self._held[step] = self._read(step)
            while len(self._held) > MAX_STEPS_HELD:
                self._held.popitem(last=False)
        return self._held[step]

    def _read(self, step: int) -> dict[Key, Seen]:
        found: list[Seen] = []
        for index in self.trace.find_step(step):
            frame = self.trace.frame(index)
            for position, event in enumerate(one.with_model(self._models) for one in frame.layout.events):
                found.append(Seen(event, Place(index, position), frame.digest(position)))
        following: Counter[tuple[Stage, str, Detail | None]] = Counter()
        keyed: list[tuple[Key, Seen]] = []
        for seen in reversed(found):
            name = (seen.event.stage, seen.event.plain_name, seen.event.detail)
            keyed.append(((*name, following[name]), seen))
            following[name] += 1
        return dict(reversed(keyed))

    def named(self, step: int, stage: Stage) -> dict[str, Seen]:
        """Return the last event of each name of a stage in a step."""
        return {seen.name: seen for seen in self.events(step).values() if seen.event.stage == stage}

    def first_update(self, name: str) -> tuple[int, Seen | None]:
        """Return the first of the run's first steps that has updated a tensor, and its record; None if none has."""
        steps = ((step, self.named(step, "update").get(name)) for step in range(LOOK_BACK))
        return next((found for found in steps if found[1] is not None), (0, None))

    def find_state(self, name: str, step: int) -> Seen | None:
        """Return the last record of a tensor of the training's state up to the end of a step."""
        for earlier in range(step, max(-1, step - LOOK_BACK - 1), -1):
            for stage in ("update", "init"):
                seen = self.named(earlier, stage).get(name)
                if seen is not None:
                    return seen
        return None

    def rng(self, step: int) -> dict[int, int]:
        """Return the states of the random number generators at the end of a step, by number of the generator."""
        return (read_rng(self.trace, step) or {}) if step >= 0 else {}

    def names_before(self, step: int) -> set[str]:
        """Return the names of the state recorded before a step."""
        frames = self.trace.find_step(step)
        stop = frames.start
        layouts = [layout for layout, _ in self.trace.count_layouts(stop)]
        return {event.name for layout in layouts for event in layout.events if event.stage in {"init", "update"}}


def is_beside(event: Event) -> bool:
    """Whether an event of stage `final` tells of something that the training has neither called nor optimised."""
    return event.name.startswith("other ")


class ShiftedTally(Tally):
    """Result of comparing shifted steps.

    Attributes:
        firsts: The first differing event of each stage, name and detail, in execution order.
        skipped: Why events could not be compared, by name.
        num_steps: Steps compared.
    """

    def __init__(self, limit: int, states: StepStates | None = None) -> None:
        """Keep the first `limit` differing events."""
        super().__init__(limit, states)
        self.firsts: dict[tuple[Stage, str, Detail | None], Pair] = {}
        self.skipped: dict[str, str] = {}
        self.num_steps = 0

    def compare(self, step: int, a: Seen, b: Seen) -> None:
        """Compare an event of both runs; `step` is the baseline's."""
        why = a.event.skipped or b.event.skipped
        if why is None and a.event.algorithm != b.event.algorithm:
            why = "the two runs digested it with different algorithms"
        if why is not None:
            self.skipped[b.name] = why
            self._mark(b.event.stage, step, NOT_COMPARED)
            return
        self._mark(b.event.stage, step, EQUAL if a.digest == b.digest else DIFFERENT)
        self.compared[b.event.stage] += 1
        self.num_tensors += b.event.num_tensors
        if a.digest != b.digest:
            pair = Pair(step, b.event, a.place, b.place)
            self.add_differing(pair)
            if b.event.stage != "final":
                self.firsts.setdefault((b.event.stage, b.event.name, b.event.detail), pair)

    def add_extra(self, extra: Extra) -> None:
        """Count an event that only one of the runs has."""
        super().add_extra(extra)
        self._mark(extra.event.stage, extra.step, NOT_COMPARED)

    def _mark(self, stage: Stage, step: int, state: int) -> None:
        if self.states is not None:
            self.states.mark(stage, step, state)

    def judge_left(self, a: RankTrace, b: RankTrace) -> None:
        """Move what differs of the final state to the differing events, unless only one run has left more.

        A start makes models and optimizers that it drops again, and the other run some before the checkpoint: these
        have no counterpart. What both runs have left at one place and is not the same in both is a difference.
        """
        for pair in self.left:
            members = members_of(a, pair.baseline), members_of(b, pair.candidate)
            only = [members[0] - members[1], members[1] - members[0]]
            if is_beside(pair.event):
                only = [Counter({d: n for d, n in own.items() if not is_state((a, b), d)}) for own in only]
            if all(only):
                self.pairs.append(pair)
                self.firsts.setdefault((pair.event.stage, pair.event.name, pair.event.detail), pair)
            else:
                self.differing[pair.event.stage] -= 1
        self.left.clear()
        self.differing += Counter()  # drops what is zero
        if self.states is not None and not self.differing["final"]:
            self.states.settle("final")

    @property
    def first(self) -> Pair | None:
        """The first event that differs."""
        return self.pairs[0] if self.pairs else None


def compare_shifted(
    whole: StepReader,
    part: StepReader,
    start: int,
    num_steps: int,
    limit: int = 64,
    *,
    states: StepStates | None = None,
) -> ShiftedTally:
    """Compare steps of a run with those of another that begins where the first was before its step `start`.

    In the first step, what a start brings along is no difference: the initial state is compared with the state that
    the first run had, batches passed over to find the place count from their end, and evaluations that only one of
    the runs makes there are left out.

    Args:
        whole: The run from its beginning.
        part: The run that begins later.
        start: Step of `whole` that is step 0 of `part`.
        num_steps: How many steps to compare.
        limit: How many differing events to keep.
        states: Where the state of each step and stage is noted, by the steps of `whole`.

    Raises:
        TraceError: If a frame that is looked at is damaged.
    """
    tally = ShiftedTally(limit, states)
    known = [whole.names_before(start), set()]
    for shift in range(num_steps):
        _compare_step(whole, part, tally, known, start=start, shift=shift)
        tally.num_steps += 1
    tally.judge_left(whole.trace, part.trace)
    return tally


def _compare_step(
    whole: StepReader, part: StepReader, tally: ShiftedTally, known: list[set[str]], *, start: int, shift: int
) -> None:
    """Compare a step; `known` are the names of the state that either run has shown by then."""
    step = start + shift
    a, b = whole.events(step), part.events(shift)
    is_first = start > 0 and shift == 0
    if is_first:
        a, b = _drop_unlike_evaluations(a, b, whole.events(step + 1), part.events(shift + 1))
    a, b = _drop_idle_orders(a, b, is_first=is_first)
    if start > 0:
        _compare_initial(whole, step, b, a, tally)
    for key, seen in a.items():
        other = b.get(key)
        if other is not None:
            tally.compare(step, seen, other)
        elif _counts(key, shift, start, known[1]):
            tally.add_extra(Extra(step, seen.event, is_in_baseline=True))
    for key, seen in b.items():
        if key not in a and _counts(key, shift, start, known[0]):
            tally.add_extra(Extra(step, seen.event, is_in_baseline=False))
    for names, events in zip(known, (a, b), strict=True):
        names |= {name for stage, name, _, _ in events if stage == "update"}


def _drop_unlike_evaluations(
    a: dict[Key, Seen], b: dict[Key, Seen], *following: dict[Key, Seen]
) -> tuple[dict[Key, Seen], dict[Key, Seen]]:
    """Return the events of both without evaluations that are not equally many: they are not the same evaluation.

    A model that both runs call without gradients in the step that follows as well, such as a teacher, is part of the
    training: its last calls are no evaluation.
    """
    usual = [_count_metrics(events) for events in following]
    in_training = usual[0] & usual[1]
    evaluations = [
        {key for key in events if key[0] == "metric" and key[3] >= in_training[key[:3]]} for events in (a, b)
    ]
    counts = [_count_metrics(keys) for keys in evaluations]
    unlike = {name for name in counts[0] | counts[1] if counts[0][name] != counts[1][name]}
    if not unlike:
        return a, b
    kept = []
    for events, keys in zip((a, b), evaluations, strict=True):
        dropped = {key for key in keys if key[:3] in unlike}
        dropped |= _find_evaluated(events, dropped)
        kept.append({key: seen for key, seen in events.items() if key not in dropped})
    return kept[0], kept[1]


def _count_metrics(keys: Iterable[Key]) -> Counter[tuple[Stage, str, Detail | None]]:
    return Counter(key[:3] for key in keys if key[0] == "metric")


def _find_evaluated(events: dict[Key, Seen], evaluations: set[Key]) -> set[Key]:
    """Return the batches of some evaluations, which come before the training goes on."""
    waiting: list[Key] = []
    found: list[Key] = []
    for key in events:
        if key[0] == "forward":
            break
        if key[0] == "batch":
            waiting.append(key)
        elif key in evaluations:
            found += waiting
            waiting.clear()
    return set(found)


def _drop_idle_orders(
    a: dict[Key, Seen], b: dict[Key, Seen], *, is_first: bool
) -> tuple[dict[Key, Seen], dict[Key, Seen]]:
    """Return the events of both without the indices drawn, if these differ and yet bring the same batches.

    A loader over the rest of the data counts from 0 again. What the training is given decides. Batches passed over in
    the first step bring it nothing.
    """
    given = [{key: s for key, s in events.items() if key[:3:2] == ("batch", "content")} for events in (a, b)]
    common = given[0].keys() & given[1].keys()
    has_all = len(common) == max(map(len, given)) or is_first
    is_same = all(given[0][key].digest == given[1][key].digest and not given[0][key].event.skipped for key in common)
    if not (common and has_all and is_same):
        return a, b
    orders = [{key: s.digest for key, s in events.items() if key[:3:2] == ("batch", "order")} for events in (a, b)]
    if orders[0] == orders[1]:
        return a, b
    kept = [{key: s for key, s in events.items() if key not in own} for events, own in zip((a, b), orders, strict=True)]
    return kept[0], kept[1]


def _compare_initial(
    whole: StepReader, step: int, part: dict[Key, Seen], known: dict[Key, Seen], tally: ShiftedTally
) -> None:
    """Compare what the later run shows for the first time with what the first run had then.

    A model that is called between two optimizer steps, such as an average of weights, is seen in the state that the
    update within the step records; one that is trained, in the state of the step before.
    """
    for key, seen in part.items():
        if seen.event.stage != "init" or key in known:
            continue
        before = whole.find_state(seen.name, step - 1)
        now = whole.named(step, "update").get(seen.name)
        is_known_now = now is not None and now.digest == seen.digest
        earlier = now if is_known_now else before or now
        if earlier is not None:
            tally.compare(step, earlier, seen)


def _counts(key: Key, shift: int, start: int, known: set[str]) -> bool:
    """Whether an event that only one run has is a difference.

    State counts once the other run has shown it: a model is seen from its first call on.
    """
    stage, name, _, _ = key
    if stage == "final":  # a start makes objects of its own, and the other run some before the checkpoint
        return False
    if stage in {"init", "update"}:
        return stage == "update" and name in known
    return not (start > 0 and shift == 0)
