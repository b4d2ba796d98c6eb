"""`reproof run`: where the trace goes, what is refused, and that nothing is overwritten unasked.

None of these scripts imports PyTorch: they start in a fraction of a second.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import zipapp
from typing import TYPE_CHECKING

import pytest

from reproof.comparison import compare
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command, Finished


def read_error(finished: Finished) -> str:
    """Return the text of an error: one line on standard error, nothing else, exit code 2."""
    (line,) = finished.err.splitlines()
    assert line.startswith("reproof: error: ")
    assert (finished.code, finished.out) == (2, "")
    return line.removeprefix("reproof: error: ")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return a script that tells when it runs."""
    path = tmp_path / "train.py"
    path.write_text("print('it ran')")
    return path


WRONG = {
    "nothing": ((), "Missing argument 'SCRIPT'"),
    "missing script": (("nowhere.py",), "no script nowhere.py"),
    "folder": (("folder",), "folder is a folder"),
    "not Python": (("broken.py",), "broken.py:2 is not Python: '(' was never closed"),
    "null bytes": (("null.py",), "null.py is not Python: "),
    "zip application": (("app.pyz",), "app.pyz is a zip archive, whose code is not recorded: unpack it"),
    "missing module": (("-m", "nowhere"), "no module nowhere"),
    "missing submodule": (("-m", "package.nowhere"), "no module package.nowhere"),
    "package that cannot be run": (("-m", "package"), "no module package"),
    "part of a module": (("-m", "json.decoder.nowhere"), "no module json.decoder.nowhere"),
    "file as module": (("-m", "train.py"), "train.py is not the name of a module"),
    "relative module": (("-m", ".train"), ".train is not the name of a module"),
    "unknown option": (("--epochs", "2", "train.py"), "--epochs"),
    "unknown level": (("--level", "everything", "train.py"), "everything"),
    "no batches": (("--num-batches", "0", "train.py"), "0 is not in the range"),
    "output is a file": (("-o", "train.py", "train.py"), "cannot write train.py"),
    "output below a file": (("-o", "train.py/run", "train.py"), "cannot write train.py/run"),
    "output is not a trace": (("-o", "folder", "--force", "train.py"), "folder holds 'notes.txt'"),
    "output is impossible": (("-o", "x" * 300, "train.py"), "too long"),
}


@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.usefixtures("script")
def test_what_cannot_be_run_is_one_line_and_exit_code_2(
    reproof: Command, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    """The line names the offending value, the script is not run, and nothing is created or changed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "broken.py").write_text("x = 1\nprint(")
    (tmp_path / "null.py").write_bytes(b"x = 1\0")
    zipapp.create_archive(tmp_path / "package", tmp_path / "app.pyz", main="nowhere:main")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    error = read_error(reproof("run", *arguments, PYTHONDONTWRITEBYTECODE="1"))
    assert expected in error
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_older_trace_is_replaced_only_by_force(reproof: Command, script: Path, tmp_path: Path) -> None:
    """Without `--force` a second run into the same folder is refused before the script runs."""
    assert reproof("run", "-o", "runs/a", script.name).code == 0
    first = open_trace(tmp_path / "runs" / "a").header.run_id
    assert "runs/a already holds a trace" in read_error(reproof("run", "-o", "runs/a", script.name))
    assert open_trace(tmp_path / "runs" / "a").header.run_id == first
    assert reproof("run", "--force", "-o", "runs/a", script.name).out == "it ran\n"
    assert open_trace(tmp_path / "runs" / "a").header.run_id != first


def test_an_older_trace_survives_a_script_that_cannot_be_run(reproof: Command, script: Path, tmp_path: Path) -> None:
    """`--force` takes an older trace away only for a run that starts."""
    reproof("run", "-o", "trace", script.name)
    first = open_trace(tmp_path / "trace").header.run_id
    read_error(reproof("run", "--force", "-o", "trace", "nowhere.py"))
    assert open_trace(tmp_path / "trace").header.run_id == first


def test_without_a_name_each_run_gets_a_folder_of_its_own(
    environment: dict[str, str], script: Path, tmp_path: Path
) -> None:
    """Runs that start in the same second do not get into each other's way."""
    command = [sys.executable, "-m", "reproof", "run", "-q", script.name]
    runs = [subprocess.Popen(command, cwd=tmp_path, env=environment) for _ in range(3)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0, 0]
    folders = list((tmp_path / "runs").iterdir())
    assert len(folders) == 3
    assert all("-train" in folder.name and open_trace(folder).header.status == "complete" for folder in folders)


def test_the_trace_knows_how_it_was_made(reproof: Command, script: Path, tmp_path: Path) -> None:
    """The header has the command line of the script, without the options of reproof."""
    reproof(
        "run", "-o", "trace", "--num-batches", "3", "--statistics", "--level", "batches", script.name, "--lr", "1 0"
    )
    header = open_trace(tmp_path / "trace").header
    assert header.command == ("train.py", "--lr", "1 0")
    assert (header.num_batches, header.statistics, header.level) == (3, True, "batches")
    assert (header.status, header.exit_code, header.ended, header.problems) == ("complete", 0, None, ())


@pytest.mark.parametrize("num_bytes", [0, 1000])
def test_a_full_disk_at_the_start_is_one_line(
    environment: dict[str, str], script: Path, tmp_path: Path, num_bytes: int
) -> None:
    """A trace that cannot even be begun is an error before the script runs."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))

    done = subprocess.run(
        [sys.executable, "-m", "reproof", "run", "-o", "trace", script.name],
        cwd=tmp_path,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        preexec_fn=limit,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("reproof: error: cannot write trace")
    assert "free some space" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_files_without_permission_are_one_line(reproof: Command, script: Path, tmp_path: Path) -> None:
    """An unreadable script and a folder that cannot be written are named."""
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot write locked/run" in read_error(reproof("run", "-o", "locked/run", script.name))
    script.chmod(0)
    assert "cannot read train.py" in read_error(reproof("run", "-o", "trace", script.name))


def test_standard_error_may_be_closed(reproof: Command, tmp_path: Path) -> None:
    """A script that closes its streams ends as it would, and its trace is complete."""
    (tmp_path / "train.py").write_text("import sys; sys.stdout.close(); sys.stderr.close()")
    assert reproof("run", "-o", "trace", "train.py").code == 0
    assert open_trace(tmp_path / "trace").header.status == "complete"


def test_the_log_of_its_output_is_no_result_of_a_run(
    write: Callable[[str], None], tmp_path: Path, environment: dict[str, str]
) -> None:
    """A job's log often stands in its folder; its lines are compared as such, and it is not finished by then."""
    write("from pathlib import Path\nprint('trained')\nPath('result.txt').write_text('1')")
    for name in "ab":
        with (tmp_path / "job.log").open("w") as log:
            command = [sys.executable, "-m", "reproof", "run", "-o", name, "train.py"]
            subprocess.run(command, cwd=tmp_path, env=environment, stdout=log, stderr=log, check=True)
    output = compare(tmp_path / "a", tmp_path / "b").output
    assert output is not None
    assert (output.num_files, output.num_lines, output.not_compared, output.differences) == (1, 1, (), ())


def test_the_command_is_quiet_when_asked(reproof: Command, script: Path) -> None:
    """With `--quiet` nothing but the script is heard, unless the recording failed."""
    done = reproof("run", "-q", "-o", "trace", script.name)
    assert (done.code, done.out, done.err) == (0, "it ran\n", "")
