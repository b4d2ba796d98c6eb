"""The pickles of the hand-made batch check are read, written, named and found."""

from __future__ import annotations

import datetime as dt
import errno
import math
import os
import pickle
import pickletools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reproof.errors import RecordingError, TraceError, UsageError
from reproof.legacy import records as legacy
from reproof.legacy.records import (
    LegacyBatch,
    legacy_fields,
    legacy_path,
    newest_legacy,
    read_legacy,
    write_legacy,
)

KEYS = [
    "batch_idx",
    "data1_shape",
    "data2_shape",
    "targets",
    "labels1",
    "labels2",
    "data1_sum",
    "data2_sum",
    "data1_std",
    "data2_std",
]

BATCH = LegacyBatch(
    batch_idx=0,
    data1_shape=(4, 1, 100),
    data2_shape=(4, 1, 100),
    targets=(1.0, -1.0, 1.0, 1.0),
    labels1=(0, 3, 2, 1),
    labels2=(2, 1, 0, 0),
    data1_sum=-0.1,
    data2_sum=1e300,
    data1_std=0.1 + 0.2,
    data2_std=5e-324,
)


def record_like_the_check(index: int = 0) -> dict[str, Any]:
    """Return what the hand-made check kept of a batch, made by the same calls on real tensors."""
    source = torch.Generator().manual_seed(index)
    data1, data2 = torch.randn(4, 1, 100, generator=source), torch.randn(4, 1, 100, generator=source)
    label1, label2 = torch.randint(0, 5, (2, 4), generator=source)
    return {
        "batch_idx": index,
        "data1_shape": data1.shape,
        "data2_shape": tuple(data2.shape),
        "targets": torch.sign(label1 - label2).float().tolist(),
        "labels1": label1.numpy(),
        "labels2": label2.tolist(),
        "data1_sum": data1.sum().item(),
        "data2_sum": data2.sum().numpy()[()],
        "data1_std": data1.std().item(),
        "data2_std": np.float64(data2.std().item()),
    }


def write_pickle(path: Path, value: object, protocol: int = 4) -> Path:
    """Write a pickle as a script would, and return its path."""
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def with_value(key: str, value: object) -> list[dict[str, Any]]:
    """Return a record of one batch in which one value is another."""
    return [{**record_like_the_check(), key: value}]


@pytest.mark.parametrize("protocol", range(6))
def test_a_record_of_the_check_is_read_exactly(tmp_path: Path, protocol: int) -> None:
    """Shapes become tuples, lists and arrays tuples of Python numbers, sums floats with the same bits."""
    records = [record_like_the_check(index) for index in range(3)]

    batches = read_legacy(write_pickle(tmp_path / "a.pkl", records, protocol))

    assert [batch.batch_idx for batch in batches] == [0, 1, 2]
    for record, batch in zip(records, batches, strict=True):
        assert batch.data1_shape == (4, 1, 100)
        assert type(batch.data1_shape) is tuple
        assert batch.targets == tuple(record["targets"])
        assert batch.labels1 == tuple(record["labels1"].tolist())
        assert batch.labels2 == tuple(record["labels2"])
        for name in ("data1_sum", "data2_sum", "data1_std", "data2_std"):
            assert getattr(batch, name).hex() == float(record[name]).hex()
            assert type(getattr(batch, name)) is float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (True, True),
        ("plastic", "plastic"),
        (["near", "far"], ("near", "far")),
        (np.array(["near", "far"]), ("near", "far")),
        (np.array(2), 2),
        (np.float32(0.5), 0.5),
        ([np.int64(1), np.array([2, 3])], (1, (2, 3))),
        (torch.arange(4).reshape(2, 2).tolist(), ((0, 1), (2, 3))),
        ([], ()),
    ],
)
def test_targets_and_labels_may_be_numbers_strings_lists_or_arrays(
    tmp_path: Path, value: object, expected: object
) -> None:
    """Whatever a script kept as targets or labels is read as plain values, nested as it was."""
    (batch,) = read_legacy(write_pickle(tmp_path / "a.pkl", with_value("labels1", value)))

    assert batch.labels1 == expected
    assert type(batch.labels1) is type(expected)


