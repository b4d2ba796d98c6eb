"""What experiments within a run have found: files beside the trace, one JSON object per line.

`rankR.repetition.jsonl` has the operations that gave other bits when executed again, `rankR.poison.json` the events
that show uninitialised memory, `rankR.numbers.json` the numbers that tensors gave to Python, `rankR.samples.json` the
samples of one batch. They are evidence for
causes, and tell results from counts in what was printed; they take no part in a comparison.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
from array import array
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.schema import OP_PHASES, STAGES, PoisonedEvent, Repetitions, UnstableOp
from reproof.trace import format as fmt
from reproof.trace.fields import Fields
from reproof.trace.files import damaged, read_file

if TYPE_CHECKING:
    from pathlib import Path

REPETITION: Final = "repetition.jsonl"
POISON: Final = "poison.json"
GIVEN: Final = "numbers.json"
SAMPLES: Final = "samples.json"
MAX_COUNTS: Final = 64
MAX_COUNT: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSamples:
    """Samples of a batch, as far as they are shown: images of `height` rows and `width` columns, or signals of one row.

    Attributes:
        name: The event that they are of.
        values: Their float32 numbers, one sample after the other, row by row.
        step: Step of the batch; None in older traces, all of experiments.
    """

    name: str
    count: int
    height: int
    width: int
    values: array[float]
    step: int | None = None


class RepetitionWriter:
    """Appends what repeating operations finds."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Create the file. Raises OSError if the file system refuses."""
        path = folder / fmt.file_name(rank, REPETITION)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def add(self, op: UnstableOp) -> None:
        """Write an operation."""
        self._append(asdict(op))

    def close(self, num_repeated: int, num_left_out: int) -> None:
        """Write how many operations were looked at, and close."""
        if self._descriptor >= 0:
            self._append({"num_repeated": num_repeated, "num_left_out": num_left_out})
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, entry: dict[str, Any]) -> None:
        os.write(self._descriptor, f"{json.dumps(entry)}\n".encode())


def read_repetitions(folder: Path, rank: int) -> Repetitions | None:
    """Read what repeating operations has found; None if it was not asked for.

    Raises TraceError if the file is damaged. An unfinished last line is what a killed process leaves and is ignored.
    """
    path = folder / fmt.file_name(rank, REPETITION)
    if not path.exists():
        return None
    unstable: list[UnstableOp] = []
    counts: tuple[int, int] | None = None
    for number, line in enumerate(read_file(path).split(b"\n")[:-1], start=1):
        try:
            fields = Fields(json.loads(line.decode("utf-8")))
            if "name" in fields:
                unstable.append(parse_unstable(fields))
            else:
                counts = fields.number("num_repeated"), fields.number("num_left_out")
        except (ValueError, RecursionError):
            raise damaged(path, f"line {number} is not what repeating an operation leaves") from None
    num_repeated, num_left_out = counts or (0, 0)
    return Repetitions(
        unstable=tuple(unstable),
        num_repeated=num_repeated,
        num_left_out=num_left_out,
        is_complete=counts is not None,
    )


def parse_unstable(fields: Fields) -> UnstableOp:
    """Read an operation from its JSON object."""
    max_abs = None if fields.is_null("max_abs") else fields.take("max_abs", float)
    if max_abs is not None and not math.isfinite(max_abs):
        raise fields.wrong("max_abs")
    return UnstableOp(
        phase=fields.choice("phase", OP_PHASES),
        max_abs=max_abs,
        max_ulp=None if fields.is_null("max_ulp") else fields.number("max_ulp"),
        stable_with=fields.texts("stable_with"),
        raises_with=fields.texts("raises_with"),
        ulps=_parse_counts(fields, "ulps"),
        **fields.plain(
            texts=("name", "overload", "module", "file", "function"),
            numbers=("step", "num_events", "line", "num_results", "num_distinct", "num_elements", "num_differing"),
        ),
    )


def _parse_counts(fields: Fields, name: str) -> tuple[int, ...]:
    """Read numbers of elements; none where an earlier version has written the file."""
    counts = fields.take(name, list) if name in fields else []
    if len(counts) > MAX_COUNTS or not all(type(count) is int and 0 <= count < MAX_COUNT for count in counts):
        raise fields.wrong(name)
    return tuple(counts)


