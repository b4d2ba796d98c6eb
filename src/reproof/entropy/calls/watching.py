"""Note what the calls of the user's code are given and return, or compare it with an earlier run and put that in place.

One stream of events for each thread and each task, under names that are the same in every run. Where an event has the
inputs of the earlier run and another result, a difference comes in: that is an *origin*. With the earlier result put in
its place at once, the run goes on as the earlier one did, so that one run finds every origin and, if it comes to the
same end, proves that there are no others.

Budgets are in events and bytes, never in seconds: both runs must watch the same.
"""

from __future__ import annotations

import builtins
import re
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.entropy.calls.callables import is_watched, name_call, owner_of_call
from reproof.entropy.calls.contents import SIMPLE, Content, combine, digest_content
from reproof.entropy.calls.healing import Result, apply_result, load_result, names_outside, save_result
from reproof.entropy.calls.records import SEPARATOR, CallLog, EarlierStream, Event, Finding, Spot, read_streams

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor
    from reproof.entropy.races.workers import Workers

ENTERED: Final = "__reproof_entered__"
PASSED: Final = "__reproof_passed__"
RETURNED: Final = "__reproof_returned__"
VALUE: Final = "__reproof_value__"
ITEMS: Final = "__reproof_items__"
"""What the user's modules call around a call, for its arguments, for its result, for other values, and for loops."""

MAX_EVENTS: Final = 20_000
"""Events of one spot; from there on it is left alone."""

MAX_READ: Final = 8 << 30
"""Bytes of arrays and tensors that are read for one spot; from there on it is left alone."""

MAX_VALUE: Final = 16 << 20
MAX_VALUES: Final = 256 << 20
"""Bytes of one result that are kept, and of all of a process."""

UNCHANGING: Final = SIMPLE | {tuple, frozenset, range, type, type(len), type(lambda: None), type(builtins)}
"""Types whose objects no call changes."""

IN_FULL: Final = frozenset({list, tuple, dict, set, frozenset, range, str, bytes})
"""Types of which a loop takes what they hold."""

WORKER: Final = re.compile(r"\.(pool\d+)\.\d+$")
"""How the label of the worker of a pool ends: which of them does a task is a race."""


class Call:
    """A call under way.

    Attributes:
        arguments: The object of a method, and the arguments so far.
        contents: What they held before the call.
    """

    __slots__ = ("arguments", "contents", "function")

    def __init__(self, function: Any) -> None:
        """Begin with the object that a method is of, or with what is called if that may hold something."""
        self.function = function
        self.arguments: list[Any] = []
        self.contents: list[Content] = []
        owner = owner_of_call(function)
        if owner is not None:
            self.take(owner)
        elif type(function) not in UNCHANGING and not isinstance(function, type):
            self.take(function)

    def take(self, argument: Any) -> None:
        """Note an argument."""
        self.arguments.append(argument)
        self.contents.append(digest_content(argument))

    @property
    def inputs(self) -> int:
        """Digest of all of them."""
        return combine("inputs", [content.digest for content in self.contents])

    def find_changed(self, returned: Any) -> list[tuple[int, Content]]:
        """Return the positions of the arguments that hold something else than before, but for one that is returned."""
        found = []
        for number, (argument, before) in enumerate(zip(self.arguments, self.contents, strict=True)):
            if argument is returned or type(argument) in UNCHANGING:
                continue
            after = digest_content(argument)
            if after.digest != before.digest:
                found.append((number, after))
        return found


class Outcome(NamedTuple):
    """What an expression has given: the result of a call, or another value."""

    call: Call | None
    value: Any


class Stream:
    """What a thread or task has done so far, in order."""

    __slots__ = ("earlier", "key", "num_events")

    def __init__(self, key: str, earlier: EarlierStream | None) -> None:
        """Begin, beside the same one of an earlier run."""
        self.key = key
        self.earlier = earlier
        self.num_events = 0