@pytest.mark.parametrize("shape", [(2, 3), [2, 3], torch.Size([2, 3]), np.array([2, 3]), (np.int64(2), 3)])
def test_shapes_may_be_of_any_kind(tmp_path: Path, shape: object) -> None:
    """Tuples, lists, torch.Size and arrays all mean the same shape."""
    (batch,) = read_legacy(write_pickle(tmp_path / "a.pkl", with_value("data2_shape", shape)))

    assert batch.data2_shape == (2, 3)


def test_special_numbers_keep_their_meaning(tmp_path: Path) -> None:
    """NaN, infinity and -0.0 are read as such, and whole numbers as floats."""
    record = record_like_the_check()
    record |= {"data1_sum": float("nan"), "data2_sum": -0.0, "data1_std": np.float32("inf"), "data2_std": 7}

    (batch,) = read_legacy(write_pickle(tmp_path / "a.pkl", [record]))

    assert math.isnan(batch.data1_sum)
    assert math.copysign(1, batch.data2_sum) == -1
    assert (batch.data1_std, batch.data2_std) == (math.inf, 7.0)


def test_a_record_without_batches_and_keys_of_others_are_accepted(tmp_path: Path) -> None:
    """An empty list is an empty record; keys that the check does not know are left out."""
    assert read_legacy(write_pickle(tmp_path / "none.pkl", [])) == ()
    assert len(read_legacy(write_pickle(tmp_path / "more.pkl", with_value("comment", {"by": ["hand"]})))) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"batch_idx": 0}, "holds a value of type dict where a list of batches was expected"),
        ("text", "holds 'text' where a list"),
        ([5], "batch 0 is 5, not a dict"),
        ([record_like_the_check(), {"batch_idx": 1}], "batch 1 has no data1_shape, data2_shape, targets"),
        (with_value("batch_idx", "0"), "batch_idx of batch 0 is '0', not a whole number"),
        (with_value("batch_idx", 2**70), "is an integer of 71 bits, not a whole number"),
        (with_value("data1_shape", 3), "data1_shape of batch 0 is 3, not a shape"),
        (with_value("data1_shape", (3, -1)), "is (3, -1), not a shape of sizes >= 0"),
        (with_value("data1_shape", (3, 2.0)), "is 2.0, not a whole number"),
        (with_value("data2_sum", "much"), "data2_sum of batch 0 is 'much', not a real number"),
        (with_value("data2_sum", None), "data2_sum of batch 0 is None, not a real number"),
        (with_value("data2_sum", 1j), "is 1j, not a real number"),
        (with_value("data2_std", 10**400), "is an integer of 1329 bits, not a real number"),
        (with_value("targets", None), "targets of batch 0 is None, not a number, a string, or a list"),
        (with_value("targets", {1: 2}), "targets of batch 0 is a value of type dict"),
        (with_value("labels2", [[[[[[[[[1]]]]]]]]]), "not nested at most 8 deep"),
    ],
)
def test_what_is_not_such_a_record_is_said_with_the_value(tmp_path: Path, content: object, expected: str) -> None:
    """Each error names the file, the batch and the value, and says what to do, in one line."""
    path = write_pickle(tmp_path / "a.pkl", content)

    with pytest.raises(TraceError) as caught:
        read_legacy(path)

    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "record it again" in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_other_kinds_of_files_are_one_line_errors(tmp_path: Path) -> None:
    """What cannot be read is named with the reason."""
    (tmp_path / "empty.pkl").touch()
    (tmp_path / "text.pkl").write_text("batch,target\n1,2\n")
    os.mkfifo(tmp_path / "pipe.pkl")
    torch.save([record_like_the_check()], tmp_path / "torch.pkl")

    for name, reason in {
        "missing.pkl": "No such file",
        "": "not a regular file",
        "pipe.pkl": "not a regular file",
        "empty.pkl": "not a readable pickle",
        "text.pkl": "not a readable pickle",
        "torch.pkl": "not a readable pickle",
        "nul\0.pkl": "null",
    }.items():
        with pytest.raises(TraceError, match=reason) as caught:
            read_legacy(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    """A sparse file of a terabyte is refused by its size."""
    path = tmp_path / "huge.pkl"
    with path.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(TraceError, match=r"1099511627776 bytes, more than the 268435456"):
        read_legacy(path)


def test_a_hostile_record_is_refused_by_name_and_runs_nothing(tmp_path: Path) -> None:
    """A program hidden in a batch is not run; the error names the file and the function."""
    marker = tmp_path / "marker"
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"](}X\x09\x00\x00\x00batch_idxcos\nsystem\nX%c\x00\x00\x00" % len(f"touch {marker}")
                     + f"touch {marker}".encode() + b"\x85Rse.")  # fmt: skip

    with pytest.raises(TraceError, match=r"evil\.pkl: refuses os\.system .*nothing of it was run"):
        read_legacy(path)

    assert not marker.exists()
    subprocess.run([sys.executable, "-c", f"import pickle; pickle.load(open({str(path)!r}, 'rb'))"], check=True)
    assert marker.exists(), "the file of this test is not hostile"


