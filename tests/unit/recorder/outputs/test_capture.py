"""What is known of a run while its output is captured: the numbers of its processes, its random names."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from reproof.outputs import folder as looking
from reproof.outputs.folder import read_stamps
from reproof.outputs.sidecar import read_output
from reproof.recorder.outputs import capture
from reproof.recorder.outputs.capture import OutputCapture, find_process_numbers, find_run_names, tell_passed


class TestProcessNumbers:
    """What Linux has given to programs since a run began."""

    @pytest.fixture
    def tell(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Return what sets the text of ``/proc/loadavg``; None takes the file away."""

        def tell(text: str | None) -> None:
            def read_text(path: Path, **_: Any) -> str:
                assert path == Path("/proc/loadavg")
                if text is None:
                    raise FileNotFoundError(path)
                return io.StringIO(text).read()

            monkeypatch.setattr(Path, "read_text", read_text)

        return tell

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0.20 0.18 0.12 1/80 150\n", (100, 150)),
            ("0.20 0.18 0.12 1/80 100\n", (100, 100)),
            ("0.20 0.18 0.12 1/80 99\n", None),
            ("0.20 x\n", None),
            ("", None),
            (None, None),
        ],
        ids=["later ones", "none", "begun anew", "no number", "empty", "no such file"],
    )
    def test_the_first_and_the_last(self, text: str | None, expected: tuple[int, int] | None, tell: Any) -> None:
        """From its own number on; nothing where the system does not tell, or has begun anew."""
        tell(text)
        assert find_process_numbers(100) == expected

    @pytest.mark.skipif(not Path("/proc/loadavg").exists(), reason="no such file here")
    def test_a_child_is_among_them(self) -> None:
        """On the system itself."""
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        found = find_process_numbers(os.getpid())
        assert found is None or found[0] <= child <= found[1]


def test_a_name_that_a_tracker_has_drawn() -> None:
    """That of the run, as W&B names its folder; no other folder tells of one."""
    made = [
        f"{place}wandb/{kind}run-20261129_201110-kpe9drzz/files/x"
        for place in ("", "logs/")
        for kind in ("", "offline-")
    ]
    others = ["wandb/run-best-kpe9drzz/x", "wandb/run-20261129_201110-acc91/x", "run-20261129_201110-kpe9drzz/x"]
    assert [find_run_names(names) for names in (made, others)] == [["kpe9drzz"], []]


def test_folders_that_are_passed_over_are_named() -> None:
    """What Python writes is known in those that were full from the start alone."""
    early, late = tell_passed(["a", "b", "c", "d", "made"], 4)
    assert early.startswith("what is not written by Python in folders")
    assert early.endswith(": a, b, c and 1 more")
    assert late == "files in folders that hold too many files to look through: made"
    assert not list(tell_passed([], 0))


@pytest.mark.parametrize("rank", [0, 1])
def test_each_rank_knows_the_folders_that_nobody_looks_through(
    rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it notes what it writes there; they are named once, by the first."""
    monkeypatch.setattr(looking, "MAX_FILES", 1)
    images = tmp_path / "work" / "images"
    for folder in (images, tmp_path / "trace"):
        folder.mkdir(parents=True)
    for name in "ab":
        (images / name).touch()
    monkeypatch.chdir(tmp_path / "work")
    problems: Any = None
    taken = OutputCapture(tmp_path / "trace", rank, problems, lambda: 0)
    assert taken.passed == (f"{images}{os.sep}",)
    taken.close(is_whole=True)
    output = read_output(tmp_path / "trace", rank)
    assert output is not None
    assert any("images" in note for note in output.notes) == (rank == 0)


def test_a_log_that_the_script_writes_itself_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its output is led to a file, what it prints is compared as such, but not what it writes there besides."""
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log.txt"
    log.touch()
    place = log.stat().st_dev, log.stat().st_ino
    monkeypatch.setattr(capture, "find_places", lambda: {"stdout": place, "stderr": (0, 0)})
    (tmp_path / "trace").mkdir()
    problems: Any = None
    taken = OutputCapture(tmp_path / "trace", 0, problems, lambda: 0)
    taken.stop()
    stamps = {"log.txt": read_stamps(tmp_path)["log.txt"]}
    for opened, is_compared in (("/dev/stdout", False), ("gone.txt", False), ("log.txt", True)):
        taken.note_stream(opened, "open")
        assert (taken._without_streams(stamps) == stamps) is is_compared
