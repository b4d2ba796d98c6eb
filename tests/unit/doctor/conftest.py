"""Scripts for the doctor to read: what is to be found is said in a comment on its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Protocol

import pytest

from reproof.doctor.script import read_target

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.doctor import Finding

SEEDED_TRAINING = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def train(inputs, targets):
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
"""A training without fault; what follows it in a test can add one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found in a script, and what its comments say that should be.

    Attributes:
        findings: The findings.
        found: Kind, file and line of each.
        expected: The same, from comments such as ``# finds: wall-clock``.
    """

    findings: tuple[Finding, ...]
    found: list[tuple[str, str, int]]
    expected: list[tuple[str, str, int]]


class Doctor(Protocol):
    """Reads a script and modules beside it."""

    def __call__(self, source: str, **modules: str) -> Answer:
        """Read `source` as train.py, with modules by name; a double underscore in a name stands for a folder."""


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Return what reads scripts, in a folder of the test."""
    monkeypatch.chdir(tmp_path)

    def read_script(source: str, **modules: str) -> Answer:
        files = {"train.py": source, **{name.replace("__", "/") + ".py": text for name, text in modules.items()}}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(dedent(text), encoding="utf-8")
        findings = read_target(tmp_path / "train.py")[0].findings
        return Answer(
            findings=findings,
            found=sorted((item.kind, item.file, item.line) for item in findings),
            expected=sorted(mark for name, text in files.items() for mark in marks_of(name, dedent(text))),
        )

    return read_script


@pytest.fixture
def after_training(read: Doctor) -> Doctor:
    """Return what reads lines that follow a seeded training, in which there is nothing to find."""

    def read_script(source: str, **modules: str) -> Answer:
        return read(SEEDED_TRAINING + dedent(source), **modules)

    return read_script


def marks_of(name: str, text: str) -> list[tuple[str, str, int]]:
    """Return kind, file and line of each comment that says what is to be found."""
    marked = [(number, re.search(r"# finds: ([\w-]+)", line)) for number, line in enumerate(text.splitlines(), 1)]
    return [(mark[1], name, number) for number, mark in marked if mark is not None]
