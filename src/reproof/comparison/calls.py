"""Match the calls without gradients that two runs make in one step, whichever of them a clock or a thread decided.

How often a timed loop calls its model, or at which steps a preview is drawn, is another in each run and proves nothing.
So the calls of a step are matched as a multiset, by what went in and came out. Of what is left, calls that both runs
make (from one line; in a thread: of one state of the model) stand for each other and differ. So does one that gives
something else for the same inputs. A call that has no counterpart is *beside* the training: it is told and not judged.

In a thread, chance decides which states of the model are evaluated. Only a state that the training went through, which
is compared where it went through it, makes such a call one beside the training.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.comparison.tally import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from reproof.schema import Event, Frame, Numbers
    from reproof.trace import RankTrace

THREAD: Final = " in a thread"
"""How the name of a model ends that is called in a thread beside the training."""

State = tuple[int | float | str, ...]


class Found(NamedTuple):
    """An event of one trace, with its place and digest."""

    event: Event
    place: Place
    digest: bytes


class Call(NamedTuple):
    """A call of a model without gradients.

    Attributes:
        model: The model's name.
        line: The user's line, as ``train.py:43``; empty if only libraries are on the stack.
        state: Digests of the model's parameters and buffers, where they were recorded: in threads.
        events: Its inputs and outputs, in order.
    """

    model: str
    line: str
    state: State
    events: tuple[Found, ...]

    @property
    def content(self) -> Hashable:
        """What went in and came out, and of which state."""
        return self.state, tuple((found.event, found.digest) for found in self.events)

    @property
    def inputs(self) -> Hashable:
        """What went in, and where from."""
        given = ((found.event, found.digest) for found in self.events if " input[" in found.event.name)
        return self.origin, tuple(given)

    @property
    def origin(self) -> Hashable:
        """What makes it the counterpart of a call of the other run that gave something else."""
        is_in_thread = self.model.endswith(THREAD)
        return self.model, self.line, self.state if is_in_thread else None


class Matching(NamedTuple):
    """The calls of a step of two runs.

    Attributes:
        equal: Pairs with the same inputs and outputs.
        differing: Pairs that stand for each other and differ.
        beside: Calls that one run alone makes, by run.
        unknown: Such calls of states that no training went through, by run.
    """

    equal: list[tuple[Call, Call]]
    differing: list[tuple[Call, Call]]
    beside: tuple[list[Call], list[Call]]
    unknown: tuple[list[Call], list[Call]]


def split_step(trace: RankTrace, frames: Iterable[Frame]) -> tuple[list[Found], list[Call]]:
    """Return the events of a step that belong to no call without gradients, and its calls without gradients."""
    others: list[Found] = []
    calls: list[Call] = []
    under_way: list[Found] = []
    for found, marks in _read_events(trace, frames):
        if marks is not None:
            under_way = [found]
            calls.append(_open_call(found, marks))
        elif under_way and _continues(under_way, found):
            under_way.append(found)
            calls[-1] = calls[-1]._replace(events=tuple(under_way))
        else:
            under_way = []
            others.append(found)
    return others, calls


def _read_events(trace: RankTrace, frames: Iterable[Frame]) -> Iterator[tuple[Found, dict[str, Numbers] | None]]:
    """Yield the events of frames; with those that begin a call, the numbers that say so."""
    for frame in frames:
        has_calls = any(event.stage == "metric" for event in frame.layout.events)
        numbers = trace.numbers(frame.number) if has_calls else {}
        for position, event in enumerate(frame.layout.events):
            call, state = (numbers.get((position, kind)) for kind in ("call", "members"))
            found = Found(event, Place(frame.number, position), frame.digest(position))
            marks = None if call is None else {"call": call, **({} if state is None else {"members": state})}
            yield found, marks if event.stage == "metric" else None


def _open_call(found: Found, marks: dict[str, Numbers]) -> Call:
    line = bytes(int(value) for value in marks["call"].values).decode("utf-8", "replace")
    state = marks["members"].values if "members" in marks else ()
    return Call(model_of(found.event.name), line, state, (found,))


def model_of(name: str) -> str:
    """Return the name of the model of an event of a call."""
    return name.split(" input[", maxsplit=1)[0] if " input[" in name else name.split(" output", maxsplit=1)[0]


def _continues(under_way: list[Found], found: Found) -> bool:
    """Whether an event belongs to the call under way: its inputs and outputs, and those of the model's parts."""
    name = found.event.name
    if found.event.stage != "metric" or (" input[" not in name and " output" not in name):
        return False
    model = model_of(under_way[0].event.name)
    is_over = under_way[-1].event.name.startswith(f"{model} output")
    return name.startswith(f"{model} output") if is_over else True