def write_poisoned(
    folder: Path, rank: int, events: tuple[PoisonedEvent, ...], places: tuple[tuple[str, int], ...] = ()
) -> None:
    """Write the events that show poison, and the files and lines that allocated memory.

    Raises OSError if the file system refuses.
    """
    entry = {"events": [asdict(event) for event in events], "places": places}
    (folder / fmt.file_name(rank, POISON)).write_text(json.dumps(entry) + "\n", encoding="utf-8")


def read_poisoned(folder: Path, rank: int) -> tuple[PoisonedEvent, ...]:
    """Read the events of a run that show poison: of each name the last one.

    Raises TraceError if the file is missing, because the run was not asked for it or was killed, or it is damaged.
    """
    path = folder / fmt.file_name(rank, POISON)
    try:
        entries = Fields(json.loads(read_file(path).decode("utf-8"))).take("events", list)
        return tuple(_parse_poisoned(Fields(entry)) for entry in entries)
    except (ValueError, RecursionError):
        raise damaged(path, "it does not tell of poisoned events") from None


def _parse_poisoned(fields: Fields) -> PoisonedEvent:
    return PoisonedEvent(
        stage=fields.choice("stage", STAGES),
        **fields.plain(texts=("name", "file", "function"), numbers=("step", "line", "num_poisoned", "num_elements")),
    )


def read_poisoned_places(folder: Path, rank: int) -> tuple[tuple[str, int], ...]:
    """Read which files and lines allocated memory in a run, in that order. Raises TraceError as for `read_poisoned`."""
    path = folder / fmt.file_name(rank, POISON)
    try:
        places = Fields(json.loads(read_file(path).decode("utf-8"))).take("places", list)
        if all(isinstance(place, list) and [type(part) for part in place] == [str, int] for place in places):
            return tuple((file, line) for file, line in places)
    except (ValueError, RecursionError):
        pass
    raise damaged(path, "it does not tell which places allocated memory")


def write_samples(folder: Path, rank: int, kept: KeptSamples) -> None:
    """Write the samples of a batch. Raises OSError if the file system refuses."""
    values = array("f", kept.values)
    if sys.byteorder == "big":
        values.byteswap()
    sizes = {name: getattr(kept, name) for name in ("name", "step", "count", "height", "width")}
    entry = {**sizes, "values": base64.b64encode(values.tobytes()).decode("ascii")}
    path = folder / fmt.file_name(rank, SAMPLES)
    path.touch(mode=0o600)  # they are the user's data
    path.write_text(json.dumps(entry) + "\n", encoding="utf-8")


def read_samples(folder: Path, rank: int) -> KeptSamples | None:
    """Read the samples of a batch; None if none were kept. Raises TraceError if the file is damaged."""
    path = folder / fmt.file_name(rank, SAMPLES)
    if not path.exists():
        return None
    try:
        fields = Fields(json.loads(read_file(path).decode("utf-8")))
        count, height, width = (fields.number(name, minimum=1) for name in ("count", "height", "width"))
        values = array("f", base64.b64decode(fields.take("values", str), validate=True))
        if sys.byteorder == "big":
            values.byteswap()
        step = fields.number("step") if "step" in fields and not fields.is_null("step") else None
        name = fields.take("name", str)
        if len(values) == count * height * width:
            return KeptSamples(name=name, count=count, height=height, width=width, values=values, step=step)
    except (ValueError, RecursionError):
        pass
    raise damaged(path, "it does not hold samples")


def write_given(folder: Path, rank: int, numbers: frozenset[int | float]) -> None:
    """Write the numbers that tensors gave to Python. Raises OSError if the file system refuses."""
    entry = {"numbers": [number for number in numbers if math.isfinite(number)]}
    (folder / fmt.file_name(rank, GIVEN)).write_text(json.dumps(entry) + "\n", encoding="utf-8")


def read_given(folder: Path, rank: int) -> frozenset[int | float]:
    """Read the numbers that tensors gave to Python in a run; those that are not finite are left out.

    Raises TraceError if the file is missing, because the run was not asked for it or was killed, or it is damaged.
    """
    path = folder / fmt.file_name(rank, GIVEN)
    try:
        numbers = Fields(json.loads(read_file(path).decode("utf-8"))).take("numbers", list)
        if all(type(number) in {int, float} for number in numbers):
            return frozenset(numbers)
    except (ValueError, RecursionError):
        pass
    raise damaged(path, "it does not hold numbers")
