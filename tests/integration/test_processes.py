"""Processes that a recorded one starts record themselves, are compared, and are no other than without a recording."""

from __future__ import annotations

import hashlib
import json
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from reproof import compare
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command

TRAINING = """
import multiprocessing, os, signal, subprocess, sys
import torch

def train(seed, num_steps=3):
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(num_steps):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).pow(2).mean().backward()
        optimizer.step()
    torch.save(model.state_dict(), f"{seed}.pt")
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], None]:
    """Return what writes the script of a test: how to train, and what is done with it."""

    def write_script(text: str) -> None:
        (tmp_path / "script.py").write_text(TRAINING + dedent(text), encoding="utf-8")

    return write_script


def weights_in(folder: Path) -> dict[str, str]:
    """Return what was saved, by the name of the file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.pt")}


def test_each_process_records_itself_and_is_as_without(
    write: Callable[[str], None], reproof: Command, python: Command, tmp_path: Path
) -> None:
    """Forked, spawned, a task of a pool, a program: their weights are the same, and two runs are identical."""
    write("""
        if __name__ == "__main__":
            if sys.argv[1:]:
                train(int(sys.argv[1]))
                sys.exit()
            train(0)
            for number, method in enumerate(("fork", "spawn")):
                process = multiprocessing.get_context(method).Process(target=train, args=(1 + number,))
                process.start()
                process.join()
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(train, (3, 4, 5), chunksize=1)
            environment = dict(os.environ)
            subprocess.run([sys.executable, __file__, "6"], check=True)
            assert environment == dict(os.environ)
    """)
    assert python("script.py").code == 0
    without = weights_in(tmp_path)
    assert len(without) == 7
    for name in "ab":
        done = reproof("run", "-o", name, "script.py")
        assert done.code == 0, done.err
        assert "and 6 children" in done.err
        assert weights_in(tmp_path) == without
    found = compare(tmp_path / "a", tmp_path / "b")
    assert found.verdict == "identical", (found.skipped, found.structure, found.first)
    children = open_trace(tmp_path / "a").children
    assert list(children) == ["0.1", "0.2", "0.3", *(f"0.pool1.job0.task{n}" for n in range(3))]
    assert [child.ranks[0].num_steps for child in children.values()] == [3] * 6
    lines = (tmp_path / "script.py").read_text(encoding="utf-8").splitlines()
    starts = [lines[(child.header.origin.line or 0) - 1].strip() for child in children.values() if child.header.origin]
    assert starts[:2] == ["process.start()"] * 2
    assert "subprocess.run" in starts[2]
    assert all("Pool(2)" in start for start in starts[3:])


def test_a_killed_process_leaves_the_others_whole(
    write: Callable[[str], None], reproof: Command, tmp_path: Path
) -> None:
    """It is named with the line that started it, and nothing is called identical."""
    write("""
        def die(seed):
            train(seed)
            os.kill(os.getpid(), signal.SIGKILL)

        for number, target in enumerate((train, die, train)):
            process = multiprocessing.get_context("fork").Process(target=target, args=(number,))
            process.start()
            process.join()
    """)
    assert reproof("run", "-o", "a", "script.py").code == 0
    found = compare(tmp_path / "a", tmp_path / "a")
    assert found.verdict == "inconclusive"
    killed = {s.what for s in found.skipped}
    assert len(killed) == 2
    line = (tmp_path / "script.py").read_text(encoding="utf-8").splitlines().index("    process.start()") + 1
    assert all(what.startswith(f"process 0.2 (script.py:{line}): the end of the ") for what in killed)
    children = open_trace(tmp_path / "a").children
    assert [child.ranks[0].num_steps for child in children.values()] == [3, 3, 3]
    assert [child.header.status for child in children.values()] == ["complete", "running", "complete"]


def test_a_program_that_does_not_begin_is_missed(tmp_path: Path, reproof: Command) -> None:
    """Python ignores variables if it is told to; one that trains nothing and is seen is no process of the trace."""
    script = """
        import subprocess, sys
        subprocess.run([sys.executable, "-c", "print(1)"])
        subprocess.run([sys.executable, "-I", "-c", "print(2)"])
        subprocess.run(f"{sys.executable} -c 'print(3)'", shell=True)
    """
    (tmp_path / "script.py").write_text(dedent(script), encoding="utf-8")
    done = reproof("run", "-o", "a", "script.py")
    assert (done.code, done.out) == (0, "1\n2\n3\n"), done.err
    trace = open_trace(tmp_path / "a")
    assert (list(trace.lost), trace.children) == (["0.2"], {})


def test_the_cause_is_found_in_a_child(write: Callable[[str], None], reproof: Command, tmp_path: Path) -> None:
    """By experiments in which the child has the value of the baseline, whatever its parent does."""
    write("""
        def train_by_chance():
            train(int.from_bytes(os.urandom(2), "big"))

        train(0)
        process = multiprocessing.get_context("fork").Process(target=train_by_chance)
        process.start()
        process.join()
    """)
    done = reproof("check", "--json", "found.json", "script.py", XDG_CACHE_HOME=str(tmp_path / "cache"))
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert (done.code, found["first_divergence"]["process"]) == (1, "0.1"), done.err
    causes = [(cause["kind"], cause["text"].strip(), cause["confirmed"]) for cause in found["causes"]]
    assert causes == [("os-entropy", 'train(int.from_bytes(os.urandom(2), "big"))', True)]