class CallWatcher:
    """Watches the calls of the user's code in this process."""

    def __init__(self, interceptor: Interceptor, workers: Workers) -> None:
        """Watch for the plan of an interceptor."""
        self._interceptor = interceptor
        self._workers = workers
        plan = interceptor.plan
        self._is_comparing = plan.calls_of is not None
        self._healed = None if plan.heals is None else frozenset(plan.heals)
        self._earlier = {} if plan.calls_of is None else read_streams(Path(plan.calls_of))
        self._local = threading.local()
        self._begin_process()
        interceptor.on_child.append(self._begin_process)
        interceptor.on_task.append(self._change_task)
        interceptor.on_close.append(self._close)
        interceptor.on_flush.append(self._flush)

    def _close(self) -> None:
        self._log.close()

    def _flush(self) -> None:
        self._log.flush()

    def hooks(self) -> dict[str, Any]:
        """Return what the user's modules call, by the names that stand in them."""
        hooks: dict[str, Any] = {
            ENTERED: self.enter,
            PASSED: self.take,
            RETURNED: self.leave,
            VALUE: self.take_value,
            ITEMS: self.take_items,
        }
        for hook in hooks.values():
            hook.__func__.__dict__["_torchdynamo_disable"] = True  # called and not traced
        return hooks

    def _begin_process(self) -> None:
        """Begin in this process; a forked one goes on within the calls that its parent was in."""
        self._log = CallLog(self._interceptor.folder, self._interceptor.process)
        self._local.__dict__.pop("name", None)
        self._streams: dict[str, Stream] = {}
        self._num_events: Counter[str] = Counter()
        self._num_read: Counter[str] = Counter()
        self._num_kept = 0
        self._tainted: dict[int, Any] = {}

    def _change_task(self, name: str | None) -> None:
        self._local.__dict__.pop("name", None)
        if name is None:
            self._log.flush()

    def _find_stream(self) -> Stream:
        """Return the stream of this thread, in the task that it does."""
        local = self._local.__dict__
        name = self._workers.name
        if local.get("name") != name:
            process, task = self._interceptor.process, self._interceptor.task
            place = process if task is None else WORKER.sub(r".\1", process)
            key = SEPARATOR.join((place, task or "", name))
            stream = self._streams.get(key)
            if stream is None:
                stream = self._streams[key] = Stream(key, self._earlier.get(key))
            local.update(name=name, stream=stream)
        return local["stream"]  # type: ignore[no-any-return]

    def _stack(self) -> list[tuple[str, Call | None]]:
        return self._local.__dict__.setdefault("stack", [])  # type: ignore[no-any-return]

    def _is_spent(self, spot: str) -> bool:
        return self._num_events[spot] >= MAX_EVENTS or self._num_read[spot] >= MAX_READ

    def enter(self, spot: str, function: Any) -> Any:
        """Begin a call; return what is called."""
        is_left = self._is_spent(spot) or not is_watched(function)
        self._stack().append((spot, None if is_left else Call(function)))
        return function

    def take(self, argument: Any) -> Any:
        """Note an argument of the call that has begun last, and return it."""
        stack = self._stack()
        if stack and (call := stack[-1][1]) is not None:
            call.take(argument)
        return argument

    def leave(self, spot: str, returned: Any) -> Any:
        """End a call: return what it returned, or what it returned in the earlier run."""
        stack = self._stack()
        call: Call | None = None
        while stack:  # those above were left by an error
            name, call = stack.pop()
            if name == spot:
                break
        if call is None:
            return returned
        content, changed = digest_content(returned), call.find_changed(returned)
        self._num_read[spot] += content.num_bytes + sum(one.num_bytes for one in call.contents)
        result = combine("result", [content.digest, *(part for n, after in changed for part in (n, after.digest))])
        numbers = [number for number, _ in changed]
        return self._note(spot, Event(spot, call.inputs, result), call, returned, numbers)

    def take_value(self, spot: str, value: Any) -> Any:
        """Note a value that is no result of a call; return it, or that of the earlier run."""
        if type(value) in UNCHANGING - SIMPLE or callable(value) or self._is_spent(spot):
            return value
        content = digest_content(value)
        self._num_read[spot] += content.num_bytes
        return self._note(spot, Event(spot, 0, content.digest), None, value, [])

    def take_items(self, spot: str, items: Any) -> Any:
        """Return what a loop goes through, with each item noted."""
        return items if type(items) in IN_FULL else map(partial(self.take_value, spot), items)  # no frame of ours

    def _note(self, spot: str, event: Event, call: Call | None, returned: Any, changed: list[int]) -> Any:
        """Note an event, or compare it; return what the expression has as its value."""
        self._num_events[spot] += 1
        stream = self._find_stream()
        number = stream.num_events
        stream.num_events += 1
        arguments = [] if call is None else call.arguments
        if not self._is_comparing:
            is_object = type(returned) not in UNCHANGING  # small numbers are one object wherever they come from
            place = next((n for n, argument in enumerate(arguments) if is_object and argument is returned), None)
            result = Result(
                None if place is not None else returned,
                tuple((n, arguments[n]) for n in [*changed, *([] if place is None else [place])]),
                place,
            )
            self._log.add(stream.key, number, event, self._keep(result))
            return returned
        earlier = stream.earlier
        if earlier is None or number >= len(earlier.events) or earlier.events[number].spot != spot:
            stream.earlier = None  # another way through the code: nothing later can be set beside each other
            return returned
        if earlier.events[number].result == event.result:
            return returned
        return self._compare(stream.key, earlier, number, event, Outcome(call, returned))

    def _keep(self, result: Result) -> bytes | None:
        if self._num_kept >= MAX_VALUES:
            return None
        data = save_result(result, MAX_VALUE)
        self._num_kept += 0 if data is None else len(data)
        return data

    def _compare(self, stream: str, earlier: EarlierStream, number: int, event: Event, outcome: Outcome) -> Any:
        """Write down that a result differs; return that of the earlier run if it is put in place."""
        call, value = outcome
        source = Spot.read(event.spot).text if call is None else name_call(call.function)
        arguments = [] if call is None else call.arguments
        touched = [one for one in (value, *arguments) if type(one) not in UNCHANGING]
        is_agreeing = earlier.events[number].inputs == event.inputs
        is_origin = is_agreeing and not any(id(one) in self._tainted for one in touched)
        problem = "it is not to be"
        if self._healed is None or event.spot in self._healed:
            value, problem = heal(earlier.load(number), source, value, arguments)
        if problem:  # what these give later may differ for that reason alone
            self._tainted.update((id(one), one) for one in touched)
        self._log.find(
            Finding(
                spot=event.spot,
                stream=stream,
                number=number,
                source=source,
                is_origin=is_origin,
                is_whole=call is not None and all(content.is_whole for content in call.contents),
                is_healed=not problem,
                problem=problem,
            )
        )
        return value


def heal(data: bytes | None, source: str, returned: Any, arguments: list[Any]) -> tuple[Any, str]:
    """Return what an expression has as its value with an earlier result put in place, and why that is not so, if not.

    `data` is the earlier result as it was saved, or None.
    """
    if data is None:
        return returned, "its result could not be kept"
    try:
        result = load_result(data)
        if names_outside(source, result):
            return returned, "it names something outside of the process"
        value, is_whole = apply_result(result, returned, arguments)
    except Exception as error:  # noqa: BLE001  # of whatever library a value comes from
        return returned, f"its result could not be put in place: {type(error).__name__}"
    return value, "" if is_whole else "its result could not be put in place"


def install(interceptor: Interceptor, workers: Workers) -> None:
    """Watch the calls of the user's code, if the plan says so. Effects: adds names to `builtins`."""
    if interceptor.plan.watches_calls:
        vars(builtins).update(CallWatcher(interceptor, workers).hooks())
