"""Markdown, annotations and JUnit: the same rows, and nothing of a run is markup in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from reproof.report.github import render_annotations
from reproof.report.junit import render_junit
from reproof.report.markdown import code, escape, render_markdown
from reproof.report.records import CauseRow, Excerpt

if TYPE_CHECKING:
    from pathlib import Path

CAUSE = CauseRow(
    kind="wall-clock",
    words="the time",
    text="",
    where="a,b.py:3",
    source="time.time",
    confirmed=True,
    reason="It\nis the time.",
    evidence="experiment 2",
    line_text="x = time.time()",
    fix=None,
    fix_text="x = 1",
    link="",
    excerpt=Excerpt(file="a,b.py", line=3, function="", first=1, lines=("x",)),
)


class TestMarkdown:
    """For a pull request."""

    def test_verdict_divergence_and_counts(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """What a reviewer needs, in a few lines."""
        text = render_markdown(make_report(*parted))
        assert text.startswith("### ≠ The runs part in step 5, in the order of a batch\\.\n")
        assert "**First divergence:** step 5, batch (order), `loader0(100) indices`" in text
        assert "| loss | 12 | 7 |" in text

    def test_nothing_of_a_run_is_markup(self) -> None:
        """Neither in text nor in code, whatever fences it has."""
        assert escape("<b>[x](http://a) @user #1\nnext") == "\\<b\\>\\[x\\]\\(http\\:\\/\\/a\\) \\@user \\#1 next"
        assert code("a``b|c") == "``` a``b\\|c ```"


class TestGitHub:
    """Commands of GitHub Actions."""

    def test_a_cause_is_annotated_at_its_line(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """File and line are properties, in which a comma is spelled out; the message has one line."""
        report = replace(make_report(*parted), causes=(CAUSE,))
        (line,) = render_annotations(report).splitlines()
        assert line.startswith("::error file=a%2Cb.py,line=3,title=reproof%3A the time::")
        assert "It%0Ais the time." in line

    def test_without_a_line_the_verdict_is_annotated(self, make_report: Any, run: Any, say: Any) -> None:
        """As a notice, where the runs are identical."""
        a, b = (run(name, [say.loss(1)]) for name in "ab")
        assert render_annotations(make_report(a, b)).startswith("::notice title=reproof%3A identical::")


class TestJUnit:
    """XML for servers of continuous integration."""

    def test_a_divergence_is_a_failure_of_its_stages(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """One case per stage, and one for the verdict."""
        suite = ElementTree.fromstring(render_junit(make_report(*parted)))  # noqa: S314  # our own text
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "3", "0")
        assert [case.get("name") for case in suite] == ["verdict", "batch", "loss"]

    def test_inconclusive_is_an_error(self, make_report: Any, run: Any, say: Any) -> None:
        """It is no success."""
        a, b = run("a", [say.loss(1)], [say.loss(2)]), run("b", [say.loss(1)])
        suite = ElementTree.fromstring(render_junit(make_report(a, b)))  # noqa: S314  # our own text
        assert (suite.get("failures"), suite.get("errors")) == ("0", "1")

    def test_control_characters_are_spelled_out(self, make_report: Any, run: Any, say: Any) -> None:
        """XML cannot hold them."""
        a, b = (run(name, [say.named("\x00<x>\x1b", name)]) for name in "ab")
        assert ElementTree.fromstring(render_junit(make_report(a, b))) is not None  # noqa: S314  # our own text
