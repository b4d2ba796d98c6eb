"""Write a trace in forms that other tools read: JSON lines with the standard library, Parquet with pyarrow."""

from __future__ import annotations

import importlib
import json
import math
import os
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from reproof.errors import DependencyError, RecordingError
from reproof.trace.writer import cannot_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reproof.trace.rank import RankTrace
    from reproof.trace.reader import Trace

ExportFormat = Literal["jsonl", "parquet"]
ROWS_AT_A_TIME: Final = 65536

COLUMNS: Final = (
    "rank",
    "frame",
    "step",
    "stage",
    "detail",
    "name",
    "algorithm",
    "digest",
    "tensors",
    "skipped",
    "seconds",
)
"""The columns of an export, one row per event; `exact`, `statistics` and `samples` follow where numbers were kept."""

NUMBER_COLUMNS: Final = ("exact", "statistics", "samples")


def export_trace(trace: Trace, path: Path, form: ExportFormat, *, force: bool = False) -> int:
    """Write every event of a trace as a row.

    The file appears whole or not at all; the form is ``jsonl`` or ``parquet``. Returns the number of rows. Raises
    RecordingError if the file exists and `force` is false, or cannot be written; DependencyError if pyarrow is needed
    and not installed.
    """
    try:
        if path.exists() and not force:
            raise RecordingError(f"{path} already exists", "choose another file or add --force", slug="file-exists")
        return _write_whole(trace, path, write_jsonl if form == "jsonl" else write_parquet)
    except OSError as error:
        raise cannot_write(path, error) from None


def _write_whole(trace: Trace, path: Path, write: Callable[[Trace, IO[bytes]], int]) -> int:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            num_rows = write(trace, file)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return num_rows


def write_jsonl(trace: Trace, file: IO[bytes]) -> int:
    """Write one JSON object per event and return how many."""
    num_rows = 0
    for row in rows_of(trace):
        line = to_json({**row, **{kind: spell_numbers(row[kind]) for kind in NUMBER_COLUMNS if kind in row}})
        file.write(line.encode("utf-8", "backslashreplace") + b"\n")
        num_rows += 1
    return num_rows


to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def spell_numbers(numbers: list[Any]) -> list[Any]:
    """Return numbers with words for those that JSON has none for, as the JSON form of protocol buffers does."""
    return [NOT_IN_JSON[repr(x)] if isinstance(x, float) and not math.isfinite(x) else x for x in numbers]


NOT_IN_JSON: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def write_parquet(trace: Trace, file: IO[bytes]) -> int:
    """Write a Parquet table of the events and return how many. Raises DependencyError if pyarrow is not installed."""
    try:
        pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise DependencyError("Parquet needs pyarrow", "pip install 'reproof[parquet]'") from None
    schema = parquet_schema(pa)
    num_rows = 0
    rows = rows_of(trace)
    with pq.ParquetWriter(file, schema) as writer:
        while block := list(islice(rows, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist([as_table_row(row) for row in block], schema=schema))
            num_rows += len(block)
    return num_rows


def parquet_schema(pa: Any) -> Any:  # pyarrow, imported when used
    """Return the types of the columns."""
    integers = dict.fromkeys(("rank", "frame", "step", "tensors"), pa.int64())
    numbers = {"exact": pa.list_(pa.float64()), "statistics": pa.list_(pa.float64()), "samples": pa.list_(pa.int64())}
    types = {**integers, "seconds": pa.float64(), **numbers}
    return pa.schema([(name, types.get(name, pa.string())) for name in (*COLUMNS, *NUMBER_COLUMNS)])


def as_table_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that Parquet can hold.

    Exact numbers become floats, so that all fit one column: integers beyond 2**53 lose their last digits. Lone
    surrogates, which JSON can say and Parquet cannot, are escaped.
    """
    fitting = {key: escape_surrogates(value) if isinstance(value, str) else value for key, value in row.items()}
    if "exact" in row:
        fitting["exact"] = [float(value) for value in row["exact"]]
    return fitting


def escape_surrogates(text: str) -> str:
    """Return a text that UTF-8 can hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def rows_of(trace: Trace) -> Iterator[dict[str, Any]]:
    """Yield the events of all processes, in execution order within each."""
    for rank in sorted(trace.ranks):
        yield from rows_of_rank(trace.ranks[rank])


def rows_of_rank(rank: RankTrace) -> Iterator[dict[str, Any]]:
    """Yield the events of one process, in execution order."""
    for frame in rank.frames():
        numbers = rank.numbers(frame.number)
        for position, event in enumerate(frame.layout.events):
            skipped = event.skipped
            values = (
                rank.rank,
                frame.number,
                frame.step,
                event.stage,
                event.detail,
                event.name,
                event.algorithm,
                None if skipped else frame.digest(position).hex(),
                event.num_tensors,
                skipped,
                frame.elapsed_seconds,
            )
            row = dict(zip(COLUMNS, values, strict=True))
            kept = {kind: numbers.get((position, kind)) for kind in NUMBER_COLUMNS}
            yield {**row, **{kind: list(found.values) for kind, found in kept.items() if found is not None}}
