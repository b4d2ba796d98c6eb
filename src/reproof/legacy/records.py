"""The records of the hand-made batch check: files that it left are read, and files that it can read are written.

That check kept, for the first batches of a training, their shapes, targets, labels and sums in a pickled list of
dicts. A pickle can run programs when it is loaded, so these are read by `reproof.legacy.restricted_pickle`, which
runs nothing. The form is described in ``docs/legacy-records.md``.

Left out on purpose: comparing, which belongs to the comparison of traces and works on `legacy_fields`.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import stat
import time
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reproof.errors import RecordingError, TraceError, UsageError
from reproof.legacy.pickled_array import PickledArray, quote
from reproof.legacy.restricted_pickle import load_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

__all__ = [
    "LegacyBatch",
    "LegacyValue",
    "legacy_fields",
    "legacy_path",
    "newest_legacy",
    "read_legacy",
    "read_records",
    "write_legacy",
]

LegacyValue: TypeAlias = "int | float | str | bytes | tuple[LegacyValue, ...] | None"
"""A value of a record, or tuples of values nested as the recorded lists or arrays were. Targets and labels hold numbers
and strings, other keys anything plain: a dict is a tuple of its pairs and a set one of its members, after its name.
"""

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
MAX_VALUES: Final = 16_000_000
"""Limit on the targets and labels of one file, counted as often as they are mentioned."""

_MAX_DEPTH: Final = 8
_SCALARS: Final = frozenset({int, float, str, bool})
_FREE_SCALARS: Final = frozenset({float, str, bool})
"""Types of which no value is refused."""
_MAX_INTEGER_BITS: Final = 64
_WRITE_PROTOCOL: Final = 4
_FILE_NAME = re.compile(r"train_batches_(\d{8}_\d{6})_seed(-?\d+)\.pkl", re.ASCII)
_TIME_FORMAT: Final = "%Y%m%d_%H%M%S"
_RECORD_AGAIN: Final = "record it again, or give a file of the batch check (train_batches_<time>_seed<seed>.pkl)"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyBatch:
    """What the hand-made check kept of one batch of a pair-ranking model.

    Attributes:
        batch_idx: 0-based position of the batch, as the script counted it.
        data1_sum: Sum of the first input; float64, as recorded.
    """

    batch_idx: int
    data1_shape: tuple[int, ...]
    data2_shape: tuple[int, ...]
    targets: LegacyValue
    labels1: LegacyValue
    labels2: LegacyValue
    data1_sum: float
    data2_sum: float
    data1_std: float
    data2_std: float


FIELDS: Final = tuple(field.name for field in fields(LegacyBatch))
"""The keys of a record, in the order in which the hand-made check wrote and compared them."""


def legacy_fields(batch: LegacyBatch) -> dict[str, LegacyValue]:
    """Return a batch's fields by name, in the order of `FIELDS`: shapes and lists as tuples, sums as floats."""
    return {name: getattr(batch, name) for name in FIELDS}


def read_legacy(path: str | os.PathLike[str]) -> tuple[LegacyBatch, ...]:
    """Read a record of the hand-made check without running anything that it contains.

    Args:
        path: A pickled list of dicts, at most 256 MiB, of pickle protocol 0 to 5.

    Returns:
        The batches in recorded order; floats keep their bits, keys that the check does not know are left out.

    Raises:
        TraceError: The file is missing, too large, no pickle, damaged, of another form, or holds anything but plain
            containers, numbers, strings, ``torch.Size`` and numpy arrays.
    """
    records, reader = _open_records(path)
    return tuple(reader.read(position, record) for position, record in enumerate(records))


def read_records(path: str | os.PathLike[str]) -> tuple[dict[str, LegacyValue], ...]:
    """Read a record of any hand-made check: a pickled list of dicts, whatever their keys.

    Args:
        path: As for `read_legacy`.

    Returns:
        The values of each batch by key, in recorded order. Those of a batch that has all keys of the check are read as
        by `read_legacy`.

    Raises:
        TraceError: As for `read_legacy`, but for missing keys.
    """
    records, reader = _open_records(path)
    return tuple(reader.read_fields(position, record) for position, record in enumerate(records))


def _open_records(path: str | os.PathLike[str]) -> tuple[Sequence[object], _BatchReader]:
    source = str(path)
    records = load_plain(_read_file(Path(path)), source)
    if not isinstance(records, (list, tuple)):
        problem = f"{source}: holds {quote(records)} where a list of batches was expected"
        raise TraceError(problem, _RECORD_AGAIN)
    return records, _BatchReader(source)


