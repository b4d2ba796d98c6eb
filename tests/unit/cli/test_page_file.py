"""`reproof report`, `--html`, `--open`, `--format`: where a page goes, and what it never replaces."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli import main
from reproof.cli.formats import ROOTS, find_in_repository
from reproof.cli.page_file import compare_with_bundle
from reproof.comparison import compare

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("jinja2", reason="a page needs Jinja2: pip install 'reproof[report]'")


@pytest.fixture
def pair(run: Any, say: Any) -> list[str]:
    """Return two runs that differ."""
    return [str(run(name, [say.loss(value)], level="steps")) for name, value in (("a", 1.0), ("b", 2.0))]


def call(*arguments: str) -> int:
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_report_writes_a_page_and_replaces_it(pair: list[str], tmp_path: Path) -> None:
    """The exit code is that of the comparison."""
    page = tmp_path / "r.html"
    assert [call("report", *pair, "-o", str(page)) for _ in range(2)] == [1, 1]
    assert "The runs part in step 0, in the loss." in page.read_text(encoding="utf-8")


def test_the_page_is_written_though_nobody_reads_the_text(pair: list[str], tmp_path: Path) -> None:
    """As with ``| head``: what took minutes to find is not lost."""
    page = tmp_path / "r.html"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        command = [sys.executable, "-m", "reproof", "compare", *pair, "--html", str(page)]
        assert subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False).returncode
    assert "The runs part in step 0" in page.read_text(encoding="utf-8")


def test_a_file_of_the_user_stays(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused before anything is compared."""
    page = tmp_path / "notes.html"
    page.write_text("<html>mine</html>")
    assert call("compare", *pair, "--html", str(page)) == 2
    assert "exists and is no earlier page" in capsys.readouterr().err
    assert page.read_text() == "<html>mine</html>"


def test_what_cannot_become_a_page_is_refused_before_anything_runs(
    pair: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output, and any file where the package that draws it is missing."""
    assert call("report", *pair, "-o", "-") == 2
    assert "a page goes into a file" in capsys.readouterr().err
    monkeypatch.setattr("reproof.cli.page_file.find_spec", lambda _: None)
    assert call("check", "--html", "r.html", "no-such-script.py") == 2
    assert "pip install 'reproof[report]'" in capsys.readouterr().err


def test_no_browser(
    pair: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page is there, and that it was not opened is said."""
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert call("report", *pair, "-o", str(tmp_path / "r.html"), "--open") == 1
    assert "no browser was found" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["compare --open", "explain --samples", "check --samples"])
def test_what_is_for_a_page_wants_one(pair: list[str], capsys: pytest.CaptureFixture[str], option: str) -> None:
    """Nobody would see it."""
    command, flag = option.split()
    assert call(command, flag, *(pair if command != "check" else [__file__])) == 2
    told = f"reproof: error: {flag} without a page: name the page with --html FILE\n"
    assert capsys.readouterr() == ("", told)


def test_github_appends_to_the_summary_of_the_step(
    pair: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Annotations are printed; the Markdown goes where GitHub shows it."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert call("compare", *pair, "--format", "github") == 1
    assert capsys.readouterr().out.startswith("::error title=")
    assert summary.read_text(encoding="utf-8").startswith("before\n### ≠ The runs part")


def test_what_a_bundle_does_not_give_away_is_no_condition_that_differs(run: Any) -> None:
    """Paths and hosts are taken out of its trace, and were never said not to be set."""
    here = {"platform": {"hostname": "x"}, "variables": {"PYTHONPATH": "/home/x", "OMP_NUM_THREADS": "1"}}
    folders = [run("a", environment={"platform": {}, "variables": {}}), run("b", environment=here)]
    comparison = compare_with_bundle(compare(*folders), ())
    assert [one.name for one in comparison.conditions] == ["variables.OMP_NUM_THREADS"]


@pytest.mark.parametrize("service", ROOTS)
def test_annotations_are_placed_from_the_root_of_the_repository(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow may run in a folder below it; elsewhere nothing is known of a repository."""
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path / "examples")
    for name in ROOTS:
        monkeypatch.delenv(name, raising=False)
    assert find_in_repository().as_posix() == "."
    monkeypatch.setenv(service, str(tmp_path))
    assert find_in_repository().as_posix() == "examples"
