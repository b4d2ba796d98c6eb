"""`reproof compare` and the command line as a whole: exit codes, output, errors."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils.data import DataLoader

import reproof as library
from reproof import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command, Finished


def read_error(finished: Finished) -> str:
    """Return the text of an error: one line on standard error, nothing else, exit code 2."""
    (line,) = finished.err.splitlines()
    assert line.startswith("reproof: error: ")
    assert (finished.code, finished.out) == (2, "")
    return line.removeprefix("reproof: error: ")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder with four runs, `d` the newest: `b` is as `a`, `c` has another order, `d` is shorter."""
    data = torch.arange(24.0).reshape(12, 2)
    orders = {"a": range(12), "b": range(12), "c": [*range(11, 5, -1), *range(6)], "d": range(6)}
    for name, order in orders.items():
        with library.record(tmp_path / "runs" / name, level="batches"):
            list(DataLoader(data, batch_size=3, sampler=order))
    return tmp_path / "runs"


def test_the_exit_code_is_the_verdict(reproof: Command, runs: Path) -> None:
    """0 identical, 1 diverged, 2 inconclusive; the first line says it."""
    for other, code, verdict in (("b", 0, "identical"), ("c", 1, "diverged"), ("d", 2, "inconclusive")):
        done = reproof("compare", runs / "a", runs / other)
        assert (done.code, done.err) == (code, "")
        assert done.out.startswith(f"{verdict}: ")
        quiet = reproof("compare", "--quiet", runs / "a", runs / other)
        assert (quiet.code, quiet.out, quiet.err) == (code, done.out.splitlines(keepends=True)[0], "")


def test_a_divergence_is_shown_with_its_place(reproof: Command, runs: Path) -> None:
    """Step, stage, kind and name of the first divergence, and how the indices differ."""
    lines = reproof("compare", runs / "a", runs / "c").out
    assert "step 0, batch (order): loader0(12) indices" in lines
    assert "3 of 3 samples are others" in lines
    assert "[0, 1, 2]" in lines
    assert "[11, 10, 9]" in lines


def test_the_two_newest_runs_of_a_folder(reproof: Command, runs: Path) -> None:
    """`--dir` takes them in the order in which they were made, whatever their names."""
    done = reproof("compare", "--dir", runs, "--json", "-")
    assert [path.rpartition("/")[2] for path in json.loads(done.out)["runs"]] == ["c", "d"]


def test_json_follows_the_contract(reproof: Command, runs: Path) -> None:
    """To a file, beside the text; to standard output with `-`, and then nothing else."""
    to_file = reproof("compare", "--json", "result.json", runs / "a", runs / "c")
    assert to_file.out.startswith("diverged")
    alone = reproof("compare", "--json", "-", runs / "a", runs / "c")
    assert (to_file.code, alone.code, alone.err) == (1, 1, "")
    result: dict[str, Any] = json.loads(alone.out)
    assert json.loads((runs.parent / "result.json").read_text()) == result
    first = result["first_divergence"]
    assert (result["schema"], result["verdict"], result["causes"]) == (1, "diverged", [])
    assert (first["rank"], first["step"], first["stage"], first["detail"]) == (0, 0, "batch", "order")
    assert {"name", "baseline", "candidate", "op", "file", "line", "max_ulp", "max_abs"} <= first.keys()
    assert (result["compared"]["events"], result["compared"]["tensors"], result["compared"]["skipped"]) == (8, 4, [])
    identical = json.loads(reproof("compare", "--json", "-", runs / "a", runs / "b").out)
    assert (identical["verdict"], identical["first_divergence"]) == ("identical", None)


WRONG = {
    "nothing": ((), "nothing named"),
    "one run": (("runs/a",), "runs/a named"),
    "three runs": (("runs/a", "runs/b", "runs/c"), "runs/c named"),
    "runs and a folder": (("runs/a", "runs/b", "--dir", "runs"), "--dir"),
    "missing run": (("runs/a", "runs/nowhere"), "no trace at runs/nowhere"),
    "no trace": (("runs/a", "runs"), "runs is not a trace"),
    "empty folder": (("runs/a", "empty"), "empty is not a trace"),
    "file": (("runs/a", "notes.txt"), "notes.txt is a file"),
    "files": (("notes.txt", "notes.txt"), "notes.txt"),
    "missing folder": (("--dir", "nowhere"), "no folder"),
    "too few runs": (("--dir", "empty"), "empty holds 0 of the 2 runs"),
    "no tolerance": (("runs/a", "runs/b", "--tolerance", "much"), "'much' is not a valid float"),
    "negative tolerance": (("runs/a", "runs/b", "--tolerance", "-1"), "tolerance is -1.0"),
    "tolerance that is no number": (("runs/a", "runs/b", "--tolerance", "nan"), "tolerance is nan"),
    "no differences": (("runs/a", "runs/b", "--max-differences", "0"), "0 is not in the range"),
    "unknown option": (("runs/a", "runs/b", "--exact"), "No such option"),
    "option without value": (("runs/a", "runs/b", "--json"), "--json"),
    "json that cannot be written": (("runs/a", "runs/b", "--json", "nowhere/x.json"), "cannot write nowhere/x.json"),
}


