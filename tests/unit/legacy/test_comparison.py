"""Two pickles of the hand-made batch check are compared: never identical, at best equivalent."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli import main
from reproof.comparison import compare
from reproof.errors import TraceError
from reproof.legacy.records import FIELDS, LegacyBatch, write_legacy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Comparison

BATCH = LegacyBatch(
    batch_idx=0,
    data1_shape=(4, 1, 100),
    data2_shape=(4, 1, 100),
    targets=(1.0, -1.0, 0.0, 1.0),
    labels1=(0, 3, 2, 1),
    labels2=(2, 1, 0, 0),
    data1_sum=-0.25,
    data2_sum=1e9,
    data1_std=0.5,
    data2_std=1.5,
)
BATCHES = [replace(BATCH, batch_idx=i, data1_sum=-0.25 - i) for i in range(3)]


@pytest.fixture
def compare_batches(tmp_path: Path) -> Callable[..., Comparison]:
    """Return a function that writes two records and compares them."""

    def write_and_compare(a: list[LegacyBatch], b: list[LegacyBatch], **options: Any) -> Comparison:
        write_legacy(tmp_path / "a.pkl", a, force=True)
        write_legacy(tmp_path / "b.pkl", b, force=True)
        return compare(tmp_path / "a.pkl", tmp_path / "b.pkl", **options)

    return write_and_compare


def changed(position: int, **fields: Any) -> list[LegacyBatch]:
    """Return the batches with fields of one of them changed."""
    return [replace(batch, **fields) if i == position else batch for i, batch in enumerate(BATCHES)]


@pytest.mark.parametrize("tolerance", [None, 1e-6, 0.0])
def test_equal_records_are_equivalent(compare_batches: Any, tolerance: float | None) -> None:
    """Within the tolerance of the check unless another is given; that equal sums prove little is told, not judged."""
    comparison = compare_batches(BATCHES, BATCHES, tolerance=tolerance)
    assert (comparison.verdict, comparison.exit_code, comparison.num_within_tolerance) == ("equivalent", 0, 0)
    assert comparison.tolerance == (1e-6 if tolerance is None else tolerance)
    assert (comparison.num_events, comparison.num_steps, comparison.skipped) == (30, 3, ())
    assert comparison.limits


def test_sums_within_the_tolerance_are_equivalent(compare_batches: Any) -> None:
    """Small differences are counted, and none is described."""
    others = changed(1, data1_sum=-1.25 + 9e-7, data2_sum=1e9 + 900)
    comparison = compare_batches(BATCHES, others, tolerance=1e-6)
    assert (comparison.verdict, comparison.num_within_tolerance, comparison.first) == ("equivalent", 2, None)


@pytest.mark.parametrize(
    ("fields", "name", "explanation"),
    [
        ({"data1_sum": -1.25 + 2e-6}, "data1_sum", "its value differs"),
        ({"targets": (-1.0, 1.0, 0.0, 1.0)}, "targets", "the same 4 values in another order"),
        ({"labels1": (0, 3, 2, 7)}, "labels1", "1 of 4 values differs"),
        ({"labels2": (2, 1, 0)}, "labels2", "4 values against 3"),
        ({"labels2": ((2, 1), (0, 0))}, "labels2", "the same values in another shape or data type"),
        ({"labels1": ("a", "b", "c", "d")}, "labels1", "4 of 4 values differ"),
        ({"data1_shape": (4, 100)}, "data1_shape", "3 values against 2"),
        ({"data2_shape": (1, 4, 100)}, "data2_shape", "the same 3 values in another order"),
        ({"data2_std": math.nan}, "data2_std", "its value differs"),
        ({"batch_idx": 7}, "batch_idx", "its value differs"),
    ],
)
@pytest.mark.parametrize("tolerance", [None, 1e-6])
def test_a_difference_names_batch_and_field(
    compare_batches: Any, fields: Any, name: str, explanation: str, tolerance: float | None
) -> None:
    """With and without a tolerance the runs have diverged, in this batch and this field."""
    comparison = compare_batches(BATCHES, changed(1, **fields), tolerance=tolerance)
    assert (comparison.verdict, comparison.exit_code) == ("diverged", 1)
    first = comparison.first
    assert (first.step, first.stage, first.name, first.explanation) == (1, "batch", name, explanation)
    assert comparison.counts[0].differing == 1


def test_distances_are_told(compare_batches: Any) -> None:
    """The largest difference, and the distance in units in the last place of a float64."""
    first = compare_batches(BATCHES, changed(0, data1_std=0.5 + 2**-50), tolerance=0.0).first
    assert (first.baseline, first.candidate) == ("0.5", repr(0.5 + 2**-50))
    assert (first.max_abs, first.max_ulp) == (2**-50, 8)


def test_bits_within_the_tolerance_are_counted(compare_batches: Any) -> None:
    """Zeros of two signs differ in bits, and agree within any tolerance."""
    found = compare_batches(changed(0, data1_sum=0.0), changed(0, data1_sum=-0.0), tolerance=0.0)
    assert (found.verdict, found.num_within_tolerance) == ("equivalent", 1)


def test_numbers_of_another_type_differ_in_bits_and_agree_in_value(compare_batches: Any) -> None:
    """Labels that became floats are a difference, and one that any tolerance allows."""
    others = changed(1, labels1=(0.0, 3.0, 2.0, 1.0))
    found = compare_batches(BATCHES, others, tolerance=0.0)
    assert (found.verdict, found.num_within_tolerance) == ("equivalent", 1)


def test_as_many_differences_are_described_as_asked_for(compare_batches: Any) -> None:
    """In the order of batches and fields; the rest is counted."""
    others = [replace(batch, labels1=(9, 9, 9, 9), data2_std=9.0) for batch in BATCHES]
    comparison = compare_batches(BATCHES, others, max_differences=3)
    assert [(d.step, d.name) for d in comparison.differences] == [(0, "labels1"), (0, "data2_std"), (1, "labels1")]
    assert comparison.counts[0].differing == 6


@pytest.mark.parametrize("tolerance", [None, 1e-6])
def test_one_record_is_longer(compare_batches: Any, tolerance: float | None) -> None:
    """Equal as far as both go, which does not tell."""
    comparison = compare_batches(BATCHES, BATCHES[:2], tolerance=tolerance)
    assert comparison.verdict == "inconclusive"
    assert comparison.structure == ("the baseline holds 3 batches and the candidate 2",)


@pytest.mark.parametrize("batches", [([], []), (BATCHES, []), ([], BATCHES)])
def test_an_empty_record_tells_nothing(compare_batches: Any, batches: Any) -> None:
    """Nothing in common is no agreement."""
    comparison = compare_batches(*batches, tolerance=1e-6)
    assert comparison.verdict == "inconclusive"
    assert comparison.structure == ("one of the records holds no batch",)


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    """The file is named."""
    write_legacy(tmp_path / "a.pkl", BATCHES)
    (tmp_path / "b.pkl").write_bytes(b"not a pickle")
    with pytest.raises(TraceError, match=r"b\.pkl"):
        compare(tmp_path / "a.pkl", tmp_path / "b.pkl")


def write_records(path: Path, *records: dict[Any, Any]) -> Path:
    """Write a record with keys of its own."""
    path.write_bytes(pickle.dumps(list(records)))
    return path


ORDINARY = {
    "batch_idx": 0,
    "data_shape": (4, 8),
    "labels": [0, 1, 2, 3],
    "data_sum": 1.5,
    "note": {"b": None, "a": b"x"},
}


@pytest.mark.parametrize("known", [{}, {name: getattr(BATCH, name) for name in FIELDS}], ids=["other", "of the guide"])
class TestOtherKeys:
    """Keys than those of the guide are compared as they are, alone or beside them."""

    def compare(self, tmp_path: Path, known: dict[str, Any], a: dict[Any, Any], b: dict[Any, Any]) -> Comparison:
        """Write one batch of both runs and compare them."""
        return compare(write_records(tmp_path / "a.pkl", known | a), write_records(tmp_path / "b.pkl", known | b))

    def test_equal_ones_are_equivalent(self, tmp_path: Path, known: dict[str, Any]) -> None:
        """Whatever they hold; the order of a dict does not count."""
        found = self.compare(
            tmp_path, known, ORDINARY, ORDINARY | {"note": {"a": b"x", "b": None}, "data_sum": 1.5 + 1e-7}
        )
        assert (found.verdict, found.num_within_tolerance) == ("equivalent", 1)
        assert found.num_events == len(known | ORDINARY)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("labels", [0, 1, 2, 4]),
            ("labels", [0, 1, 2, None]),
            ("data_sum", 1.6),
            ("data_sum", "1.5"),
            ("data_sum", None),
            ("data_sum", 1.5 + 0j),
            ("data_shape", [4, [8]]),
            ("note", {"b": None, "a": b"y"}),
            ("note", {"b": "None", "a": b"x"}),
            ("note", {"b": None, "a": "b'x'"}),
            ("note", {"b": None, "c": b"x"}),
        ],
    )
    def test_a_differing_one_is_a_difference(self, tmp_path: Path, known: Any, name: str, value: object) -> None:
        """It is named."""
        found = self.compare(tmp_path, known, ORDINARY, ORDINARY | {name: value})
        assert (found.verdict, found.first.name) == ("diverged", name)

    def test_one_that_only_one_record_has_is_told(self, tmp_path: Path, known: dict[str, Any]) -> None:
        """Such records are of two checks: there is no verdict."""
        found = self.compare(tmp_path, known, ORDINARY, ORDINARY | {"paths": ["a"], 7: 1})
        assert (found.verdict, found.structure) == (
            "inconclusive",
            ("only the candidate has paths", "only the candidate has 7"),
        )


def test_records_without_a_common_key_have_no_verdict(tmp_path: Path) -> None:
    """Nothing compared is no agreement."""
    found = compare(write_records(tmp_path / "a.pkl", {}), write_records(tmp_path / "b.pkl", {}))
    assert (found.verdict, found.structure) == ("inconclusive", ("the two records have no key in common",))


def test_bytes_that_are_mentioned_again_and_again_are_counted(tmp_path: Path) -> None:
    """A small file cannot stand for gigabytes."""
    path = write_records(tmp_path / "a.pkl", {"x": [bytes(1 << 20)] * 1000})
    with pytest.raises(TraceError, match="holds more than 16000000 values"):
        compare(path, path)


def test_the_limits_of_records_are_told(
    compare_batches: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the text and in JSON."""
    compare_batches(BATCHES, BATCHES)
    for options, expected in (((), "Not shown:\n  equal records do not show"), (("--json", "-"), '"limits": [')):
        with pytest.raises(SystemExit) as caught:
            main(["compare", str(tmp_path / "a.pkl"), str(tmp_path / "b.pkl"), *options])
        assert caught.value.code == 0
        assert expected in capsys.readouterr().out