def write_legacy(path: str | os.PathLike[str], batches: Iterable[LegacyBatch], *, force: bool = False) -> None:
    """Write a record that the hand-made check reads: a pickled list of dicts of plain values, protocol 4.

    The file appears whole or not at all. Folders that are missing are made.

    Args:
        path: The file to write.
        batches: The batches, in order.
        force: Whether a file that exists is replaced.

    Raises:
        RecordingError: The file exists and `force` is not set, or it cannot be written.
        UsageError: A batch holds a value that is not plain.
    """
    target = Path(path)
    data = pickle.dumps([_to_record(batch) for batch in batches], protocol=_WRITE_PROTOCOL)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(target, data, force=force)
    except OSError as error:
        problem = f"{target}: cannot be written ({error.strerror or error})"
        raise RecordingError(problem, "choose a folder that can be written and has room") from error


def legacy_path(folder: str | os.PathLike[str], *, material: str, frequency: str, seed: int, when: datetime) -> Path:
    """Return the name that the hand-made check gives a record; nothing is created.

    Args:
        folder: Root of all records, e.g. ``saved_models/batch_consistency``.
        material: e.g. ``plastic``.
        frequency: e.g. ``500hz``.
        seed: Seed of the training.
        when: Start of the training; the name has its local time to the second.

    Raises:
        UsageError: Material or frequency cannot be part of a folder's name.
    """
    for word in (material, frequency):
        if not re.fullmatch(r"\w[\w.+-]*", word):
            problem = f"{word!r} cannot be part of a folder's name"
            raise UsageError(problem, "use letters, digits, '_', '.', '+' and '-'")
    return Path(folder) / f"{material}_{frequency}" / f"train_batches_{when.strftime(_TIME_FORMAT)}_seed{seed}.pkl"


def newest_legacy(folder: str | os.PathLike[str], count: int = 2) -> list[Path]:
    """Return the newest pickles in a folder, newest first: by the time in the name, else by modification time.

    Files that do not end in ``.pkl`` are left out, and fewer than `count` are returned when there are no more. Raises
    TraceError if the folder is missing or cannot be read.
    """
    try:
        ranked = sorted(
            (_find_time(path, status), status.st_mtime_ns, path)
            for path in Path(folder).iterdir()
            if path.suffix == ".pkl" and stat.S_ISREG((status := path.stat()).st_mode)
        )
    except OSError as error:
        problem = f"{folder}: cannot be read as a folder ({error.strerror or error})"
        raise TraceError(problem, "give the folder that holds the records (train_batches_*.pkl)") from error
    return [path for _, _, path in reversed(ranked)][:count]


