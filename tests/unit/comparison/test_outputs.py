"""What two runs have put out, as a part of the verdict on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.comparison.outputs import (
    _compare_whole,
    describe_output,
    find_again,
    judge_output,
    keep_shared,
    lacks_end,
    name_cells,
    read_untapped,
)
from reproof.entropy.ledger import Ledger
from reproof.outputs.records import ELSEWHERE, UNFINISHED, FileOutput, Line, Part, RunOutput, SavedTensor, digest_text
from reproof.outputs.sidecar import OutputWriter
from reproof.outputs.surroundings import Surroundings
from reproof.recorder.outputs.capture import tell_passed
from reproof.schema import OutputDifference, OutputResult, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Verdict


def line(number: int, baseline: str | None, candidate: str | None = "y") -> OutputDifference:
    """Return a line that differs."""
    return OutputDifference(kind="line", name=f"stdout line {number}", baseline=baseline, candidate=candidate)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("identical", "inconclusive"),
        ("equivalent", "inconclusive"),
        ("diverged", "diverged"),
        ("inconclusive", "inconclusive"),
    ],
)
def test_differences_in_output_open_a_verdict(verdict: Verdict, expected: Verdict) -> None:
    """No run is called identical before they are explained; a divergence stays one."""
    found = OutputResult(differences=(line(1, "x"),))
    assert judge_output(verdict, found) == expected
    assert judge_output(verdict, OutputResult()) == judge_output(verdict, None) == verdict
    unread = OutputResult(not_compared=(Skipped(what="a.gz", why=UNFINISHED),))
    assert judge_output(verdict, unread) == expected


def test_a_difference_in_output_as_a_divergence() -> None:
    """In the step in which a value was saved, or after the last one; what one side lacks is absent."""
    saved = OutputDifference(kind="saved", name="a.pt", baseline="1", candidate="2", step=0)
    found = describe_output(saved, 7)
    assert (found.step, found.baseline, found.candidate) == (0, "1", "2")
    file = OutputDifference(kind="file", name="x.txt", baseline=None, candidate="a file")
    ends = ("absent", "y"), ("x", "absent"), ("no such file", "a file")
    for one, expected in zip((line(1, None), line(1, "x", None), file), ends, strict=True):
        found = describe_output(one, 7)
        assert (found.step, found.baseline, found.candidate) == (7, *expected)


@pytest.mark.parametrize(("names", "num_early"), [(["images"], 1), (["frames"], 0), ([], 0)])
def test_a_folder_that_the_run_has_filled_leaves_it_open(names: list[str], num_early: int) -> None:
    """One that was full before is told: what Python writes there is known."""
    notes = tuple(Skipped(what="output", why=why) for why in tell_passed(names, num_early))
    assert lacks_end(OutputResult(not_compared=notes)) == (num_early < len(names))


def test_lines_of_a_notebook_are_those_of_its_cells() -> None:
    """They come through its kernel, which is another process; only what is shown of them changes."""
    one = line(2, "loss 1")
    found = name_cells(OutputResult(differences=(replace(one, name=f"{one.name} ({ELSEWHERE})"), one)))
    assert found.differences == (one, one)


def test_a_line_is_found_again_by_its_words() -> None:
    """Its number and the numbers in it shift from run to run; a value that was saved has its name."""
    wanted = (line(3, "loss 0.5 of 9"),)
    again, other = line(8, "loss 0.25 of 12"), line(3, "accuracy 0.5")
    assert find_again(wanted, (other, again)) == again
    assert find_again(wanted, (other,)) is None
    assert find_again((line(3, None, "loss 1"),), (line(9, None, "loss 2"),)) is not None


@pytest.mark.parametrize(
    ("programs", "text", "num_differences"),
    [
        (("free", "mkdir"), "Mem: {}", 0),
        (("free", "eval.sh"), "Mem: {}", 1),
        ((), "Mem: {}", 1),
        (("free",), "Mem: {}\naccuracy {}", 2),
        (("free",), "Mem: {}" + "-" * 3000, 1),
    ],
    ids=["of the machine", "and another", "none known", "a result among them", "a line of which only a part is kept"],
)
def test_what_tools_tell_of_the_machine_is_no_result(
    programs: tuple[str, ...], text: str, num_differences: int, tmp_path: Path
) -> None:
    """It is named and not compared, if nothing else can have printed it and no line states a result."""
    traces = tmp_path / "a", tmp_path / "b"
    for number, trace in enumerate(traces, 1):
        trace.mkdir()
        ledger = Ledger(trace, "0")
        for name in programs:
            ledger.note("program", name=name)
        (tmp_path / f"{trace.name}.output.txt").write_text(f"total\n{text.format(number, number)}\n", encoding="utf-8")
    found = _compare_whole(traces, [RunOutput(surroundings=None, printed=(("stdout", 0),))] * 2, ())
    assert len(found.differences) == num_differences
    assert [one.why for one in found.not_compared] == (
        ["other programs tell of the machine there, not of the training (free, mkdir)"] if not num_differences else []
    )
    assert found.num_lines == 1 + num_differences


@pytest.fixture
def told(tmp_path: Path, frames_writer: Any, say: Any) -> Callable[..., Path]:
    """Return what writes a run of two ranks with the same events, and for each of them a value, a line and a file."""

    def write(name: str, *outputs: str | None, ends: bool = True, is_stopped: bool = False) -> Path:
        folder = tmp_path / name
        for rank, output in enumerate(outputs):
            frames_writer(folder, [(0, 1, [say.loss(1)])], rank=rank, num_ranks=len(outputs))
            if output is None:
                continue
            saved, line, cell = output.split()
            writer = OutputWriter(folder, rank)
            writer.add_saved([SavedTensor(step=0, file="a.pt", path="['w']", text=saved, **digests(saved))])
            if is_stopped:
                writer.finish(None)
            elif ends:
                part = Part(name="line 1", text=cell, **digests(cell))
                files = (FileOutput(name="r.csv", format="lines", parts=(part,)),)
                printed = (Line(stream="stdout", text=line),)
                writer.finish(Surroundings(began_at=1.0, ended_at=2.0), lines=printed, files=files, notes=("rest",))
            writer.close()
        return folder

    return write


def digests(text: str) -> dict[str, str]:
    """Return the digests of a text; from a point on it is known noise."""
    return {"digest": digest_text(text), "masked": digest_text(text.partition(".")[0])}


def compare_told(a: Path, b: Path) -> OutputResult:
    """Return how the outputs of two runs compare."""
    output = compare(a, b).output
    assert output is not None
    return output


def test_outputs_of_all_ranks_are_added_up(told: Callable[..., Path]) -> None:
    """What was compared, what differs, and what is told of either."""
    same = compare_told(told("a", "1 x 2", "1.5 y 2.5"), told("b", "1 x 2", "1.6 y 2.6"))
    assert (same.num_saved, same.num_lines, same.num_files, same.num_noise) == (2, 2, 2, 2)
    assert same.differences == ()
    assert [one.why for one in same.not_compared] == ["rest"] * 2
    other = compare_told(told("c", "1 x 2", "1 y 2"), told("d", "1 x 3", "9 z 2"))
    assert [one.kind for one in other.differences] == ["file", "saved", "line"]
    masked = compare_told(told("e", "1 00:00:01 2", "1 x 2"), told("f", "1 00:00:02 2", "1 x 2"))
    assert (masked.num_masked_lines, masked.differences) == (1, ())


@pytest.mark.parametrize("cut", ["a", "b"])
def test_of_a_run_without_its_end_what_was_saved_is_compared(told: Callable[..., Path], cut: str) -> None:
    """Lines and files are known at the end alone."""
    a, b = (told(name, f"{name} {name} {name}", ends=name != cut) for name in "ab")
    found = compare_told(a, b)
    assert [one.kind for one in found.differences] == ["saved"]
    assert (found.num_saved, found.num_lines, found.num_files, found.notes) == (1, 0, 0, ())
    owner = "baseline" if cut == "a" else "candidate"
    assert [one.why for one in found.not_compared] == [f"the {owner} has not written it to its end"]
    stopped, whole = told("c", "a a a", is_stopped=True), told("d", "a a a")
    assert compare_told(stopped, whole).not_compared == ()


def test_an_output_that_one_run_alone_recorded(told: Callable[..., Path]) -> None:
    """It is not compared, and a run of which neither has any has no result."""
    a, b = told("a", "1 x 2"), told("b", None)
    assert compare(b, b).output is None
    for pair, owner in (((a, b), "baseline"), ((b, a), "candidate")):
        assert [one.why for one in compare_told(*pair).not_compared] == [f"only the {owner} recorded it"]
        assert compare(*pair).verdict == "inconclusive"


def test_files_that_are_ignored(told: Callable[..., Path]) -> None:
    """A pattern of their names leaves them out, in each rank."""
    a, b = told("a", "1 x 2", "1 x 2"), told("b", "1 x 3", "1 x 3")
    output = compare(a, b, ignored=["*.csv"]).output
    assert output is not None
    assert (len(compare_told(a, b).differences), output.differences, len(output.notes)) == (2, (), 2)


def test_lines_that_both_runs_have() -> None:
    """As often as both do, and all others of both."""
    first, second = ([Line(stream="stdout", text=text) for text in texts] for texts in ("aababc", "aaabd"))
    shared, others = keep_shared(first, second)
    assert "".join(line.text for line in shared) == "aaba"
    assert sorted(line.text for line in others) == ["b", "c", "d"]


def test_lines_that_were_written_past_python(tmp_path: Path) -> None:
    """Each line of a stream that Python has not written to it, as often as it is there; ours are not among them."""
    text = "of python\nof a child\nof python\nreproof: recorded\nto errors\n"
    (tmp_path / "run.output.txt").write_text(text, encoding="utf-8")
    lines = Line(stream="stdout", text="of python"), Line(stream="stderr", text="to errors")

    def read(written: int) -> list[str]:
        output = RunOutput(surroundings=None, lines=lines, printed=(("stderr", 3), ("stdout", written)))
        return [line.text for line in read_untapped(tmp_path / "run", output)]

    assert read(10) == ["of a child", "of python", "to errors"]
    assert read(len(text)) == []
    ledger = Ledger(tmp_path / "run", "0") if (tmp_path / "run").mkdir() is None else None
    assert ledger is not None
    ledger.note("printed", stream="stdout", writer="7 x", text="of a child", total=len(text) - 10)
    assert read(10) == []
    assert read(11) == ["of a child", "of python", "to errors"]
