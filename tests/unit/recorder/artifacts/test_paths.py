"""Which files are artifacts: what a pattern matches, what is left out, and how missing ones are told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import reproof
from reproof.errors import UsageError
from reproof.recorder import Recording
from reproof.recorder.artifacts.paths import Artifacts
from reproof.recorder.evidence import EvidenceRecorder

if TYPE_CHECKING:
    from tests.unit.recorder.conftest import CollectedFrames

FILES = (
    "a.csv", "b.csv", "b[1].csv", ".hidden.csv", "out/a.csv", "out/deep/er/c.csv", "out/.cache/d.csv", ".git/e.csv",
)  # fmt: skip

Skipped = dict[str, str | None]
"""Names of artifacts in their order, each with the reason why it was skipped, or None."""


Find = Callable[..., "Skipped"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder of the test, with files."""
    place = tmp_path / "work"
    for name in FILES:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def find(folder: Path, collect_frames: Callable[[], CollectedFrames]) -> Find:
    """Return what tells which artifacts some patterns find, in the working folder of the test."""

    def find_artifacts(*patterns: str, run: str = "../run", status: str = "complete") -> Skipped:
        artifacts = Artifacts(patterns)
        artifacts.note_folder()
        return record(artifacts, collect_frames(), run, status)

    return find_artifacts


def record(artifacts: Artifacts, frames: CollectedFrames, run: str = "../run", status: str = "complete") -> Skipped:
    """Record artifacts at the end of a recording, and return what became events of stage `metric`."""
    recording: Any = SimpleNamespace(frames=frames, evidence=EvidenceRecorder(frames), folder=Path(run))
    artifacts.record_at_end(recording, status)
    events = [event for event, _ in frames.digests]
    assert {event.stage for event in events} <= {"metric"}
    assert len({event.name for event in events}) == len(events)
    return {event.name.removeprefix("artifact "): event.skipped for event in events}


MATCHES = {
    "a name": (["a.csv"], ["a.csv"]),
    "a name with brackets": (["b[1].csv"], ["b[1].csv"]),
    "a set of characters": (["[ab].csv"], ["a.csv", "b.csv"]),
    "one character": (["?.csv"], ["a.csv", "b.csv"]),
    "a star": (["*.csv"], ["a.csv", "b.csv", "b[1].csv"]),
    "hidden names by themselves": ([".*.csv"], [".hidden.csv"]),
    "a star for a folder": (["*/*.csv"], ["out/a.csv"]),
    "any depth": (
        ["**/*.csv"], ["a.csv", "b.csv", "b[1].csv", "out/a.csv", "out/deep/er/c.csv"],
    ),
    "any depth from a folder": (["out/**/*.csv"], ["out/a.csv", "out/deep/er/c.csv"]),
    "everything in a folder": (["out/**"], ["out/a.csv", "out/deep/er/c.csv"]),
    "any depth twice": (["**/deep/**/*"], ["out/deep/er/c.csv"]),
    "hidden folders by name": (["out/.cache/*"], ["out/.cache/d.csv"]),
    "a detour": (["./out/../a.csv"], ["out/../a.csv"]),
    "several that overlap": (["out/*", "b.csv", "?.csv"], ["a.csv", "b.csv", "out/a.csv"]),
}  # fmt: skip


@pytest.mark.parametrize(("patterns", "names"), MATCHES.values(), ids=MATCHES.keys())
def test_patterns_match_as_in_a_shell(patterns: list[str], names: list[str], find: Find) -> None:
    """Each file that matches is one event, in the order of the names, however many patterns match it."""
    assert list(find(*patterns).items()) == [(name, None) for name in names]


def test_one_pattern_needs_no_tuple() -> None:
    """A string is one pattern, and not one per character."""
    assert Artifacts("*.csv").patterns == ("*.csv",)


def test_patterns_are_relative_to_the_folder_at_the_start(
    folder: Path, collect_frames: Callable[[], CollectedFrames]
) -> None:
    """A script that changes its folder does not change which files are meant, nor what they are called."""
    artifacts = Artifacts(["?.csv"])
    artifacts.note_folder()
    os.chdir("out")
    assert list(record(artifacts, collect_frames())) == ["a.csv", "b.csv"]