def test_lists_that_hold_themselves_or_multiply_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Self-reference, and a few lists of lists that stand for 10**9 values, end in an error at the limit."""
    monkeypatch.setattr(legacy, "MAX_VALUES", 10_000)
    itself: list[Any] = []
    itself.append(itself)
    many: list[Any] = [0] * 20
    for _ in range(6):
        many = [many] * 20
    rows = np.zeros((2**40, 0))

    for value, reason in (
        (itself, "nested at most 8"),
        (many, "more than 10000 values"),
        (rows, "more than 10000 values"),
    ):
        with pytest.raises(TraceError, match=reason):
            read_legacy(write_pickle(tmp_path / "a.pkl", with_value("targets", value)))


def test_an_array_that_was_never_filled_is_refused(tmp_path: Path) -> None:
    """An array without its data, and text that is no text, are said of the batch that holds them."""
    hollow = pickle.dumps(with_value("targets", "HERE"), 2).replace(
        b"X\x04\x00\x00\x00HERE", b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    )
    (tmp_path / "hollow.pkl").write_bytes(hollow)
    texts = pickle.dumps(with_value("targets", np.array(["x"])), 4).replace(b"x\0\0\0", b"\xff\xff\xff\xff")
    (tmp_path / "texts.pkl").write_bytes(texts)

    for name in ("hollow.pkl", "texts.pkl"):
        with pytest.raises(TraceError, match="targets of batch 0 is a numpy array that cannot be decoded"):
            read_legacy(tmp_path / name)


def test_fields_have_the_order_of_the_check() -> None:
    """Comparing goes through the fields in one stable order, as plain Python values."""
    assert list(legacy_fields(BATCH)) == KEYS
    assert legacy_fields(BATCH)["labels1"] == (0, 3, 2, 1)


def test_what_is_written_is_what_the_check_reads(tmp_path: Path) -> None:
    """Python's own pickle module gives a list of dicts of lists, tuples and numbers, in protocol 4."""
    path = tmp_path / "new" / "folder" / "a.pkl"

    write_legacy(path, [BATCH, replace(BATCH, batch_idx=1, data1_shape=())])

    first, second = pickle.loads(path.read_bytes())
    assert list(first) == KEYS
    assert first == {**legacy_fields(BATCH), "targets": [1.0, -1.0, 1.0, 1.0], "labels1": [0, 3, 2, 1],
                     "labels2": [2, 1, 0, 0]}  # fmt: skip
    assert (second["batch_idx"], second["data1_shape"]) == (1, ())
    opcodes = {opcode.name: argument for opcode, argument, _ in pickletools.genops(path.read_bytes())}
    assert opcodes["PROTO"] == 4
    assert not opcodes.keys() & {"GLOBAL", "STACK_GLOBAL", "REDUCE"}


