"""Tell copies of states that the training went through from states of their own, in stage ``final``.

A thread that evaluates snapshots, or a script that keeps one whenever a minute has passed, leaves copies of the model:
how many and of which steps is decided by time. Each is equal to what the model was at some step, which both runs have
recorded and which is compared there. So such a copy proves nothing of its own, and one that only one of the runs has
is told, not judged. A state that neither run's training went through, such as an average, remains a difference, and so
does what the trained model itself holds in the end, whichever state that is: a script may load its best one again.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from typing import TYPE_CHECKING, Final

from reproof.schema import DIGEST_BYTES, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.comparison.tally import Place
    from reproof.trace import RankTrace

STATES: Final[frozenset[Stage]] = frozenset({"init", "update"})
"""Stages in which the state of a model is recorded."""


def members_of(trace: RankTrace, place: Place) -> Counter[bytes]:
    """Return the digests that an event of stage ``final`` was made from, with how often each was there."""
    numbers = trace.numbers(place.frame).get((place.position, "members"))
    if numbers is None:
        return Counter([trace.frame(place.frame).digest(place.position)])
    packed = struct.pack(f"<{len(numbers.values)}Q", *numbers.values)
    return Counter(packed[i : i + DIGEST_BYTES] for i in range(0, len(packed), DIGEST_BYTES))


def are_snapshots(traces: tuple[RankTrace, RankTrace], found: tuple[Counter[bytes], Counter[bytes]]) -> bool:
    """Whether what only one of two runs has left are states that a training of these runs went through.

    `found` has the digests at one place of each; it is empty where a run has nothing there.
    """
    only = (found[0] - found[1]) + (found[1] - found[0])
    return bool(only) and all(is_state(traces, digest) for digest in only)


def find_trained(traces: Iterable[RankTrace]) -> frozenset[str]:
    """Return the names of the models and optimizers that these runs trained."""
    names = {event.name for trace in traces for event in trace.events if event.stage == "update"}
    return frozenset(owner_of(name) for name in names)


def owner_of(name: str) -> str:
    """Return the model or optimizer in the name of an event: ``Net`` in ``Net.fc.weight``, ``SGD`` in ``SGD lr``."""
    return re.split(r"[. ]", name, maxsplit=1)[0]


def is_state(traces: Iterable[RankTrace], digest: bytes) -> bool:
    """Whether some part of a model had these bits at the end of a step, or at the beginning."""
    return any(trace.has_digest(digest, STATES) for trace in traces)
