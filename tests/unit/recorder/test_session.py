"""Parts of a recording that need no training: how problems are told, and which process this is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.recorder import Recording
from reproof.recorder.problems import MAX_PROBLEMS, describe_error
from reproof.recorder.session import is_clean_exit
from reproof.recorder.surroundings import rank_of_process, world_size

if TYPE_CHECKING:
    from pathlib import Path


class MuteError(Exception):
    """An exception that cannot be put into words."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError(), "ValueError"),
        (MuteError(), "MuteError"),
    ],
    ids=["lines", "key", "empty", "mute"],
)
def test_an_error_is_told_in_one_line(error: BaseException, text: str) -> None:
    """Type and text, whatever the exception does."""
    assert describe_error(error) == text


def test_which_exits_are_clean() -> None:
    """What the shell takes for success, and nothing else."""
    assert all(is_clean_exit(SystemExit(code)) for code in (None, 0, False, 256))
    assert not any(is_clean_exit(SystemExit(code)) for code in (1, True, 0.0, "", [], (0, 0)))
    assert not is_clean_exit(KeyboardInterrupt())


def test_problems_are_told_once_and_counted(tmp_path: Path) -> None:
    """A problem of each step is one line; of very many kinds only the first are told."""
    recording = Recording(tmp_path / "run")
    recording.open()
    for i in range(3):
        recording.add_problem("batch not\nrecorded")
        recording.frames.step = i + 1
    recording.add_problem("another")
    assert recording.problems == ("batch not recorded (3 times, first in step 0)", "another (in step 3)")
    for i in range(MAX_PROBLEMS):
        recording.add_problem(f"problem {i}")
    assert len(recording.problems) == MAX_PROBLEMS + 1
    assert recording.problems[-1] == "and 2 other problems"
    recording.close("complete")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, (2, 4)),
        ({"RANK": "2"}, (0, 1)),
        ({"RANK": "first", "WORLD_SIZE": "4"}, (0, 4)),
        ({"RANK": "1", "WORLD_SIZE": "many"}, (0, 1)),
    ],
    ids=str,
)
def test_the_rank_is_that_of_the_launcher(
    variables: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables tell it, as torchrun and its like set them; without them a process is alone."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (rank_of_process(), world_size()) == expected