@pytest.mark.usefixtures("runs")
def test_what_cannot_be_compared_is_one_line_and_exit_code_2(reproof: Command, tmp_path: Path) -> None:
    """The line names the offending value and says what to do."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("nothing")
    for arguments, expected in WRONG.values():
        error = read_error(reproof("compare", *arguments))
        assert expected in error
        assert ": " in error


def test_the_command_line_without_a_command(reproof: Command) -> None:
    """Help and version are for standard output; a wrong command is one line and exit code 2."""
    for help_option in ("--help", "-h"):
        done = reproof(help_option)
        assert (done.code, done.err) == (0, "")
        assert all(f"\n  {name} " in done.out for name in ("run", "compare", "export"))
    assert (reproof("--version").out, reproof("-V").code) == (f"reproof, version {__version__}\n", 0)
    assert "No such command 'compar'. Did you mean 'compare'?" in read_error(reproof("compar"))
    assert "Did you mean 'reproof check a/train.py'?" in read_error(reproof("a/train.py"))
    assert "No such option" in read_error(reproof("--nothing"))
    nothing = reproof()
    assert (nothing.code, nothing.out) == (2, "")
    assert "Usage: reproof" in nothing.err
    for command in ("run", "compare", "export"):
        done = reproof(command, "--help")
        assert (done.code, done.err) == (0, "")
        assert f"Usage: reproof {command}" in done.out


def test_help_needs_none_of_the_large_libraries(python: Command) -> None:
    """`reproof --help` imports neither torch nor numpy nor rich."""
    code = """
import sys
from reproof.cli import main
try:
    main(["--help"])
except SystemExit as error:
    print(error.code, [name for name in ("torch", "numpy", "rich") if name in sys.modules], file=sys.stderr)
"""
    assert python("-c", code).err == "0 []\n"


def test_a_reader_that_has_enough_is_no_error(environment: dict[str, str], runs: Path) -> None:
    """When the pipe is closed early the command ends without a word."""
    command = [sys.executable, "-m", "reproof", "compare", str(runs / "a"), str(runs / "c")]
    read, write = os.pipe()
    os.close(read)
    for variables in ({}, {"PYTHONUNBUFFERED": "1"}):
        done = subprocess.run(
            command, env={**environment, **variables}, stdout=write, stderr=subprocess.PIPE, check=False, text=True
        )
        assert done.stderr == ""
        assert done.returncode in {0, 1}
    os.close(write)


def test_colours_are_for_terminals(environment: dict[str, str], runs: Path, reproof: Command) -> None:
    """A pipe gets plain text; a terminal gets colours, unless NO_COLOR asks for none."""
    arguments = ("compare", str(runs / "a"), str(runs / "c"))
    assert "\x1b" not in reproof(*arguments).out
    for variables, has_colours in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        shown = run_in_terminal([sys.executable, "-m", "reproof", *arguments], {**environment, **variables})
        assert "diverged" in shown
        assert ("\x1b[" in shown) == has_colours


def run_in_terminal(command: list[str], environment: dict[str, str]) -> str:
    """Run a command whose standard output is a terminal; return what it shows."""
    parent, child = pty.openpty()
    with subprocess.Popen(command, env=environment, stdout=child, stderr=subprocess.STDOUT) as process:
        os.close(child)
        shown = b""
        try:
            while part := os.read(parent, 65536):
                shown += part
        except OSError:  # what Linux says at the end
            pass
        process.wait(timeout=60)
    os.close(parent)
    return shown.decode()


def test_any_encoding_can_show_a_result(reproof: Command, runs: Path) -> None:
    """Paths and conditions with characters that the terminal does not know are shown with others in their place."""
    header = json.loads((runs / "c" / "run.json").read_text())
    header["environment"]["python"]["version"] = "3.0.0"
    (runs / "c" / "run.json").write_text(json.dumps(header))
    strange = runs / "größe → \udcff"
    (runs / "c").rename(strange)
    for encoding in ("ascii", "latin-1", "utf-8"):
        done = reproof("compare", runs / "a", strange, PYTHONIOENCODING=encoding)
        assert (done.code, done.err) == (1, "")
        assert "3.0.0" in done.out
        missing = reproof("compare", runs / "a", runs / "größe → \udcff\udcfe", PYTHONIOENCODING=encoding)
        assert "no trace" in read_error(missing)
