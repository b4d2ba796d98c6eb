"""Any program that a shell finds can be recorded and checked, with its standard input; what dies is named."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reproof import compare
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

TRAINING = """
import sys
import torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(int(sys.argv[1])):
    optimizer.zero_grad()
    model(torch.ones(4, 3)).pow(2).mean().backward()
    optimizer.step()
"""

RANKS = """
import os, signal, sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
torch.manual_seed(dist.get_rank())
model = DistributedDataParallel(torch.nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    if step == 2 and dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    optimizer.zero_grad()
    model(torch.randn(4, 3)).pow(2).mean().backward()
    optimizer.step()
"""


@pytest.mark.slow(seconds=12)
def test_programs_record_what_they_start(tmp_path: Path, reproof: Command) -> None:
    """A console script and this Python in this process; a shell, and Python with options, by what they start."""
    (tmp_path / "train.py").write_text(TRAINING, encoding="utf-8")
    (tmp_path / "mytrain").write_text(f"#!{sys.executable}\n{TRAINING}", encoding="utf-8")
    (tmp_path / "job").write_text(f'#!/bin/sh\n{sys.executable} train.py "$@"\n', encoding="utf-8")
    for name in ("mytrain", "job"):
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    for name, command, kept, labels in (
        ("a", ("mytrain", "3"), ("--", "mytrain", "3"), [None]),
        ("b", (sys.executable, "-m", "train", "3"), ("-m", "train", "3"), [None]),
        ("c", ("job", "3"), ("--", "job", "3"), ["0.1.run1"]),
        ("d", (sys.executable, "-u", "train.py", "3"), ("--", sys.executable, "-u", "train.py", "3"), ["0.1"]),
    ):
        done = reproof("run", "-o", name, "--", *command, PATH=path)
        assert done.code == 0, done.err
        trace = open_trace(tmp_path / name)
        assert trace.header.command == kept
        assert list(trace.children) == ([] if labels == [None] else labels)
        assert [of.num_steps for label in labels if (of := trace.of_process(label))] == [3]


def test_a_program_that_fails_is_told(tmp_path: Path, reproof: Command) -> None:
    """With its name and exit code; one that is not there is refused before anything is recorded."""
    done = reproof("run", "-o", "a", "--", "/bin/sh", "-c", "exit 3")
    assert (done.code, open_trace(tmp_path / "a").header.ended) == (3, "/bin/sh exited with 3")
    done = reproof("run", "-o", "b", "--", "trian")
    assert (done.code, done.own_lines) == (
        2,
        ["reproof: error: no program trian: check its name: it must be on PATH, or a path"],
    )
    assert not (tmp_path / "b").exists()


def test_each_run_reads_standard_input(tmp_path: Path, reproof: Command) -> None:
    """What comes from a pipe once is given to all runs."""
    (tmp_path / "script.py").write_text("import sys\nprint(sys.stdin.read() * 2)\n", encoding="utf-8")
    reproof("check", "--keep", "runs", "script.py", stdin="lr=3\n", XDG_CACHE_HOME=str(tmp_path / "cache"))
    told = [(tmp_path / "runs" / f"{name}.output.txt").read_text() for name in ("baseline", "candidate")]
    assert told == ["lr=3\nlr=3\n\n"] * 2


@pytest.mark.slow(seconds=20)
def test_a_rank_that_dies_is_named(tmp_path: Path, reproof: Command) -> None:
    """What all ranks recorded until then is there, and nothing is called identical."""
    (tmp_path / "train.py").write_text(dedent(RANKS), encoding="utf-8")
    program = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py")
    assert reproof("run", "-o", "a", "--", *program).code == 1
    found = compare(tmp_path / "a", tmp_path / "a")
    assert found.verdict == "inconclusive"
    assert any(skipped.what.startswith("process 0.2 (rank 1): the end of") for skipped in found.skipped)
    trace = open_trace(tmp_path / "a")
    assert [child.ranks[0].num_steps for child in trace.children.values()] == [2, 2]
    assert "rank : 1" in str(trace.header.ended)
