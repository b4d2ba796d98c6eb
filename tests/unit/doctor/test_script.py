"""A script with its modules, and folders of scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reproof.doctor.script import find_scripts, read_target
from reproof.errors import UsageError


def write(folder: Path, **files: str) -> None:
    """Write modules; a double underscore in a name stands for a folder."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")


def test_scripts_are_told_from_modules(tmp_path: Path) -> None:
    """What is imported is none, unless it has a main guard; tests, packaging and environments are left out."""
    guard = "if __name__ == '__main__': pass"
    write(
        tmp_path, train="import helper, tool", evaluate="import helper", helper="", tool=guard, setup="", test_train=""
    )
    write(tmp_path, tests__check="", env__lib__y="")
    write(tmp_path / ".hidden", x="")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert [path.name for path in find_scripts(tmp_path)] == ["evaluate.py", "tool.py", "train.py"]


def test_each_script_is_a_program_of_its_own(tmp_path: Path) -> None:
    """A seed of one script does not count for another; what they share is reported once."""
    train = "import net, torch\n{}\nnet.N().l(x).sum().backward()\n"
    net = "import torch\nclass N:\n def __init__(s): s.l = torch.nn.Linear(1, 1)\n"
    write(tmp_path, net=net, a=train.format("torch.manual_seed(0)"), b=train.format(""), c=train.format(""))
    diagnosis, facts = read_target(tmp_path)
    assert [(Path(item.file).name, item.kind) for item in diagnosis.findings] == [("net.py", "unseeded-rng")]
    assert facts is None


def test_a_script_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is listed, with the reason."""
    write(tmp_path, broken="def broken(:", train="import time, torch\ntorch.manual_seed(time.time_ns())")
    diagnosis, _ = read_target(tmp_path)
    assert [item.kind for item in diagnosis.findings] == ["wall-clock"]
    assert [(Path(item.file).name, item.why[:6]) for item in diagnosis.not_read] == [("broken.py", "line 1")]


def test_a_folder_without_scripts_is_an_error(tmp_path: Path) -> None:
    """One line, with what to do."""
    with pytest.raises(UsageError, match="has no Python script"):
        read_target(tmp_path)


def test_modules_are_found_as_python_finds_them(tmp_path: Path) -> None:
    """From the script's folder and that of its outermost package, also relative ones, each once."""
    write(tmp_path, p__train="from . import a\nfrom .b import c\nimport p.d, other, torch", p__a="", p__b="")
    (tmp_path / "p" / "__init__.py").touch()
    write(tmp_path, p__d="from p import a", other="import p.train")
    files = read_target(tmp_path / "p" / "train.py")[0].files
    assert sorted(str(Path(file).relative_to(tmp_path)) for file in files) == [
        "other.py",
        "p/__init__.py",
        "p/a.py",
        "p/b.py",
        "p/d.py",
        "p/train.py",
    ]


def test_a_script_nested_too_deeply_is_an_error(tmp_path: Path) -> None:
    """And no traceback."""
    write(tmp_path, train=f"x = {'(' * 150}1{')' * 150}\ny = {'-' * 5000}1")
    with pytest.raises(UsageError):
        read_target(tmp_path / "train.py")


STEP = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nmodel(torch.ones(1, 2)).sum().backward()"
STEP += "\noptimizer.step()"


def test_a_notebook_is_read_cell_by_cell(tmp_path: Path) -> None:
    """Lines are those of a cell, magics are no Python, and saved counts tell how it was last run."""
    cells = [
        ("%matplotlib inline\nimport torch", 2),
        ("%%bash\nls", 3),
        ("from torch import nn\n\nif True:\n    !ls\nmodel = nn.Linear(2, 1)\n" + STEP, 1),
    ]
    content = [{"cell_type": "code", "source": source, "execution_count": count} for source, count in cells]
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps({"cells": content}), encoding="utf-8")
    diagnosis, _ = read_target(path)
    assert [(found.file.rpartition("/")[2], found.line) for found in diagnosis.findings] == [("train.ipynb[3]", 5)]
    assert [note.rpartition(": ")[2] for note in diagnosis.notes] == ["[2] [3] [1]"]
