"""`--json FILE` of every command that has it: an earlier result is replaced, and no file of the user's."""

from __future__ import annotations

import importlib
import json
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
import torch
from torch.utils.data import DataLoader

import reproof as library
from reproof.cli.main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

ARGUMENTS = {
    "check": ("train.py",),
    "resume-check": ("train.py",),
    "explain": ("a", "b"),
    "compare": ("a", "b"),
    "show": ("a",),
    "reproduce": ("optuna_best",),
    "doctor": ("train.py", "--no-torch"),
}
AT_ONCE = ("compare", "show", "doctor")
"""Commands that train nothing; the JSON of the others is that of `compare`, or is replaced in test_reproduce."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a script that leaves a file, two equal runs, and notes of the user."""
    (tmp_path / "train.py").write_text(
        dedent("""
        import torch
        open("ran", "a").close()
        torch.nn.Linear(2, 1)(torch.ones(1, 2)).sum().backward()
    """)
    )
    (tmp_path / "notes.json").write_text('{"mine": true}')
    for name in ("a", "b"):
        with library.record(tmp_path / name, level="batches"):
            list(DataLoader(torch.arange(4.0), batch_size=2))
    return tmp_path


def test_every_command_with_the_option_is_tested() -> None:
    """A new one is added to the table above."""
    modules = {name: importlib.import_module(f"reproof.cli.{name.replace('-', '_')}_command") for name in COMMANDS}
    found = {name for name, module in modules.items() if any("--json" in o.opts for o in module.command.params)}
    assert found == ARGUMENTS.keys()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_file_of_the_user_is_refused_before_anything_runs(name: str, reproof: Command, folder: Path) -> None:
    """One line with its name, exit code 2, and the folder as it was."""
    before = {path.name for path in folder.iterdir()}
    done = reproof(name, "--json", "notes.json", *ARGUMENTS[name])
    expected = "notes.json exists and is no earlier result: name another file for --json, or move this one away"
    assert (done.code, done.out, done.err) == (2, "", f"reproof: error: {expected}\n")
    assert (folder / "notes.json").read_text() == '{"mine": true}'
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", AT_ONCE)
def test_an_earlier_result_is_replaced(name: str, reproof: Command, folder: Path) -> None:
    """Called twice, the second result stands in the place of the first."""
    first = reproof(name, "--json", "found.json", *ARGUMENTS[name])
    found = json.loads((folder / "found.json").read_text())
    (folder / "found.json").write_text(json.dumps({**found, "schema": 0}))
    again = reproof(name, "--json", "found.json", *ARGUMENTS[name])
    assert (first.code, first.err) == (again.code, again.err)
    assert json.loads((folder / "found.json").read_text()) == found
    assert found["schema"] == 1


@pytest.mark.slow
def test_a_check_takes_the_place_of_a_comparison(reproof: Command, folder: Path) -> None:
    """Their JSON is of one kind."""
    reproof("compare", "--json", "found.json", "a", "b")
    done = reproof("check", "--no-explain", "--json", "found.json", "train.py", XDG_CACHE_HOME=str(folder / "cache"))
    assert "is no earlier result" not in done.err
    assert "exit_codes" in json.loads((folder / "found.json").read_text())