def match_calls(a: list[Call], b: list[Call], is_state: Callable[[bytes], bool]) -> Matching:
    """Match the calls of a step of two runs.

    `is_state` tells whether a digest is that of a part of a model at some step of one of the runs.
    """
    equal, left_a, left_b = _match_equal(a, b)
    differing, alone_a, alone_b = _match_origins(left_a, left_b)
    contradicted_a, alone_a = _contradict(alone_a, b)
    contradicted_b, alone_b = _contradict(alone_b, a)
    differing += (*contradicted_a, *((other, call) for call, other in contradicted_b))
    split = [_judge_alone(alone, is_state) for alone in (alone_a, alone_b)]
    return Matching(equal, differing, (split[0][0], split[1][0]), (split[0][1], split[1][1]))


def _contradict(alone: list[Call], others: list[Call]) -> tuple[list[tuple[Call, Call]], list[Call]]:
    """Return calls that gave something else than one of the other run with the same inputs, and the rest.

    Such a call is no repetition: the run does not even agree with itself.
    """
    contents = {call.content for call in others} if alone else set()
    by_inputs = {call.inputs: call for call in others} if alone else {}
    contradicted: list[tuple[Call, Call]] = []
    rest: list[Call] = []
    for call in alone:
        other = None if call.content in contents else by_inputs.get(call.inputs)
        if other is None:
            rest.append(call)
        else:
            contradicted.append((call, other))
    return contradicted, rest


def _match_equal(a: list[Call], b: list[Call]) -> tuple[list[tuple[Call, Call]], list[Call], list[Call]]:
    waiting: defaultdict[Hashable, list[Call]] = defaultdict(list)
    for call in reversed(b):
        waiting[call.content].append(call)
    equal: list[tuple[Call, Call]] = []
    left: list[Call] = []
    for call in a:
        counterparts = waiting[call.content]
        if counterparts:
            equal.append((call, counterparts.pop()))
        else:
            left.append(call)
    matched = {other.events[0].place for _, other in equal}
    return equal, left, [call for call in b if call.events[0].place not in matched]


def _match_origins(a: list[Call], b: list[Call]) -> tuple[list[tuple[Call, Call]], list[Call], list[Call]]:
    waiting: defaultdict[Hashable, list[Call]] = defaultdict(list)
    for call in reversed(b):
        waiting[call.origin].append(call)
    differing: list[tuple[Call, Call]] = []
    alone: list[Call] = []
    for call in a:
        if waiting[call.origin]:
            differing.append((call, waiting[call.origin].pop()))
        else:
            alone.append(call)
    return differing, alone, sorted((call for calls in waiting.values() for call in calls), key=first_place)


def first_place(call: Call) -> Place:
    """Return where a call begins."""
    return call.events[0].place


def _judge_alone(calls: list[Call], is_state: Callable[[bytes], bool]) -> tuple[list[Call], list[Call]]:
    """Return calls that are beside the training, and those in threads of states that no training went through."""
    beside: list[Call] = []
    unknown: list[Call] = []
    known: dict[State, bool] = {}
    for call in calls:
        if call.model.endswith(THREAD):
            if call.state not in known:
                known[call.state] = bool(call.state) and all(map(is_state, unpack_state(call.state)))
            (beside if known[call.state] else unknown).append(call)
        else:
            beside.append(call)
    return beside, unknown


def unpack_state(state: State) -> list[bytes]:
    """Return the digests that numbers of kind ``members`` stand for."""
    packed = struct.pack(f"<{len(state)}Q", *state)
    return [packed[i : i + 16] for i in range(0, len(packed), 16)]


def count_beside(matching: Matching) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Return how many calls each run alone makes, by model and line."""
    baseline, candidate = (Counter((call.model, call.line) for call in calls) for calls in matching.beside)
    return baseline, candidate


def name_calls(model: str) -> str:
    """Return what calls of a model without gradients are called."""
    is_in_thread = model.endswith(THREAD)
    return f"calls of {model.removesuffix(THREAD)} without gradients{THREAD if is_in_thread else ''}"


def split_line(line: str) -> dict[str, Any]:
    """Return the fields of `Beside` for the user's line of a call."""
    file, _, number = line.rpartition(":")
    return {"file": file, "line": int(number)} if file and number.isdecimal() else {}
