"""What a run leaves behind is ended, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from reproof.launch import orphans

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose parent has ended")

SCRIPT = """
    import os, subprocess, sys, time
    from reproof.launch.orphans import Orphans, list_children
    if sys.argv[1] == "adopt":
        Orphans.adopt()
    beside = subprocess.Popen(["/bin/sleep", "60"])
    left = "(/bin/sleep 20 & (/bin/sleep 20 & exec /bin/sleep 20) & kill -9 $$) > /dev/null 2>&1"
    run = subprocess.Popen(["/bin/sh", "-c", left])
    run.wait()
    killed = Orphans.end([beside.pid], grace_seconds=0)
    print(killed, beside.poll(), list_children(os.getpid()) == {beside.pid})
    beside.kill()
"""


@pytest.mark.parametrize(("mode", "told"), [("adopt", "3 None True"), ("leave", "0 None True")])
def test_what_a_killed_process_leaves_is_ended(mode: str, told: str) -> None:
    """At any depth, where it was asked for; a run that goes on is left alone."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(SCRIPT), mode], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == told


def test_this_process_adopts_nobody() -> None:
    """A program that calls `reproof.check` has children of its own."""
    assert not orphans.Orphans.are_adopted
    assert orphans.Orphans.end() == 0
