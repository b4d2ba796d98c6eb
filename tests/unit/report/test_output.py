"""Output side by side: equal lines stay beside each other, and in others the words are marked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reproof.report.output import describe_output, mark_changes, pair_lines
from reproof.schema import OutputDifference, OutputResult

if TYPE_CHECKING:
    from pathlib import Path


def test_an_inserted_line_shifts_nothing() -> None:
    """The lines after it are equal."""
    pairs = list(pair_lines(["a", "b", "c"], ["a", "new", "b", "c"]))
    assert [pair.is_equal for pair in pairs] == [True, False, True, True]
    assert pairs[1].baseline is None


def test_words_that_differ_are_marked() -> None:
    """Only the number."""
    (pair,) = pair_lines(["loss 0.1234 ok"], ["loss 0.1235 ok"])
    assert pair.candidate is not None
    assert [(span.text, span.style) for span in pair.candidate] == [("loss ", ""), ("0.1235", "changed"), (" ok", "")]


def test_a_change_of_code_is_marked_by_tokens() -> None:
    """What the line has that the other has not."""
    spans = mark_changes("rng = Random(42)", "rng = Random()")
    assert [span.text for span in spans if span.style] == ["42"]


def test_output_is_found_beside_the_trace(tmp_path: Path) -> None:
    """Files of `reproof check` next to its traces."""
    for name, text in (("a", "x\ny\n"), ("b", "x\nz\n")):
        (tmp_path / f"{name}.output.txt").write_text(text)
    row: Any = describe_output((tmp_path / "a", tmp_path / "b"), None)
    assert (row.told, len(row.lines)) == ("1 of 2 lines differ.", 2)
    assert describe_output((tmp_path / "c", tmp_path / "d"), None) is None
    (tmp_path / "c.output.txt").mkdir()
    os.mkfifo(tmp_path / "d.output.txt")
    assert describe_output((tmp_path / "c", tmp_path / "d"), None) is None


def test_lines_in_another_order_are_no_difference(tmp_path: Path) -> None:
    """Of two ranks it is a race who prints first: the page says what the comparison says."""
    for name, text in (("a", "x\ny\n"), ("b", "y\nx\n")):
        (tmp_path / f"{name}.output.txt").write_text(text)
    row: Any = describe_output((tmp_path / "a", tmp_path / "b"), OutputResult(num_lines=2, num_files=0, num_saved=0))
    assert row.told == "All agree: 2 lines. What is marked is in another order, or known noise such as a time."


def test_a_line_that_is_shown_side_by_side_is_not_told_again(tmp_path: Path) -> None:
    """One that was found to belong to another line is, and so is all else."""
    kinds: tuple[Any, ...] = ("line", "line", "saved")
    values = (("x 1", "x 2"), ("x 1", "x 3"), ("x 1", "x 2"))
    found = [
        OutputDifference(kind=kind, name=kind, baseline=a, candidate=b)
        for kind, (a, b) in zip(kinds, values, strict=True)
    ]
    for name, number in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.output.txt").write_text(f"x {number}\n")
    result = OutputResult(num_lines=2, num_files=0, num_saved=1, differences=tuple(found))
    row: Any = describe_output((tmp_path / "a", tmp_path / "b"), result)
    assert row.differing == ("line: x 1 → x 3", "saved: x 1 → x 2")


def test_what_differs_is_told_once_and_plainly(tmp_path: Path) -> None:
    """No digest beside a value that shows the difference, and no value of a file that was told as saved."""
    digests = [f", digest {number:032x}" for number in range(2)]
    pairs: tuple[tuple[Any, str, str | None, str | None], ...] = (
        ("saved", "saved best.pt['rows']", f"21{digests[0]}", f"27{digests[1]}"),
        ("file", "best.pt['rows']", f"21{digests[0]}", f"27{digests[1]}"),
        ("file", "other.npy", f"float32 [3]{digests[0]}", f"float32 [3]{digests[1]}"),
        ("file", "sample.txt", "a file", None),
        ("line", "stdout line 2", "", None),
    )
    found = (OutputDifference(kind=kind, name=name, baseline=a, candidate=b) for kind, name, a, b in pairs)
    row: Any = describe_output((tmp_path / "a", tmp_path / "b"), OutputResult(num_files=3, differences=tuple(found)))
    assert row.told == "4 differences: 3 files."
    assert row.differing == (
        "saved best.pt['rows']: 21 → 27",
        f"other.npy: float32 [3]{digests[0]} → float32 [3]{digests[1]}",
        "sample.txt: a file → no such file",
        "stdout line 2:  → absent",
    )
