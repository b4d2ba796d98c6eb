"""Options as records, and how they are told to the user again."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import TYPE_CHECKING, Annotated, Any

import click
import pytest

from reproof.cli.main import COMMANDS
from reproof.cli.options import POSITIVE, Options, argument, flag, note_misplaced, option, pass_options, spell_options

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = {
    "check": "CheckOptions",
    "resume-check": "ResumeCheckOptions",
    "run": "RunOptions",
    "explain": "ExplainOptions",
    "compare": "CompareOptions",
    "report": "ReportOptions",
    "show": "ShowOptions",
    "export": "ExportOptions",
    "search": "SearchOptions",
    "replicate": "ReplicateOptions",
    "reproduce": "ReproduceOptions",
}


def load(name: str) -> Any:
    """Return the module of a command."""
    return importlib.import_module(f"reproof.cli.{name.replace('-', '_')}_command")


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_has_the_options_of_its_command(name: str) -> None:
    """Each field is an option or an argument of the command, in the order of the help, and there are no others."""
    fields = [field.name for field in dataclasses.fields(getattr(load(name), RECORDS[name]))]
    assert fields == [option.name for option in load(name).command.params]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "bundle"])
def test_a_command_of_many_options_takes_a_record(name: str) -> None:
    """No command has more arguments of its own than a person can keep in mind."""
    callback = load(name).command.callback
    assert (name in RECORDS) == (list(inspect.signature(callback).parameters) == ["options"])
    assert len(inspect.signature(callback).parameters) <= 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExampleOptions(Options):
    """Options of a command that there is in this test alone."""

    names: Annotated[tuple[str, ...], argument(nargs=-1)]
    num_times: Annotated[int, option("--times", type=POSITIVE, default=2, help="How often.")]
    is_loud: Annotated[bool, flag("--loud")]


@click.command("example")
@pass_options(ExampleOptions)
def example(options: ExampleOptions) -> ExampleOptions:
    """Return what was given."""
    return options


def test_a_command_gets_its_options_as_a_record() -> None:
    """An option has the name of its field, whatever its flag, and is checked like any other of click."""
    expected = ExampleOptions(names=("a", "b"), num_times=3, is_loud=True)
    assert example.main(["a", "--loud", "--times", "3", "b"], standalone_mode=False) == expected
    assert example.main([], standalone_mode=False) == ExampleOptions(names=(), num_times=2, is_loud=False)
    with pytest.raises(click.BadParameter, match="0 is not in the range"):
        example.main(["--times", "0"], standalone_mode=False)


def test_the_help_shows_a_default() -> None:
    """Where an option has one, without a word of its own in the definition."""
    assert "--times N  How often.  [default: 2; x>=1]" in example.get_help(click.Context(example))


def test_each_command_of_bundles_is_told_in_a_whole_sentence() -> None:
    """A list of commands whose sentences are cut off says nothing."""
    command: click.Command = load("bundle").command
    told = " ".join(command.get_help(click.Context(command)).split())
    assert "with a key of SSH; the manifest vouches for all other files. show Show" in told


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


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        ("print(1)", ("--json", "r.json"), "go to the script: --json; for reproof"),
        ("print(1)", ("--json=r.json", "--json"), "go to the script: --json; for reproof"),
        ("print(1)", ("--json", "r.json", "--steps=3"), "go to the script: --json, --steps; for reproof"),
        ("parser.add_argument('--json')", ("--json", "r.json"), ""),
        ("print(1)", ("--epochs", "3"), ""),
    ],
)
def test_an_option_of_ours_after_the_script_is_pointed_out(
    text: str, arguments: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to the script; one that the script has itself is meant by it."""
    script = tmp_path / "train.py"
    script.write_text(text, encoding="utf-8")
    with click.Context(load("check").command) as context:
        note_misplaced(context, str(script), arguments)
        written = capsys.readouterr().err
        assert (told in written) if told else not written
        assert written.count("\n") == bool(told)
    assert capsys.readouterr().err == written  # once more at the end, where people look


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExampleRequest:
    """What the options of the example ask for."""

    num_times: int = 1
    shouts: bool = False
    names: tuple[str, ...] = ()
    limit: int = 9


def test_options_fill_the_fields_of_a_request() -> None:
    """Those that are called alike; what is called otherwise is told, and the rest has its default."""
    options = ExampleOptions(names=("a",), num_times=3, is_loud=True)
    expected = ExampleRequest(num_times=3, shouts=True, names=("b",))
    assert options.fill(ExampleRequest, shouts=options.is_loud, names=("b",)) == expected
