"""`reproof doctor` as a user runs it: output, JSON, exit codes, errors, with PyTorch and without."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command, Finished

CLEAN = "import torch\ntorch.manual_seed(0)\ntorch.nn.Linear(2, 1)(torch.ones(2)).backward()\n"
FAULTY = "import time\nimport torch\n\ntorch.manual_seed(int(time.time()))\n"
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "numpy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
"""Makes PyTorch as absent as where it is not installed."""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return a script with one fault, on its line 4."""
    path = tmp_path / "train.py"
    path.write_text(FAULTY, encoding="utf-8")
    return path


@pytest.fixture
def without_torch(tmp_path: Path, python: Command) -> Command:
    """Return what runs the command `reproof` in a fresh process that cannot import PyTorch."""
    code = f"{BLOCKER}\nfrom reproof.cli import main\nsys.argv[0] = 'reproof'\nmain()"
    return lambda *arguments, **variables: python("-c", code, *arguments, **variables)


def read_error(finished: Finished) -> str:
    """Return the text of an error: one line on standard error, nothing else, exit code 2."""
    (line,) = finished.err.splitlines()
    assert (finished.code, finished.out) == (2, "")
    return line.removeprefix("reproof: error: ")


class TestConditions:
    """The table by itself."""

    def test_one_line_per_condition(self, reproof: Command) -> None:
        """Grouped by whether it holds, and exit code 0 whatever does; the reasons come with --why."""
        done = reproof("doctor")
        assert (done.code, done.err) == (0, "")
        for words in ("Does not hold (", "Cannot be told here, or does not apply (", "  hash-seed", "  versions"):
            assert words in done.out
        assert "https://" not in done.out
        explained = reproof("doctor", "--why").out
        for words in ("    why  ", "    set  ", "    see  https://"):
            assert explained.count(words) == done.out.count("\n  ")

    def test_what_the_user_sets_holds(self, reproof: Command) -> None:
        """The hash seed and the number of threads, given in the environment."""
        checks = read_checks(reproof("doctor", "--json", PYTHONHASHSEED="0", OMP_NUM_THREADS="1"))
        assert checks["hash-seed"]["holds"] is True
        assert checks["num-threads"]["holds"] is True
        assert read_checks(reproof("doctor", "--json", PYTHONHASHSEED="random"))["hash-seed"]["holds"] is False

    def test_without_pytorch(self, without_torch: Command, script: Path) -> None:
        """The rows that need it say so, all else works; so does --no-torch."""
        done = without_torch("doctor", script.name, "--json")
        assert (done.code, done.err) == (1, "")
        checks = read_checks(done)
        assert checks["deterministic-algorithms"]["state"] == "unknown: PyTorch is not installed"
        assert checks["deterministic-algorithms"]["how"] == "pip install 'reproof[torch]'"
        assert checks["hash-seed"]["holds"] is False
        assert json.loads(done.out)["findings"][0]["line"] == 4
        again = without_torch("doctor", "--no-torch")
        assert "unknown: PyTorch is not asked (--no-torch)" in again.out

    def test_pytorch_is_not_imported_for_a_script_alone(self, python: Command, script: Path) -> None:
        """Nor numpy, nor rich."""
        code = (
            "import atexit, sys; from reproof.cli import main; sys.argv = ['reproof', 'doctor', '-q', 'train.py'];"
            "atexit.register(lambda: print('loaded:', sorted({'numpy', 'rich', 'torch'} & set(sys.modules)))); main()"
        )
        done = python("-c", code)
        assert (done.code, done.out.splitlines()[-1]) == (1, "loaded: []")