def test_writing_and_reading_gives_the_same_batches(tmp_path: Path) -> None:
    """Nested targets, strings, subclasses of numbers and extreme floats survive."""
    batches = (BATCH, replace(BATCH, targets=((1, 0.5), ("far", True)), labels1=np.float64(1.5), data1_sum=-0.0))

    write_legacy(tmp_path / "a.pkl", batches)

    assert read_legacy(tmp_path / "a.pkl") == batches
    assert math.copysign(1, read_legacy(tmp_path / "a.pkl")[1].data1_sum) == -1


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    """A file that exists stays as it is unless it is forced, and no draft is left behind."""
    path = tmp_path / "a.pkl"
    write_legacy(path, [BATCH])
    before = path.read_bytes()

    with pytest.raises(RecordingError, match=r"a\.pkl: exists already"):
        write_legacy(path, [])
    assert path.read_bytes() == before

    write_legacy(path, [], force=True)
    assert read_legacy(path) == ()
    assert [item.name for item in tmp_path.iterdir()] == ["a.pkl"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_is_never_overwritten_by_a_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """Two writers of one name: the second is refused, also where the file system has no hard links."""

    def refuse_link(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse_link)
    write_legacy(tmp_path / "a.pkl", [BATCH])

    with pytest.raises(RecordingError, match="exists already"):
        write_legacy(tmp_path / "a.pkl", [])

    assert read_legacy(tmp_path / "a.pkl") == (BATCH,)
    assert [item.name for item in tmp_path.iterdir()] == ["a.pkl"]


def test_a_full_disk_or_a_folder_that_is_a_file_is_a_one_line_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written is named, and neither the file nor a draft is left."""
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=r"file/a\.pkl: cannot be written"):
        write_legacy(tmp_path / "file" / "a.pkl", [BATCH])

    def refuse_sync(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse_sync)
    with pytest.raises(RecordingError, match="No space left on device"):
        write_legacy(tmp_path / "a.pkl", [BATCH])
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_values_that_are_not_plain_are_refused_when_written(tmp_path: Path) -> None:
    """A tensor among the labels is named before anything is written."""
    with pytest.raises(UsageError, match="a value of type Tensor"):
        write_legacy(tmp_path / "a.pkl", [replace(BATCH, labels1=(torch.tensor(1),))])

    assert not list(tmp_path.iterdir())


def test_names_follow_the_scheme_of_the_check() -> None:
    """Material, frequency, time and seed make the path."""
    when = dt.datetime(2024, 3, 9, 7, 5, 1)  # noqa: DTZ001  # names hold local time
    path = legacy_path("saved_models/batch_consistency", material="plastic", frequency="500hz", seed=42, when=when)

    assert path == Path("saved_models/batch_consistency/plastic_500hz/train_batches_20240309_070501_seed42.pkl")


@pytest.mark.parametrize("material", ["", "..", "a/b", "a b", "\n", "plastic\n"])
def test_a_material_that_is_no_folder_name_is_refused(material: str) -> None:
    """A path cannot leave its folder."""
    with pytest.raises(UsageError, match="cannot be part of a folder's name"):
        legacy_path("x", material=material, frequency="500hz", seed=1, when=dt.datetime(2024, 1, 1))  # noqa: DTZ001


def test_the_newest_records_are_found_by_the_time_in_their_names(tmp_path: Path) -> None:
    """Newest first by the time in the name, else by modification time; files that are no pickles do not count."""
    names = [
        "train_batches_20240309_070501_seed42.pkl",
        "train_batches_20240309_070501_seed7.pkl",
        "train_batches_20231231_235959_seed42.pkl",
        "run_a.pkl",
        "train_batches_20249999_000000_seed42.pkl",
        "train_batches_20250101_000000_seed42.pkl.bak",
        "notes.txt",
    ]
    for age, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))

    assert [path.name for path in newest_legacy(tmp_path)] == names[:2]
    assert [path.name for path in newest_legacy(tmp_path, 9)] == names[:5]
    os.utime(tmp_path / names[1], (2_000_000, 2_000_000))
    assert [path.name for path in newest_legacy(tmp_path, 1)] == [names[1]]
    os.utime(tmp_path / "run_a.pkl", (1_900_000_000, 1_900_000_000))
    (tmp_path / "folder.pkl").mkdir()
    assert [path.name for path in newest_legacy(tmp_path, 2)] == ["run_a.pkl", names[1]]


def test_a_folder_that_cannot_be_searched_is_a_one_line_error(tmp_path: Path) -> None:
    """A missing folder is named with what to give instead."""
    with pytest.raises(TraceError, match=r"nowhere: cannot be read as a folder .*train_batches_"):
        newest_legacy(tmp_path / "nowhere")
