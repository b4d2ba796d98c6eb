"""What two runs have put out, as a part of the verdict on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.comparison.outputs import _compare_whole, describe_output, find_again, judge_output
from reproof.entropy.ledger import Ledger
from reproof.outputs.records import RunOutput
from reproof.schema import OutputDifference, OutputResult

if TYPE_CHECKING:
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


def test_a_difference_in_output_as_a_divergence() -> None:
    """In the step in which a value was saved, or after the last one; what one side lacks is absent."""
    saved = OutputDifference(kind="saved", name="a.pt", baseline="1", candidate="2", step=0)
    found = describe_output(saved, 7)
    assert (found.step, found.baseline, found.candidate) == (0, "1", "2")
    for one, expected in ((line(1, None), ("absent", "y")), (line(1, "x", None), ("x", "absent"))):
        found = describe_output(one, 7)
        assert (found.step, found.baseline, found.candidate) == (7, *expected)


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
    ],
    ids=["of the machine", "and another", "none known", "a result among them"],
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
