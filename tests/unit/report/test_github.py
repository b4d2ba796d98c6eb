"""Rows as commands of GitHub Actions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from reproof.report.github import render_annotations

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.report.records import CauseRow


class TestGitHub:
    """Commands of GitHub Actions."""

    def test_a_cause_is_annotated_at_its_line(
        self, make_report: Any, parted: tuple[Path, Path], cause: CauseRow
    ) -> None:
        """File and line are properties, in which a comma is spelled out; the message has one line."""
        excerpt = replace(cause.excerpt, file="a,b.py")
        told = replace(cause, words="the time", reason="It\nis the time.", excerpt=excerpt)
        report = replace(make_report(*parted), causes=(told,))
        (line,) = render_annotations(report).splitlines()
        assert line.startswith("::error file=a%2Cb.py,line=3,title=reproof%3A the time::")
        assert "It%0Ais the time." in line
        assert "file=examples/a%2Cb.py,line=3," in render_annotations(report, PurePath("examples"))

    def test_without_a_line_the_verdict_is_annotated(self, make_report: Any, run: Any, say: Any) -> None:
        """As a notice, where the runs are identical."""
        a, b = (run(name, [say.loss(1)]) for name in "ab")
        assert render_annotations(make_report(a, b)).startswith("::notice title=reproof%3A identical::")
