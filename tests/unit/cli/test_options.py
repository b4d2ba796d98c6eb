"""Options as records, and how they are told to the user again."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli.main import COMMANDS
from reproof.cli.options import spell_options

if TYPE_CHECKING:
    import click

RECORDS = {
    "check": "CheckOptions",
    "resume-check": "ResumeCheckOptions",
    "run": "RunOptions",
    "explain": "ExplainOptions",
    "compare": "CompareOptions",
    "search": "SearchOptions",
    "replicate": "ReplicateOptions",
    "reproduce": "ReproduceOptions",
}


def load(name: str) -> Any:
    """Return the module of a command."""
    return importlib.import_module(f"reproof.cli.{name.replace('-', '_')}_command")


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_has_the_options_of_its_command(name: str) -> None:
    """Each option is a field, and each field an option: the command could not be called otherwise."""
    fields = {field.name for field in dataclasses.fields(getattr(load(name), RECORDS[name]))}
    assert fields == {option.name for option in load(name).command.params}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "bundle"])
def test_a_command_of_many_options_takes_a_record(name: str) -> None:
    """No command has more arguments of its own than a person can keep in mind."""
    callback = load(name).command.callback
    assert (name in RECORDS) == (list(inspect.signature(callback).parameters) == ["options"])
    assert len(inspect.signature(callback).parameters) <= 8


@pytest.mark.parametrize(
    ("given", "changes", "expected"),
    [
        (["--steps", "3", "x"], {}, ["--steps", "3"]),
        (["x", "--runs", "5"], {}, []),
        (["--runs", "3", "--level", "ops", "x"], {"level": "modules"}, ["--runs", "3", "--level", "modules"]),
        (["--no-explain", "--isolate", "x"], {}, ["--isolate", "--no-explain"]),
        (["--no-explain", "-q", "x"], {"explains": None, "max_runs": 24}, ["--max-runs", "24", "--quiet"]),
        (["--artifact", "a", "--artifact", "b*", "x"], {}, ["--artifact", "a", "--artifact", "b*"]),
    ],
)
def test_options_are_told_as_they_were_given(given: list[str], changes: dict[str, Any], expected: list[str]) -> None:
    """Those that were given, with changes; defaults and what the script has for itself are left out."""
    command: click.Command = load("check").command
    assert spell_options(command.make_context("check", given), **changes) == expected
