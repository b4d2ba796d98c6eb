"""Memory is read before anything has written it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reproof.entropy.plan import Plan
from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.hypotheses.operations import is_uninitialized
from reproof.explain.suspects import Suspect
from reproof.launch.cells import read_line
from reproof.schema import Probes
from reproof.trace.probes import read_poisoned, read_poisoned_places

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.schema import Cause, Difference, PoisonedEvent

MAX_PLACES: Final = 6
"""So many places that allocate memory are tried one after the other."""

ALLOCATING: Final = ("empty", "Tensor(", "ndarray(", "resize", "where=")
"""Parts of lines that leave memory unwritten, as most people write them: those lines are tried first."""


REJECTED: Final = "input of "
"""How the name of an event begins that is the argument of an operation which has raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedMemory(Hypothesis["PoisonedEvent"]):
    """A value from memory that nothing has written reaches the divergence.

    Attributes:
        is_initial: Whether it is about initial states, where this is the likeliest, or about what comes after.
    """

    is_initial: bool

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether the divergence is in an initial state, or is not."""
        return (inquiry.first.stage == "init") == self.is_initial

    def experiments(self, inquiry: Inquiry) -> PoisonedEvent | None:
        """Mark all new memory, and return the divergent event if it holds marks.

        Marks in another event explain that one: memory may be read for a warm-up whose result is thrown away.
        """
        return find_marked(inquiry)

    def causes(self, inquiry: Inquiry, found: PoisonedEvent) -> list[Cause]:
        """Name the line that allocated the memory."""
        evidence = (
            f"memory that was allocated on this line and never written reaches {found.stage} {found.name} in step "
            f"{found.step}: {found.num_poisoned} of its {found.num_elements} elements come from the marks that "
            f"experiment {inquiry.marked.number} had put there{inquiry.tell_replica()}"
        )
        return [inquiry.name(allocated_on(found.file, found.line), evidence)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A line whose new memory decides what is computed, and the experiments with the same and with other values."""

    file: str
    line: int
    same: Trial
    other: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingMemory(Hypothesis[Decided]):
    """Memory that nothing has written decides what is computed, but no mark is left of it (`nan_to_num`).

    Two runs with the same marks must be identical, and other values in the memory of one line alone must change them.

    Attributes:
        is_evident: Whether it is tried where a line seems to leave memory unwritten, or where none does.
    """

    is_evident: bool

    def experiments(self, inquiry: Inquiry) -> Decided | None:
        """Mark new memory once more, then put other values in that of one line after the other.

        Not if marks were seen, or if it is known already which operation reads such memory.
        """
        if is_uninitialized(inquiry) or find_marked(inquiry) is not None:
            return None
        places = find_places(inquiry)
        if not places or looks_unwritten(inquiry.setting.request.folder, *places[0]) != self.is_evident:
            return None
        same = mark_again(inquiry, f"as experiment {inquiry.marked.number}, once more", None)
        if not same.agrees_through(inquiry.step):
            return None
        for file, line in places[:MAX_PLACES]:
            told = f"as experiment {inquiry.marked.number}, with other values in what {file}:{line} allocates"
            other = mark_again(inquiry, told, (file, line))
            if other.problem is None and reaches(other, inquiry.first):
                return Decided(file=file, line=line, same=same, other=other)
        return None

    def causes(self, inquiry: Inquiry, found: Decided) -> list[Cause]:
        """Name the line that allocated the memory."""
        evidence = (
            f"what the memory holds that this line allocates decides what is computed: two runs with the same values "
            f"in it are identical through step {inquiry.step} (experiments {inquiry.marked.number} and "
            f"{found.same.number}), other values make it diverge (experiment {found.other.number})"
        )
        return [inquiry.name(allocated_on(found.file, found.line), evidence)]


def find_marked(inquiry: Inquiry) -> PoisonedEvent | None:
    """Return the divergent event as it was in the run with marks, or None if none of its elements comes from marks.

    An operation may refuse the marks, as invalid indices: then the run has ended there.
    """
    first = inquiry.first
    wanted = (first.stage, first.name, first.step)
    events = [event for event in read_poisoned(inquiry.folder_of(inquiry.marked), first.rank) if event.file]
    found = next((event for event in events if (event.stage, event.name, event.step) == wanted), None)
    ended = (event for event in events if event.name.startswith(REJECTED))
    return found or next(ended, None)


def reaches(trial: Trial, first: Difference) -> bool:
    """Whether an experiment diverges where two runs did, or before: what only changes something later is no cause."""
    return not trial.agrees_through(first.step) and trial.num_events_after(first) == 0


def find_places(inquiry: Inquiry) -> list[tuple[str, int]]:
    """Return the lines (file and number) that allocate memory: first those that seem to leave it unwritten."""
    folder = inquiry.setting.request.folder
    places = read_poisoned_places(inquiry.folder_of(inquiry.marked), inquiry.first.rank)
    return sorted(places, key=lambda place: not looks_unwritten(folder, *place))


def mark_again(inquiry: Inquiry, purpose: str, other_memory: tuple[str, int] | None) -> Trial:
    """Run with marks in new memory, with other ones in that of one line, and compare with the run that has the same."""
    return inquiry.laboratory.run(
        purpose,
        Plan(baseline=inquiry.baseline, watches_memory=True),
        num_steps=inquiry.num_steps,
        probes=Probes(poisons=True, other_memory=other_memory),
        compare_with=inquiry.marked.trace,
    )


def looks_unwritten(folder: Path, file: str, line: int) -> bool:
    """Whether a line seems to allocate memory without writing it: most others call what writes it."""
    text = read_line(folder / file, line)
    return any(word in text for word in ALLOCATING)


def allocated_on(file: str, line: int) -> Suspect:
    """Return the memory that a line allocates as a suspect."""
    return Suspect(
        key=f"torch.empty@{file}:{line}", kind="uninitialized-memory", source="torch.empty", file=file, line=line
    )
