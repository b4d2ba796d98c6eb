"""The map of steps and stages, and the events of the steps that are kept in the page."""

from __future__ import annotations

import base64
import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Final

from reproof.report.records import EventRow, MapRow, StageRow, StepRow
from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED, STAGES
from reproof.trace.views.steps import read_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reproof.schema import Comparison, Stage
    from reproof.trace.rank import RankTrace
    from reproof.trace.views.steps import StepEvent, StepRecord

MAX_EVENTS: Final = 200
"""Events of a step that are kept, those that differ first."""

BEFORE: Final = 2
AFTER: Final = 7
MAX_NAME: Final = 200


RANKED: Final = re.compile(r"(process \S+) \((rank \d+)(.*)\)")
"""A process that trains with others."""

Place = tuple[str | None, int]
"""Label of a process that another has started, else None, and rank."""


def name_process(comparison: Comparison, place: Place) -> str:
    """Return what a process is called, by its rank if it has one; empty for the first."""
    label, rank = place
    if label is None:
        return f"rank {rank}" if rank else ""
    told = next((told for told in comparison.processes if told.split()[1] == label), f"process {label}")
    return RANKED.sub(r"\2 (\1\3)", told)


def describe_maps(comparison: Comparison, main: Place | None) -> tuple[MapRow, ...]:
    """Return the states of all steps, compressed: the main process first, and none that trained nothing."""
    first = "" if len(comparison.steps) == 1 else "the first process" if comparison.processes else "rank 0"
    maps = sorted(comparison.steps, key=lambda one: (one.process, one.rank) != main)
    return tuple(
        MapRow(
            name=name_process(comparison, (one.process, one.rank)) or first,
            process=one.process or "",
            is_main=(one.process, one.rank) == main,
            num_steps=one.num_steps,
            num_columns=max((len(plane) for _, plane in one.planes), default=0),
            planes=tuple(
                (stage, base64.b64encode(zlib.compress(plane, 6)).decode("ascii")) for stage, plane in one.planes
            ),
        )
        for one in maps
        if any(plane for _, plane in one.planes)
    )


def choose_steps(num_columns: int, first: int | None, start: int = 0) -> list[int]:
    """Return the steps whose events are kept: first, last, around the divergence, then at doubling distances.

    Columns are the steps, and one for what came after the last; `first` is the step in which the runs part, or None,
    and `start` the first that both took.
    """
    last = num_columns - 1
    wanted = {start, start + 1, last - 1, last}
    middle = start if first is None else first
    wanted.update(range(middle - BEFORE, middle + AFTER + 1))
    distance = AFTER + 1
    while middle + distance < last:
        wanted.add(middle + distance)
        distance *= 2
    return sorted(step for step in wanted if start <= step <= last)


def read_kept_steps(
    a: RankTrace, b: RankTrace, comparison: Comparison, maps: Iterable[MapRow], start: int = 0
) -> tuple[StepRow, ...]:
    """Return the events of the steps that are kept, of one process; `start` is the step with which `b` begins."""
    first = comparison.first
    step = None if first is None else first.step
    num_columns = next((one.num_columns for one in maps if one.is_main), 0)
    rows = (_read(a, b, number, start, has_all=number == step) for number in choose_steps(num_columns, step, start))
    return tuple(row for row in rows if row.events)


def _read(a: RankTrace, b: RankTrace, step: int, start: int, *, has_all: bool) -> StepRow:
    records = [read_step(trace, step) if trace.find_step(step) else None for trace in (a, b)]
    before = read_step(a, step - 1, "update").events if start and step else ()
    events = list(_pair_events(records[0], records[1], before, from_end=start > 0))
    limit = MAX_EVENTS if has_all else MAX_EVENTS // 4
    if len(events) > limit:
        keys = sorted(range(len(events)), key=lambda i: -events[i].state)[:limit]
        kept = [events[i] for i in sorted(keys)]
    else:
        kept = events
    return StepRow(step=step, events=tuple(kept), num_more=len(events) - len(kept), rng=tuple(_compare_rng(*records)))


def _pair_events(
    a: StepRecord | None, b: StepRecord | None, before: Sequence[StepEvent], *, from_end: bool
) -> Iterator[EventRow]:
    """Yield the events of a step in the order of the baseline, then those that only the candidate has.

    The initial state of a run that begins later stands beside that which the baseline has left `before`. What happens
    several times in a step is counted from its start, or `from_end`: a resumed run passes over what is done.
    """
    state = {event.event.name: event for event in before}
    ours, theirs = (_number(record, from_end=from_end) for record in (a, b))
    for key, event in ours.items():
        yield _make_row(event, theirs.get(key))
    for key, event in theirs.items():
        if key not in ours:
            yield _make_row(state.get(event.event.name) if event.event.stage == "init" else None, event)


def _number(record: StepRecord | None, *, from_end: bool) -> dict[tuple[str, str, str | None, int], StepEvent]:
    """Return the events of a step in order, by stage, name, detail and how many of these come before or behind."""
    counts: Counter[tuple[str, str, str | None]] = Counter()
    keyed = []
    events = () if record is None else record.events
    for event in reversed(events) if from_end else events:
        name = (event.event.stage, event.event.name, event.event.detail)
        keyed.append(((*name, counts[name]), event))
        counts[name] += 1
    return dict(reversed(keyed) if from_end else keyed)


def _make_row(a: StepEvent | None, b: StepEvent | None) -> EventRow:
    event = (b or a).event  # type: ignore[union-attr]  # one of them is there
    state = NOT_COMPARED
    if a is not None and b is not None and a.digest is not None and b.digest is not None:
        state = EQUAL if a.digest == b.digest else DIFFERENT
    return EventRow(
        stage=event.stage,
        name=event.name[:MAX_NAME],
        detail=event.detail or "",
        baseline=_show(a),
        candidate=_show(b),
        state=state,
    )


def _show(event: StepEvent | None) -> str:
    """Return the number of an event that has one, else the start of its digest."""
    if event is None:
        return ""
    if event.event.stage in {"loss", "metric"} and event.exact is not None and len(event.exact) == 1:
        value = event.exact[0]
        return f"{value:.9g}" if isinstance(value, float) else str(value)[:40]
    return "no digest" if event.digest is None else event.digest[:10]


def _compare_rng(a: StepRecord | None, b: StepRecord | None) -> Iterator[str]:
    if a is None or b is None:
        return
    states = {state.generator: state.digest for state in b.rng}
    for state in a.rng:
        if state.generator in states and states[state.generator] != state.digest:
            yield state.generator


def count_stages(row: StepRow | None) -> tuple[StageRow, ...]:
    """Return how many events of each stage a step has, and how many differ."""
    if row is None:
        return ()
    found: dict[Stage, list[int]] = {}
    for event in row.events:
        found.setdefault(event.stage, []).append(event.state)
    return tuple(
        StageRow(
            stage=stage,
            compared=len(states) - states.count(NOT_COMPARED),
            differing=states.count(DIFFERENT),
            num_open=states.count(NOT_COMPARED),
        )
        for stage in STAGES
        if (states := found.get(stage))
    )
