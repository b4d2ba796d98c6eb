"""Whichever process of a training is killed, all others leave whole traces, and nobody is left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from reproof.launch.orphans import list_children
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPT = """
    import multiprocessing, os, subprocess, sys, time
    import torch

    def train(seed, seconds):
        torch.manual_seed(seed)
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            optimizer.zero_grad()
            model(torch.randn(4, 3)).pow(2).mean().backward()
            optimizer.step()
            time.sleep(0.01)

    if __name__ == "__main__":
        fork = multiprocessing.get_context("fork")
        children = [fork.Process(target=train, args=(number, 60)) for number in range(3)]
        for child in children:
            child.start()
        train(9, 60)
"""


def list_tree(process: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield process
    for child in list_children(process):
        yield from list_tree(child)


def wait_for_steps(folder: Path, num_processes: int) -> None:
    """Wait until so many processes of a run have recorded some steps."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        files = [folder / "rank0.frames", *(folder / "processes").glob("*/rank0.frames")]
        if len([path for path in files if path.is_file() and path.stat().st_size > 400]) == num_processes:
            return
        time.sleep(0.05)
    pytest.fail("the processes did not begin to train")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which processes there are")
@pytest.mark.parametrize(
    "num_kills", [pytest.param(2, marks=pytest.mark.slow(seconds=8)), pytest.param(50, marks=pytest.mark.thorough)]
)
@pytest.mark.timeout(1800)
def test_a_killed_process_leaves_all_others_whole(tmp_path: Path, environment: dict[str, str], num_kills: int) -> None:
    """A random one, at a random moment; what is left of a run is ended with it."""
    (tmp_path / "train.py").write_text(dedent(SCRIPT), encoding="utf-8")
    draw = random.Random(0)
    for number in range(num_kills):
        folder = tmp_path / str(number)
        told = json.dumps([str(folder), ["train.py"]])
        check = subprocess.Popen(
            [sys.executable, "-c", dedent(RUNNER), told], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
        )
        wait_for_steps(folder, 4)
        time.sleep(draw.random() / 5)
        (run,) = list_children(check.pid)
        tree = sorted(list_tree(run))
        victim = draw.choice(tree)
        os.kill(victim, signal.SIGKILL)
        time.sleep(0.3)
        rest = [process for process in tree if process != victim]
        for process in () if victim == run else rest:
            os.kill(process, signal.SIGKILL)  # an end for all: each step that was recorded is there
        check.communicate(timeout=60)
        assert check.returncode == 0
        assert not [process for process in tree if is_there(process)]
        trace = open_trace(folder)
        assert not trace.lost
        for one in (trace, *trace.children.values()):
            one.verify()
            assert one.ranks[0].num_steps > 0


RUNNER = """
    import json, sys
    from pathlib import Path
    from reproof.launch.orphans import Orphans
    from reproof.launch.processes import RunRequest, run_all
    Orphans.adopt()
    folder, command = json.loads(sys.argv[1])
    run_all([RunRequest(command=tuple(command), folder=Path.cwd(), trace=Path(folder), level="steps")])
"""


def is_there(process: int) -> Any:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
