"""What an earlier run has left in a file is not the output of the run that appends to it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from reproof.outputs.appending import drop_earlier
from reproof.outputs.formats.parts import PartCollector
from reproof.outputs.formats.text import read_table
from reproof.outputs.records import FileOutput, Part
from reproof.outputs.surroundings import Surroundings


def file(*texts: str, was_there: bool = True, series: str = "line") -> FileOutput:
    """Return a file of these lines."""
    parts = tuple(
        Part(name=f"{series} {number}", digest=f"{text:0>32}", masked=f"{text:0>32}", text=text)
        for number, text in enumerate(texts, 1)
    )
    return FileOutput(name="log.txt", format="lines", parts=parts, was_there=was_there)


def lines(found: FileOutput) -> list[str]:
    """Return the lines of a file."""
    return [part.text for part in found.parts]


@pytest.mark.parametrize(
    ("baseline", "candidate", "left"),
    [
        pytest.param(["1", "2"], ["1", "2", "3", "4"], ["3", "4"], id="the candidate's own lines"),
        pytest.param(["1"], ["1", "2", "3"], ["1", "2", "3"], id="more than the baseline wrote: a difference"),
        pytest.param(["1", "2"], ["1", "9", "3", "4"], ["1", "9", "3", "4"], id="not what the baseline left"),
        pytest.param(["1", "2"], ["1", "2"], ["1", "2"], id="written anew"),
        pytest.param([], ["1"], ["1"], id="nothing before"),
        pytest.param(["acc 0.5"], ["acc 0.5acc 0.5"], ["acc 0.5"], id="a line without an end"),
        pytest.param(["acc 0.5"], ["acc 0.55"], ["acc 0.55"], id="a result that goes on"),
        pytest.param(["a", "0.5"], ["a", "0.50.5"], ["a", "0.50.5"], id="what no appending leaves"),
    ],
)
def test_what_was_appended_is_compared(baseline: list[str], candidate: list[str], left: list[str]) -> None:
    """As much as the baseline wrote, after all that it left."""
    assert lines(drop_earlier(file(*baseline, was_there=False), file(*candidate))) == left


@pytest.mark.parametrize(
    ("baseline", "candidate", "left"),
    [
        pytest.param("a,b\n1,2\n", "a,b\n1,2\n3,4\n", ["a, b", "3, 4"], id="names of columns once"),
        pytest.param("a,b\n1,2\n", "a,b\n1,2\na,b\n3,4\n", ["a, b", "3, 4"], id="by each run"),
        pytest.param("1,2\n3,4\n", "1,2\n3,4\n1,9\n3,4\n", ["1, 9", "3, 4"], id="none"),
        pytest.param("0.5\n", "0.5\n0.5\n", ["0.5"], id="one value"),
        pytest.param("0.5\n", "0.5\n0.5\n0.5\n", ["0.5", "0.5", "0.5"], id="more than the baseline wrote"),
    ],
)
def test_rows_that_were_appended_to_a_table(baseline: str, candidate: str, left: list[str]) -> None:
    """With the names of the columns at the beginning, before the rows of each run, or without."""
    files = []
    for text in (baseline, candidate):
        parts = PartCollector(Surroundings(began_at=0, ended_at=1))
        read_table(io.BytesIO(text.encode()), parts)
        files.append(FileOutput(name="log.csv", format="table", parts=parts.finish(), was_there=text is candidate))
    assert lines(drop_earlier(*files)) == left


def test_a_longer_history_needs_a_file_that_the_baseline_found() -> None:
    """One line more is the baseline's last one again only if the baseline itself appended to something."""
    appended = file("1", "2", "3")
    assert lines(drop_earlier(file("1", "2", was_there=True), appended)) == ["1", "3"]
    assert lines(drop_earlier(file("1", "2", was_there=False), appended)) == ["1", "2", "3"]


def test_a_new_file_has_no_history() -> None:
    """Whatever is in it."""
    assert lines(drop_earlier(file("1", was_there=False), file("1", "2", was_there=False))) == ["1", "2"]


def test_a_file_without_history_stays_as_it_is() -> None:
    """The order of its parts as well: several layers of a model are no several series."""
    names = ("['0.weight']", "['0.bias']", "['2.weight']", "['2.bias']")
    parts = tuple(Part(name=name, digest=f"{n:032x}", masked=f"{n:032x}", text="") for n, name in enumerate(names))
    found = FileOutput(name="m.pt", format="torch.save", parts=parts, was_there=True)
    assert drop_earlier(found, found) is found


def test_names_are_those_of_the_baseline() -> None:
    """So that line 3 of a log is held against line 1."""
    found = drop_earlier(file("1", "2", was_there=False), file("1", "2", "3", "4"))
    assert [part.name for part in found.parts] == ["line 1", "line 2"]


def test_parts_of_a_file_that_was_written_anew_keep_their_order() -> None:
    """Series that take turns, as ``layer 1``, ``class``, ``layer 2``, are not put in order by series."""
    parts = tuple(part for series in ("layer", "class", "layer") for part in file("1", series=series).parts)
    baseline = FileOutput(name="model.pt", format="torch.save", parts=parts)
    assert drop_earlier(baseline, replace(baseline, was_there=True)).parts == parts
