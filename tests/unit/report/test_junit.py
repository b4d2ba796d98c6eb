"""Rows as JUnit's XML: a divergence fails, and what could not be told is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from reproof.report.junit import render_junit

if TYPE_CHECKING:
    from pathlib import Path


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