class TestScript:
    """With a script."""

    def test_a_finding(self, reproof: Command, script: Path) -> None:
        """File and line as editors take them, the line itself, what to write instead; exit code 1."""
        done = reproof("doctor", "-q", script.name)
        assert (done.code, done.err) == (1, "")
        lines = done.out.splitlines()
        assert lines[0].startswith("train.py:4: wall-clock: the time reaches a seed (train.py:4)")
        assert lines[1] == "    torch.manual_seed(int(time.time()))"
        assert lines[2].startswith("    instead: ")
        assert lines[-1] == "1 finding in 1 file"

    def test_nothing_found(self, reproof: Command, script: Path) -> None:
        """Exit code 0, and the table tells what the script sets."""
        script.write_text(CLEAN, encoding="utf-8")
        done = reproof("doctor", script.name)
        assert (done.code, done.err) == (0, "")
        assert "seeded: PyTorch at train.py:2" in done.out
        assert done.out.startswith("nothing found in 1 file\n")

    def test_a_script_is_never_run(self, reproof: Command, script: Path) -> None:
        """Nor are its modules."""
        (script.parent / "module.py").write_text("open('ran', 'w')\n", encoding="utf-8")
        script.write_text("import module\nopen('ran', 'w')\n", encoding="utf-8")
        assert reproof("doctor", "-q", script.name).code == 0
        assert sorted(path.name for path in script.parent.iterdir()) == ["module.py", "train.py"]

    def test_a_module_that_cannot_be_read(self, reproof: Command, script: Path) -> None:
        """Is named, with the reason."""
        (script.parent / "module.py").write_text("def broken(:\n", encoding="utf-8")
        script.write_text("import module\n", encoding="utf-8")
        done = reproof("doctor", "-q", script.name)
        assert done.code == 0
        assert "module.py was not read: line 1: " in done.out

    def test_a_folder(self, reproof: Command, script: Path) -> None:
        """Stands for its scripts."""
        done = reproof("doctor", "-q", ".")
        assert done.code == 1
        assert "train.py:4: wall-clock: " in done.out

    def test_odd_characters_of_a_script_are_shown_harmlessly(self, reproof: Command, script: Path) -> None:
        """An escape sequence in the source does not reach the terminal, whatever its encoding."""
        script.write_text(FAULTY.replace(")))", "))) # é \x1b[31m"), encoding="utf-8")
        done = reproof("doctor", "-q", script.name, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert done.code == 1
        assert "\x1b" not in done.out


class TestJson:
    """For programs."""

    @pytest.mark.parametrize(
        "arguments",
        [("train.py", "--json"), ("--json", "train.py"), ("--json", "-", "train.py"), ("train.py", "--json=-")],
        ids=" ".join,
    )
    def test_to_standard_output(self, reproof: Command, script: Path, arguments: tuple[str, ...]) -> None:
        """Nothing else is printed; a script that follows --json is read and not replaced."""
        done = reproof("doctor", "--no-torch", *arguments)
        assert (done.code, done.err) == (1, "")
        found = json.loads(done.out)
        assert (found["schema"], len(found["findings"])) == (1, 1)
        assert script.read_text(encoding="utf-8") == FAULTY

    def test_to_a_file(self, reproof: Command, script: Path) -> None:
        """Beside the text."""
        done = reproof("doctor", "--no-torch", "--json", "out.json", "train.py")
        assert "wall-clock" in done.out
        found = json.loads((script.parent / "out.json").read_text(encoding="utf-8"))
        assert found["findings"][0]["file"] == "train.py"


class TestErrors:
    """One line, exit code 2."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("missing.py",), "there is no missing.py"),
            (("broken.py",), "broken.py cannot be read: line 1: "),
            (("latin.py",), "latin.py cannot be read: it is not in UTF-8"),
            (("empty",), "the folder empty has no Python script"),
            (("-q",), "none is named"),
            (("train.py", "--json", "train.py"), "--json train.py would replace a script"),
            (("train.py", "--json", "no/such/folder.json", "--no-torch"), "cannot write no/such/folder.json"),
            (("train.py", "extra"), "extra"),
        ],
        ids=lambda value: value[0] if isinstance(value, tuple) else "",
    )
    def test_what_cannot_be_done(self, reproof: Command, script: Path, arguments: tuple[str, ...], words: str) -> None:
        """Says what is wrong."""
        (script.parent / "broken.py").write_text("def broken(:\n", encoding="utf-8")
        (script.parent / "latin.py").write_bytes(b"x = 1\ny = '\xe9'\n")
        (script.parent / "empty").mkdir()
        assert words in read_error(reproof("doctor", *arguments))


class TestTerminal:
    """What a person sees at a terminal."""

    def test_it_fits(self, environment: dict[str, str], tmp_path: Path) -> None:
        """No line is longer than the terminal."""
        assert [line for line in self.show(environment, tmp_path, COLUMNS="80") if len(line) > 80] == []

    def show(self, environment: dict[str, str], folder: Path, **variables: str) -> list[str]:
        """Return the lines that the command prints at a terminal."""
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "reproof", "doctor", "--no-torch"]
        plain = {name: value for name, value in environment.items() if name != "NO_COLOR"}
        with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=folder, env={**plain, **variables}) as process:
            os.close(theirs)
            output = b"".join(iter(lambda: read_terminal(ours), b""))
        os.close(ours)
        assert process.returncode == 0
        return output.decode().splitlines()


def read_terminal(descriptor: int) -> bytes:
    """Read from a terminal; a closed one is an error on Linux."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def read_checks(finished: Finished) -> dict[str, Any]:
    """Return the checks of a JSON by their names."""
    return {check["name"]: check for check in json.loads(finished.out)["checks"]}
