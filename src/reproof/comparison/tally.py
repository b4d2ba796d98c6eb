"""What a comparison of one process counts and keeps."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reproof.comparison.steps import StepStates
    from reproof.schema import Event, Layout, Stage


class Place(NamedTuple):
    """Where an event stands in a trace: frame, and position in the frame's layout."""

    frame: int
    position: int


class Pair(NamedTuple):
    """The same event in both traces."""

    step: int
    event: Event
    baseline: Place
    candidate: Place


class Extra(NamedTuple):
    """An event that only one of the traces has."""

    step: int
    event: Event
    is_in_baseline: bool
    place: Place | None = None


class Tally:
    """What a comparison of one process has counted.

    Attributes:
        num_tensors: Tensors in the events compared.
        compared: Events compared, per stage.
        differing: Events that differ, per stage.
        pairs: The first differing events in execution order, at most `limit`.
        left: Differing events of stage ``final``, all of them: copies of states are told apart among them.
        extras: The first events that only one trace has.
        num_extras: How many those are in all, in the steps that both traces have.
        reordered_step: The first step in which both traces have the same events in another order, or None.
        other_algorithm: Names of events that were digested by different algorithms.
        beside: How many calls without gradients one run alone makes, by model and line: baseline, candidate.
        num_beside: Events of these, by run.
        rest: Frames up to which the traces were compared; what follows only one of them has.
        states: What became of each step and stage, where that was asked for.
    """

    def __init__(self, limit: int, states: StepStates | None = None) -> None:
        """Keep the first `limit` differing events."""
        self.limit = limit
        self.states = states
        self.num_tensors = 0
        self.compared: Counter[Stage] = Counter()
        self.differing: Counter[Stage] = Counter()
        self.pairs: list[Pair] = []
        self.left: list[Pair] = []
        self.extras: list[Extra] = []
        self.num_extras = 0
        self.reordered_step: int | None = None
        self.other_algorithm: set[str] = set()
        self.beside: dict[tuple[str, str], tuple[int, int]] = {}
        self.num_beside = [0, 0]
        self.rest = (0, 0)

    @property
    def has_room(self) -> bool:
        """Whether more differing events are to be kept."""
        return len(self.pairs) < self.limit

    @property
    def has_parted(self) -> bool:
        """Whether the runs are known to differ: what comes after is counted, and no longer told apart."""
        return bool(self.pairs)

    def add_compared(self, layout: Layout, times: int) -> None:
        """Count the events of frames of this layout as compared; those without a digest are not."""
        for event in layout.events:
            if event.skipped is None:
                self.compared[event.stage] += times
                self.num_tensors += times * event.num_tensors

    def add_differing(self, pair: Pair) -> None:
        """Count an event that differs."""
        self.differing[pair.event.stage] += 1
        self.keep(pair)

    def keep(self, pair: Pair) -> None:
        """Keep an event that differs and was counted, as far as there is room."""
        if pair.event.stage == "final":
            self.left.append(pair)
        elif self.has_room:
            self.pairs.append(pair)

    def add_extra(self, extra: Extra) -> None:
        """Count an event that only one trace has."""
        self.num_extras += 1
        if len(self.extras) < self.limit:
            self.extras.append(extra)

    def add_beside(
        self, baseline: Counter[tuple[str, str]], candidate: Counter[tuple[str, str]], num_events: list[int]
    ) -> None:
        """Count calls that one run alone makes: how many by model and line, and of how many events, by run."""
        for key in dict.fromkeys((*baseline, *candidate)):
            before = self.beside.get(key, (0, 0))
            self.beside[key] = (before[0] + baseline[key], before[1] + candidate[key])
        self.num_beside = [known + more for known, more in zip(self.num_beside, num_events, strict=True)]
