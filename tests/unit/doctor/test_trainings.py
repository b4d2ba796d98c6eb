"""The doctor on whole trainings: no fault in those that reproduce, the fault's line in those that do not."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from reproof.doctor.script import find_scripts, read_target

TESTS = Path(__file__).resolve().parents[2]
TRAININGS: tuple[Any, ...] = runpy.run_path(str(TESTS / "trainings" / "cases.py"))["TRAININGS"]
ORDINARY = sorted((Path(__file__).resolve().parent / "clean").glob("*.py"))
EXAMPLES = sorted((TESTS.parent / "examples").rglob("*.py"))

ONLY_SHOWN_BY_A_RUN = {"nondeterministic-op", "state-on-disk"}
"""Kinds of faults that no script shows for certain."""


def script_of(training: Any) -> Path:
    """Return the file that is run, or the package."""
    if training.command[0] != "-m":
        return Path(training.folder, training.command[0])
    module = Path(training.folder, *training.command[1].split("."))
    return module if module.is_dir() else module.with_suffix(".py")


@pytest.mark.parametrize("script", ORDINARY, ids=[script.stem for script in ORDINARY])
def test_ordinary_scripts_have_no_finding(script: Path) -> None:
    """Scripts as people write them, with clocks, sets, listings and seeds in every usual way."""
    assert read_target(script).findings == ()


@pytest.mark.parametrize("training", [t for t in TRAININGS if t.is_reproducible], ids=lambda training: training.name)
def test_trainings_that_reproduce_have_no_finding(training: Any) -> None:
    """Also those that look suspicious."""
    assert read_target(script_of(training)).findings == ()


@pytest.mark.parametrize(
    "training", [t for t in TRAININGS if not t.is_reproducible], ids=lambda training: training.name
)
def test_the_fault_of_a_training_is_found(training: Any) -> None:
    """With its kind, file and line, and nothing else is; faults that only a run shows are left to `reproof check`."""
    findings = read_target(script_of(training)).findings
    causes = {(c.kind, (training.folder / c.file).name, c.find_line(training.folder)) for c in training.causes}
    found = {(item.kind, Path(item.file).name, item.line) for item in findings}
    if {kind for kind, _, _ in causes} <= ONLY_SHOWN_BY_A_RUN:
        assert found == set()
    else:
        assert found
        assert found <= causes


@pytest.mark.parametrize("script", EXAMPLES, ids=[script.stem for script in EXAMPLES])
def test_the_examples_have_no_finding(script: Path) -> None:
    """Ours are to be models for others."""
    assert read_target(script).findings == ()


class TestFolders:
    """A folder stands for the scripts in it."""

    def test_scripts_are_told_from_modules(self, tmp_path: Path) -> None:
        """What is imported is none, unless it has a main guard; tests, packaging and environments are left out."""
        files = {
            "train.py": "import helper, tool",
            "evaluate.py": "import helper",
            "helper.py": "",
            "tool.py": "if __name__ == '__main__': pass",
            "setup.py": "",
            "test_train.py": "",
            "tests/check.py": "",
            ".hidden/x.py": "",
            "env/pyvenv.cfg": "",
            "env/lib/y.py": "",
            "notes.txt": "",
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        assert [path.name for path in find_scripts(tmp_path)] == ["evaluate.py", "tool.py", "train.py"]

    def test_each_script_is_a_program_of_its_own(self, tmp_path: Path) -> None:
        """A seed of one script does not count for another; what they share is reported once."""
        (tmp_path / "net.py").write_text("import torch\nclass N:\n def __init__(s): s.l = torch.nn.Linear(1, 1)\n")
        train = "import net, torch\nnet.N().l(x).sum().backward()\n"
        for name, seed in {"a.py": "torch.manual_seed(0)", "b.py": "pass", "c.py": "pass"}.items():
            (tmp_path / name).write_text(train.replace("\nnet", f"\n{seed}\nnet"), encoding="utf-8")
        findings = read_target(tmp_path).findings
        assert [(Path(item.file).name, item.kind) for item in findings] == [("net.py", "unseeded-rng")]

    def test_a_script_that_cannot_be_read_does_not_stop_the_others(self, tmp_path: Path) -> None:
        """It is listed, with the reason."""
        (tmp_path / "broken.py").write_text("def broken(:", encoding="utf-8")
        (tmp_path / "train.py").write_text("import time, torch\ntorch.manual_seed(time.time_ns())", encoding="utf-8")
        reading = read_target(tmp_path)
        assert [item.kind for item in reading.findings] == ["wall-clock"]
        assert [(Path(item.file).name, item.why[:6]) for item in reading.not_read] == [("broken.py", "line 1")]
