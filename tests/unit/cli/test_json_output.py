"""`--json FILE` replaces an earlier result and nothing else."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli.json_output import COMPARISON, JsonFile, write_json
from reproof.errors import UsageError
from reproof.schema import Comparison

if TYPE_CHECKING:
    from pathlib import Path

RESULT: dict[str, Any] = dict.fromkeys(sorted(COMPARISON), 1)

OF_THE_USER = {
    "text": "notes\n",
    "JSON of another kind": '{"schema": 1, "checks": []}',
    "a list": "[]",
    "a number": "1",
    "JSON that is cut off": json.dumps(RESULT)[:-1],
    "JSON beyond all depth": '{"a":' + "[" * 100_000,
    "not in UTF-8": "{\udcff}",
    "white space": "   \n",
}


def target_of(path: Path | str) -> JsonFile:
    """Return a file as the result of a comparison is written to."""
    return JsonFile(path=str(path), keys=COMPARISON)


@pytest.mark.parametrize("content", OF_THE_USER.values(), ids=OF_THE_USER.keys())
def test_what_the_user_has_is_refused_as_soon_as_it_is_named(tmp_path: Path, content: str) -> None:
    """With the file's name and what to do; it stays as it is."""
    path = tmp_path / "mine.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=r"mine\.json exists and is no earlier result: name another file") as caught:
        target_of(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("content", ["", json.dumps(RESULT), json.dumps({**RESULT, "more": 1}, indent=1)])
def test_an_earlier_result_or_an_empty_file_is_replaced(tmp_path: Path, content: str) -> None:
    """Whole, and nothing else is left in the folder."""
    path = tmp_path / "result.json"
    path.write_text(content, encoding="utf-8")
    assert write_json({"new": True}, target_of(path))
    assert json.loads(path.read_text(encoding="utf-8")) == {"new": True}
    assert os.listdir(tmp_path) == ["result.json"]  # noqa: PTH208  # names alone


def test_a_result_of_a_comparison_has_the_keys_that_tell_it(tmp_path: Path) -> None:
    """What was written for one comparison is replaced by that of another."""
    comparison = Comparison(runs=("a", "b"), verdict="identical", num_events=1, num_tensors=1, num_steps=1)
    for _ in range(2):
        write_json(comparison.to_json(), target_of(tmp_path / "result.json"))


def test_a_file_that_comes_up_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """A script may write a file of that name while it is checked."""
    target = target_of(tmp_path / "result.json")
    (tmp_path / "result.json").write_text("of the script", encoding="utf-8")
    with pytest.raises(UsageError, match="is no earlier result"):
        target.write(RESULT)
    assert (tmp_path / "result.json").read_text(encoding="utf-8") == "of the script"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nowhere/x.json", "No such file"), ("notes/x.json", "Not a directory"), (".", "Is a directory")],
)
def test_what_cannot_be_written_is_said_at_once(tmp_path: Path, name: str, reason: str) -> None:
    """Before hours of training have passed."""
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=f"cannot write .*: {reason}.*: choose another file"):
        target_of(tmp_path / name)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    (tmp_path / "real.json").touch()
    (tmp_path / "link.json").symlink_to("real.json")
    target_of(tmp_path / "link.json").write(RESULT)
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text(encoding="utf-8")) == RESULT


def test_a_pipe_gets_the_result(tmp_path: Path) -> None:
    """As in `--json >(jq .)`: nothing is read from it, and it is not replaced."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(path.read_text(encoding="utf-8")))
    reader.start()
    target_of(path).write(RESULT)
    reader.join()
    assert json.loads(found[0]) == RESULT
    assert path.is_fifo()


def test_standard_output_takes_the_place_of_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json there is the text alone."""
    assert write_json(RESULT, None)
    assert capsys.readouterr().out == ""
    assert not write_json(RESULT, target_of("-"))
    assert json.loads(capsys.readouterr().out) == RESULT