def test_absolute_patterns(folder: Path, find: Find) -> None:
    """A pattern may name its place from the root."""
    assert find(f"{folder}/out/*.csv") == {f"{folder}/out/a.csv": None}


MISSING = {
    "no such file": ("*.pt", "no file matches"),
    "no such folder": ("checkpoints/**/*.pt", "no file matches"),
    "a file for a folder": ("a.csv/*", "no file matches"),
    "a folder": ("out", "it is a folder: name the files in it, 'out/**' for all"),
    "only folders": ("out/d*", "no file matches"),
}


@pytest.mark.parametrize(("pattern", "why"), MISSING.values(), ids=MISSING.keys())
def test_a_pattern_without_a_file_is_named(pattern: str, why: str, find: Find) -> None:
    """It is a skipped event beside the files of other patterns."""
    assert find(pattern, "a.csv") == {pattern: why, "a.csv": None}


def test_links_in_a_circle_end(find: Find) -> None:
    """``**`` does not follow links to folders, a link to a file is the file, and one to itself cannot be read."""
    Path("out/deep/up").symlink_to("../..", target_is_directory=True)
    Path("out/latest.csv").symlink_to("deep/er/c.csv")
    Path("out/self.csv").symlink_to("self.csv")
    Path("out/gone.csv").symlink_to("nowhere")
    assert find("out/**/*.csv") == {
        "out/a.csv": None,
        "out/deep/er/c.csv": None,
        "out/gone.csv": "No such file or directory",
        "out/latest.csv": None,
        "out/self.csv": "Too many levels of symbolic links",
    }
    assert find("out/self.csv/*") == {"out/self.csv/*": "Too many levels of symbolic links"}


def test_what_is_no_file_is_not_opened(find: Find) -> None:
    """A pipe is told and not waited for."""
    os.mkfifo("pipe.csv")
    assert find("p*.csv") == {"pipe.csv": "it is not a regular file"}


def test_a_folder_that_cannot_be_read_is_named(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in it may match, so it is not passed over."""
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert find("out/**/*.csv") == {"out/deep": "Permission denied", "out/a.csv": None}


def test_a_file_that_cannot_be_opened_is_named(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the system's own."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert find("a.csv") == {"a.csv": "Permission denied"}


def test_names_that_are_not_unicode(find: Find) -> None:
    """A name of any bytes is recorded."""
    Path(os.fsdecode(b"out/\xff\n.csv")).touch()
    assert find("out/*.csv") == {"out/a.csv": None, "out/\udcff\n.csv": None}


def test_traces_are_never_artifacts(folder: Path, find: Find) -> None:
    """Neither the trace that is being written, with all that is in its folder, nor an older one: each is different."""
    for name in ("runs/a/run.json", "runs/a/rank0.frames", "own/run.json", "own/stray.csv", "run.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert find("**/*.csv", "**/r*", run="own") == dict.fromkeys([*MATCHES["any depth"][1], "run.json"])
    assert find("runs/a/run.json") == {"runs/a/run.json": "it is part of a trace"}


def test_artifacts_of_a_run_that_did_not_end_by_itself_are_not_read(find: Find) -> None:
    """A checkpoint may be half written then."""
    assert find("*.csv", "x.pt", status="failed") == dict.fromkeys(("*.csv", "x.pt"), "not read: the run is failed")


@pytest.mark.parametrize(("pattern", "problem"), [("", "names no file"), ("a\0", "names no file"), ("**.pt", "beside")])
def test_a_pattern_without_meaning_is_refused(pattern: str, problem: str, tmp_path: Path) -> None:
    """It is refused before anything is recorded."""
    with pytest.raises(UsageError, match=problem):
        reproof.record(tmp_path / "run", artifacts=[pattern])
    assert not (tmp_path / "run").exists()


def test_one_process_of_several_reads_the_artifacts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of a training share their files."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, num_events in (("1", 0), ("0", 1)):
        monkeypatch.setenv("RANK", rank)
        recording = Recording("../run", artifacts=("a.csv",))
        with recording:
            pass
        assert recording.frames.num_events == num_events
