"""Rows as JUnit's XML: a divergence fails, and what could not be told is an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from reproof.report.junit import render_junit

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from reproof.report.records import CauseRow, Report


def read_suite(report: Report, **settings: Any) -> Element:
    """Return the one suite: its counts and those of the whole are right, and each case has a name of its own."""
    root = ElementTree.fromstring(render_junit(report, **settings))  # noqa: S314  # our own text
    (suite,) = root
    for kind, count in {"failure": "failures", "error": "errors", "skipped": "skipped"}.items():
        assert suite.get(count) == str(len(suite.findall(f"testcase/{kind}")))
    assert all(suite.get(name) == value for name, value in root.items())
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases)) == str(len({(c.get("classname"), c.get("name")) for c in cases}))
    return suite


class TestJUnit:
    """XML for servers of continuous integration."""

    def test_a_divergence_is_a_failure_of_its_stages(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """One case per stage, and one for the verdict; that of the first divergence tells it."""
        suite = read_suite(make_report(*parted))
        assert [case.get("name") for case in suite] == ["verdict", "batch", "loss"]
        assert {case.get("classname") for case in suite} == {"reproof.train"}
        whole, batch, loss = (case.find("failure") for case in suite)
        assert whole is not None and batch is not None and loss is not None  # noqa: PT018
        assert whole.get("type") == "diverged"
        assert whole.get("message") == "The runs part in step 5, in the order of a batch."
        assert whole.text == batch.text
        assert "First divergence: step 5, batch (order): loader0" in str(batch.text)
        assert batch.get("message") == "14 of 24 events differ"
        assert "The first divergence is in stage batch, step 5." in str(loss.text)

    def test_a_failure_leads_to_the_line_of_the_cause(
        self, make_report: Any, parted: tuple[Path, Path], cause: CauseRow
    ) -> None:
        """From the root of the repository; the one that is proved before one that is suspected."""
        suspected = replace(cause, confirmed=False, excerpt=replace(cause.excerpt, line=9))
        report = replace(make_report(*parted), causes=(suspected, cause))
        for case in read_suite(report, folder=PurePath("examples")):
            assert (case.get("file"), case.get("line")) == ("examples/train.py", "3")
        told = str(read_suite(report).findtext("testcase/failure"))
        assert "Cause (proved by experiment): train.py:3: a random number generator without a seed" in told
        assert "fix: call numpy.random.seed(0)" in told

    def test_inconclusive_is_an_error(self, make_report: Any, run: Any, say: Any) -> None:
        """It is no success, and its text says why."""
        a, b = run("a", [say.loss(1)], [say.loss(2)]), run("b", [say.loss(1)])
        suite = read_suite(make_report(a, b))
        assert (suite.get("failures"), suite.get("errors")) == ("0", "1")
        assert "step" in str(suite.findtext("testcase/error"))

    def test_what_was_not_compared_is_skipped(self, make_report: Any, run: Any, say: Any) -> None:
        """With the reason; once."""
        a, b = (run(name, [say.loss(1), say.skipped("x[0]")]) for name in "ab")
        skipped = read_suite(make_report(a, b)).findall("testcase[skipped]")
        assert [(case.get("name"), case[0].get("message")) for case in skipped] == [
            ("not compared: x[0]", "a value of type Path")
        ]

    def test_equal_runs_pass_and_tell_what_was_compared(self, make_report: Any, run: Any, say: Any) -> None:
        """A case of a stage that passes has no outcome."""
        a, b = (run(name, [say.loss(1)]) for name in "ab")
        suite = read_suite(make_report(a, b))
        assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")
        assert "1 event, 1 tensor, 1 step compared" in str(suite.findtext("testcase/system-out"))

    @pytest.mark.parametrize(
        ("command", "name"),
        [
            ("train.py --lr 1", "reproof.train"),
            ("scripts/train.py", "reproof.scripts.train"),
            ("-m pkg.train", "reproof.pkg.train"),
            ("-- torchrun --nproc-per-node 2 train.py", "reproof.train"),
            ("", "reproof.run"),
        ],
    )
    def test_a_case_has_the_class_of_its_script(
        self, make_report: Any, parted: tuple[Path, Path], command: str, name: str
    ) -> None:
        """Servers take a dot for the end of a package: options are no part of it."""
        suite = read_suite(replace(make_report(*parted), command=command))
        assert {case.get("classname") for case in suite} == {name}

    def test_control_characters_are_spelled_out(self, make_report: Any, run: Any, say: Any) -> None:
        """XML cannot hold them."""
        a, b = (run(name, [say.named("\x00<x>\x1b", name)]) for name in "ab")
        assert "\\x00<x>\\x1b" in str(read_suite(make_report(a, b)).findtext("testcase/failure"))
