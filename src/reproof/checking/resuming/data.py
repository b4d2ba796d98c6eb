"""Find where in the data a resumed training begins: at the batch that came next, or somewhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reproof.checking.resuming.steps import Seen, StepReader
    from reproof.schema import Event

Samples = tuple[int | float | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPosition:
    """Where in the data the resumed training begins; its first batch is not the one that came next.

    Attributes:
        num_before: Batches that the uninterrupted run had taken of the pass under way; None if that is not known.
        num_passed: Batches that the resumed run takes in its first step before those that it trains with.
        num_repeated: Samples of the resumed run's first batch that had been taken in this pass already.
        repeated_step: The latest earlier step of the uninterrupted run that had the resumed run's first batch, or None.
    """

    num_before: int | None
    num_passed: int
    num_repeated: int
    repeated_step: int | None

    @property
    def is_lost(self) -> bool:
        """Whether the resumed run begins elsewhere in the data, rather than at the same place of another order."""
        if self.num_before is None:
            return self.repeated_step is not None
        is_elsewhere = self.num_before != self.num_passed
        return is_elsewhere and (self.num_repeated > 0 or self.repeated_step is not None)

    def count_again(self, start: int) -> int:
        """Return how many steps the resumed run takes again if it begins the pass under way anew; at least 0."""
        if self.num_before is not None:
            return max(0, self.num_before - self.num_passed)
        return start - self.repeated_step if self.repeated_step else 0

    def is_of_earlier_pass(self, start: int) -> bool:
        """Whether the resumed run begins with a batch of a pass before the one that was under way."""
        if self.num_before is None or self.repeated_step is None:
            return False
        return self.repeated_step < start - self.num_before

    def describe(self, start: int) -> str:
        """Describe how the place in the data was lost."""
        if self.repeated_step is not None:
            return f"the first batch is that of step {self.repeated_step} again, rather than that of step {start}"
        passed = f"passes over {self.num_passed}" if self.num_passed else "begins a new pass"
        return (
            f"{self.num_before} batches of a pass over the data come before step {start}; the resumed run {passed}, and"
            f" {self.num_repeated} samples of its first batch had been taken in this pass already"
        )


def find_position(whole: StepReader, resumed: StepReader, start: int, event: Event) -> DataPosition:
    """Return where in the data the resumed run begins.

    It goes on at step `start`, in which the `event` of its batches differs. Raises TraceError if a frame that is looked
    at is damaged.
    """
    of_step = [list_batches(whole, start, event), list_batches(resumed, 0, event)]
    num_passed = max(0, len(of_step[1]) - len(of_step[0]))
    num_left = max(0, len(of_step[0]) - len(of_step[1]))  # earlier batches, whose gradients are summed
    got = of_step[1][num_passed]
    before = [(step, *found) for step in range(start) for found in enumerate(list_batches(whole, step, event))]
    taken = [read_samples(whole, batch) for batch in (*(batch for *_, batch in before), *of_step[0][: num_left + 1])]
    count, pass_so_far = measure_pass(taken)
    samples = read_samples(resumed, got) or ()
    return DataPosition(
        num_before=count,
        num_passed=num_passed,
        num_repeated=sum(sample in pass_so_far for sample in samples),
        repeated_step=max(
            (
                step
                for step, place, batch in before
                if batch.digest == got.digest and brings_the_same((whole, step, place), (resumed, 0, num_passed))
            ),
            default=None,
        ),
    )


def brings_the_same(first: tuple[StepReader, int, int], second: tuple[StepReader, int, int]) -> bool:
    """Whether two batches, each by its run, step and place among the step's, have the same contents as far as known.

    A loader over a part of the data, such as what is left of a pass, counts its indices from 0 again.
    """
    reader, step, _ = second
    events = {key[1]: seen.event for key, seen in reader.events(step).items() if key[:3:2] == ("batch", "content")}
    for event in events.values():
        pair = [list_batches(reader, step, event)[place:][:1] for reader, step, place in (first, second)]
        if all(pair) and pair[0][0].digest != pair[1][0].digest:
            return False
    return True


def list_batches(reader: StepReader, step: int, event: Event) -> list[Seen]:
    """Return the events of a step that are of the same kind as an event of a batch, in execution order."""
    return [
        seen
        for (stage, name, detail, _), seen in reader.events(step).items()
        if (stage, name, detail) == (event.stage, event.plain_name, event.detail)
    ]


def is_ahead(whole: StepReader, resumed: StepReader, start: int, event: Event) -> bool:
    """Whether the resumed run's first batch is one that the uninterrupted run has in a later step."""
    batch = list_batches(resumed, 0, event)[-1]
    steps = range(start + 1, whole.trace.num_steps)
    return any(other.digest == batch.digest for step in steps for other in list_batches(whole, step, event))


def read_samples(reader: StepReader, batch: Seen) -> Samples | None:
    """Return the indices drawn for a batch, or None where they were not kept or there are none."""
    if batch.event.detail != "order":
        return None
    kept = reader.trace.numbers(batch.place.frame).get((batch.place.position, "exact"))
    return None if kept is None else kept.values


def measure_pass(taken: list[Samples | None]) -> tuple[int | None, set[int | float | str]]:
    """Return how many batches of the last one's pass came before it, and their samples.

    A pass ends where a sample comes for the second time. It is unknown if samples were not kept, or come twice in a
    batch: then they are drawn with replacement.
    """
    samples: set[int | float | str] = set()
    before: set[int | float | str] = set()
    count = 0
    for batch in taken:
        if batch is None or len(set(batch)) != len(batch):
            return None, set()
        count, before = (0, set()) if samples & set(batch) else (count, set(samples))
        samples = before | set(batch)
        count += 1
    return count - 1, before
