"""The samples of the batch in which two runs part: which, in which order, and which of them changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.report.records import BatchRow
from reproof.schema import Event
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reproof.schema import Difference, Numbers
    from reproof.trace.rank import RankTrace

MAX_SAMPLES: Final = 512


class Found(NamedTuple):
    """A part of a batch, and the numbers kept with it, by their kind."""

    digest: bytes
    numbers: Mapping[str, Numbers]


def describe_batch(a: RankTrace, b: RankTrace, first: Difference, *, is_plain: bool = False) -> BatchRow | None:
    """Return the samples of the divergent batch; None if the runs part elsewhere, or the samples were not kept.

    If plain, both name a batch without its loader.
    """
    if first.stage != "batch":
        return None
    name = Event(first.stage, first.name).plain_name if is_plain else first.name
    loader = name.removesuffix(" indices").split("[")[0]
    place = _find_parting(*(list(_find(trace, first.step, name)) for trace in (a, b)), from_end=is_plain)
    orders = [_read(trace, first.step, f"{loader} indices", "exact", place) for trace in (a, b)]
    samples = [_read(trace, first.step, name, "samples", place) for trace in (a, b)]
    if orders[0] is None or orders[1] is None:
        if samples[0] is None or samples[1] is None:
            return None
        names = [[str(number) for number in range(len(side))] for side in samples if side is not None]
    else:
        names = [[str(value) for value in side[:MAX_SAMPLES]] for side in orders if side is not None]
    changed: tuple[int, ...] = ()
    if samples[0] is not None and samples[1] is not None and names[0] == names[1]:
        pairs = zip(samples[0][:MAX_SAMPLES], samples[1][:MAX_SAMPLES], strict=False)
        changed = tuple(i for i, (x, y) in enumerate(pairs) if x != y)
    return BatchRow(
        name=loader,
        told=_tell(names[0], names[1], changed, has_indices=orders[0] is not None),
        baseline=tuple(names[0]),
        candidate=tuple(names[1]),
        changed=changed,
    )


def _find_parting(a: Sequence[Found], b: Sequence[Found], *, from_end: bool) -> int:
    """Return which of the batches of a step parts: its place, from the end for a run that passes over some."""
    shared = min(len(a), len(b))
    places = range(-shared, 0) if from_end else range(shared)
    return next((place for place in places if a[place].digest != b[place].digest), -1 if from_end else 0)


def _read(trace: RankTrace, step: int, name: str, kind: str, place: int) -> Sequence[int | float | str] | None:
    found = list(_find(trace, step, name))
    numbers = found[place].numbers.get(kind) if -len(found) <= place < len(found) else None
    return None if numbers is None else numbers.values


def _find(trace: RankTrace, step: int, name: str) -> Iterator[Found]:
    for index in trace.find_step(step):
        kept, frame = trace.numbers(index), trace.frame(index)
        for position, event in enumerate(frame.layout.events):
            if event.name == name:
                numbers = {kind: value for (at, kind), value in kept.items() if at == position}
                yield Found(frame.digest(position), numbers)


def _tell(a: list[str], b: list[str], changed: tuple[int, ...], *, has_indices: bool) -> str:
    numbers = "Numbers are indices into the data set." if has_indices else "Numbers are places in the batch."
    if a == b:
        verb = "has" if len(changed) == 1 else "have"
        what = f"{len(changed)} of {len(a)} {verb} other content" if changed else "their content differs"
        return f"The same samples in the same order; {what}. {numbers}"
    moved = sum(x != y for x, y in zip(a, b, strict=False))
    if sorted(a) == sorted(b):
        told = f"The same samples; {moved} of {len(a)} places hold another one."
        return f"{told} A line joins each sample's places. {numbers}"
    shared = len(set(a) & set(b))
    if not shared:
        return f"All {len(a)} samples are others. {numbers}"
    verb, whose = ("is", "its") if shared == 1 else ("are", "their")
    return f"Of {plural(len(a), 'sample')} {shared} {verb} in both runs; a line joins {whose} places. {numbers}"