class _BatchReader:
    """Turns the dicts of one file into records, and says which value of which batch is wrong."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._where = ""
        self._num_values = 0

    def read(self, position: int, record: object) -> LegacyBatch:
        named = self._open(position, record)
        missing = [name for name in FIELDS if name not in named]
        if missing:
            problem = f"{self._source}: {self._where} has no {', '.join(missing)}"
            raise TraceError(problem, _RECORD_AGAIN)
        values: dict[str, Any] = {name: self._field(position, name, named[name]) for name in FIELDS}
        return LegacyBatch(**values)

    def read_fields(self, position: int, record: object) -> dict[str, LegacyValue]:
        named = self._open(position, record)
        is_known = all(name in named for name in FIELDS)
        ordered = [*FIELDS, *(name for name in named if name not in FIELDS)] if is_known else list(named)
        return {
            name: self._field(position, name, named[name])
            if is_known and name in FIELDS
            else self._any_field(position, name, named[name])
            for name in ordered
        }

    def _open(self, position: int, record: object) -> dict[str, object]:
        self._where = f"batch {position}"
        if not isinstance(record, dict):
            raise self._error(record, "a dict of a batch")
        return {name if isinstance(name, str) else quote(name): value for name, value in record.items()}

    def _field(self, position: int, name: str, value: object) -> Any:
        readers: dict[str, Callable[[Any], object]] = {
            "batch_idx": self._integer,
            **dict.fromkeys(("targets", "labels1", "labels2"), self._value),
        }
        self._where = f"{name} of batch {position}"
        read = readers.get(name) or (self._shape if name.endswith("_shape") else self._float)
        return read(self._plain(value))

    def _any_field(self, position: int, name: str, value: object) -> LegacyValue:
        self._where = f"{quote(name)} of batch {position}"
        return self._anything(value)

    def _anything(self, value: object, depth: int = 0) -> LegacyValue:
        value = self._plain(value)
        if depth > _MAX_DEPTH:
            raise self._error(value, f"nested at most {_MAX_DEPTH} deep")
        match value:
            case None:
                return None
            case complex():
                return ("complex", value.real, value.imag)
            case bytes() | bytearray():
                self._count(len(value))  # the same bytes can be mentioned a million times
                return bytes(value)
            case tuple() | list() | dict() | set() | frozenset():
                self._count(len(value))
                return tuple(self._members(value, depth + 1))
            case _:
                return self._scalar(value)

    def _members(self, value: Collection[Any], depth: int) -> Iterable[LegacyValue]:
        if isinstance(value, dict):
            pairs = [(self._anything(key), self._anything(item, depth)) for key, item in value.items()]
            return ("dict", *sorted(pairs, key=_sort_by_key))
        if isinstance(value, (set, frozenset)):
            return ("set", *sorted((self._anything(item) for item in value), key=_sort_key))
        return (item if type(item) in _FREE_SCALARS else self._anything(item, depth) for item in value)

    def _error(self, value: object, expected: str) -> TraceError:
        return TraceError(f"{self._source}: {self._where} is {quote(value)}, not {expected}", _RECORD_AGAIN)

    def _count(self, num_values: int) -> None:
        self._num_values += num_values
        if self._num_values > MAX_VALUES:
            problem = f"{self._source}: holds more than {MAX_VALUES} values (at {self._where})"
            raise TraceError(problem, "record fewer batches")

    def _plain(self, value: object) -> object:
        if not isinstance(value, PickledArray):
            return value
        self._count(value.num_nodes)
        try:
            return value.to_python()
        except ValueError as error:
            problem = f"{self._source}: {self._where} is a numpy array that cannot be decoded ({error})"
            raise TraceError(problem, _RECORD_AGAIN) from error

    def _integer(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > _MAX_INTEGER_BITS:
            raise self._error(value, "a whole number of at most 64 bits")
        return value

    def _float(self, value: object) -> float:
        if isinstance(value, float):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > _MAX_INTEGER_BITS:
            raise self._error(value, "a real number")
        return float(value)

    def _shape(self, value: object) -> tuple[int, ...]:
        if not isinstance(value, (tuple, list)):
            raise self._error(value, "a shape (tuple, list or torch.Size)")
        self._count(len(value))
        sizes = tuple(self._integer(self._plain(size)) for size in value)
        if any(size < 0 for size in sizes):
            raise self._error(sizes, "a shape of sizes >= 0")
        return sizes

    def _value(self, value: object, depth: int = 0) -> LegacyValue:
        value = self._plain(value)
        if isinstance(value, (tuple, list)):
            if depth == _MAX_DEPTH:
                raise self._error(value, f"nested at most {_MAX_DEPTH} deep")
            self._count(len(value))
            return tuple(
                self._scalar(item) if type(item) in _SCALARS else self._value(item, depth + 1) for item in value
            )
        return self._scalar(value)

    def _scalar(self, value: object) -> int | float | str:
        if isinstance(value, (float, str)) or (isinstance(value, int) and value.bit_length() <= _MAX_INTEGER_BITS):
            return value
        raise self._error(value, "a number, a string, or a list of them")


def _sort_key(value: LegacyValue) -> tuple[str, str]:
    """Return what orders values of several types: sets, and dicts under comparison, have no order."""
    return type(value).__name__, repr(value)


def _sort_by_key(pair: tuple[LegacyValue, LegacyValue]) -> tuple[str, str]:
    return _sort_key(pair[0])


def _read_file(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            problem = f"{path}: not a regular file"
            raise TraceError(problem, _RECORD_AGAIN)
        if status.st_size > MAX_FILE_BYTES:
            problem = f"{path}: {status.st_size} bytes, more than the {MAX_FILE_BYTES} that are read"
            raise TraceError(problem, "record fewer batches")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        problem = f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})"
        raise TraceError(problem, "check the name and the permissions of the file") from error


def _to_record(batch: LegacyBatch) -> dict[str, Any]:
    shapes = {"data1_shape": tuple(batch.data1_shape), "data2_shape": tuple(batch.data2_shape)}
    return {name: _to_plain(value) for name, value in legacy_fields(batch).items()} | shapes


def _to_plain(value: LegacyValue) -> Any:
    """Return the value as the hand-made check kept it, lists for tuples; subclasses become what they extend."""
    if isinstance(value, (tuple, list)):
        return [_to_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    problem = f"a batch holds a value of type {type(value).__name__}"
    raise UsageError(problem, "give plain numbers, strings and tuples, e.g. tensor.tolist()")


def _write_whole(target: Path, data: bytes, *, force: bool) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if force:
            draft.replace(target)
        else:
            _publish_new(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _publish_new(draft: Path, target: Path) -> None:
    """Give a file its name without replacing another."""
    try:
        _rename_new(draft, target)
    except FileExistsError:
        raise RecordingError(f"{target}: exists already", "choose another name, or force it to be replaced") from None


def _rename_new(draft: Path, target: Path) -> None:
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name first
        target.open("xb").close()
        draft.replace(target)


def _find_time(path: Path, status: os.stat_result) -> float:
    """Return the local time in a file's name as seconds since the epoch, or the time of its last change."""
    match = _FILE_NAME.fullmatch(path.name)
    if match is not None:
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.strptime(match[1], _TIME_FORMAT).timestamp()  # noqa: DTZ007 - names hold local time
    return status.st_mtime
