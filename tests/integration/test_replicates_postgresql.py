"""Runs of a queue that two worker processes share, one of them killed: nothing is lost, nothing is run twice.

Once over a journal file, once over PostgreSQL: the server of the machine's own package, started here on the loopback
interface, and skipped where it is not installed.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = "a-password-of-the-test"  # noqa: S105  # of a server that lives as long as this module
NUM_TASKS = 8
TIMEOUT_SECONDS = 90

WORKER = """
import json, subprocess, sys
from reproof.integrations.replicates import Task, run_all
from reproof.integrations.trial_queue import TrialQueue, open_storage

storage, log, name = sys.argv[1:4]

def run(task):
    subprocess.run([sys.executable, "run.py", log, name, task.name], check=True)
    return {"by": name, "square": task.number ** 2}

tasks = [Task(kind="replicate", number=number) for number in range(NUM_TASKS)]
results = run_all(TrialQueue(open_storage(storage), "runs", lease_seconds=4.0), tasks, run)
print(json.dumps({task.name: result for task, result in results.items()}))
""".replace("NUM_TASKS", str(NUM_TASKS))

RUN = """
import sys, time
from pathlib import Path
from reproof.launch.parent import die_with_parent

die_with_parent()
log, name, task = sys.argv[1:4]

def write(word):
    with open(log, "a") as file:
        file.write(f"{word}/{name}/{task}\\n")

has_run = f"end/{name}/" in Path(log).read_text()
write("start")
time.sleep(30 if name == "victim" and has_run else 0.2)
write("end")
"""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Return the URL of a server that runs as an unprivileged user, for the length of this module."""
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not tools:
        pytest.skip("PostgreSQL is not installed (/usr/lib/postgresql/*/bin/initdb)")
    folder = Path(tempfile.mkdtemp(prefix="reproof-postgresql-"))  # tmp_path of root cannot be entered by others
    options: dict[str, object] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        owner = pwd.getpwnam("nobody")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        options |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    def start(*arguments: str | Path) -> None:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
        command = [tools[-1].parent / arguments[0], *arguments[1:]]
        done = subprocess.run(command, env=environment, cwd=folder, check=False, timeout=TIMEOUT_SECONDS, **options)
        assert done.returncode == 0

    secret, data, port = folder / "password", folder / "data", find_free_port()
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=20"
    try:
        start("initdb", "-D", data, "-U", "tester", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8")
        start("pg_ctl", "start", "-w", "-D", data, "-l", folder / "log", "-o", settings)
        yield f"postgresql+psycopg://tester:{PASSWORD}@127.0.0.1:{port}/postgres"
        start("pg_ctl", "stop", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(params=["journal", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where the queue lies."""
    if request.param == "journal":
        return str(tmp_path / "queue.journal")
    url: str = request.getfixturevalue("postgresql")
    return url


@pytest.fixture
def start_worker(
    storage: str, tmp_path: Path, environment: dict[str, str]
) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Return what starts a worker process by name; all are ended after the test."""
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "log").touch()
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "worker.py", storage, "log", name]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for a condition, as long as a process lives."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_nothing_runs_twice(
    start_worker: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The other worker makes the run that was under way, once; each of the rest has been made once by one of them."""
    log = tmp_path / "log"
    victim = start_worker("victim")
    wait_until(lambda: log.read_text().count("start/victim/") == 2, victim)
    other = start_worker("other")
    wait_until(lambda: "end/other/" in log.read_text(), other)
    victim.kill()
    out, err = other.communicate(timeout=TIMEOUT_SECONDS)
    assert other.returncode == 0, err

    words = [line.split("/") for line in log.read_text().splitlines()]
    started, ended = (Counter(task for word, _, task in words if word == kind) for kind in ("start", "end"))
    names = {f"replicate {number}" for number in range(NUM_TASKS)}
    assert ended == dict.fromkeys(names, 1)
    assert sorted(started.values()) == [1] * (NUM_TASKS - 1) + [2]
    (again,) = [task for task, count in started.items() if count == 2]
    assert [name for word, name, task in words if task == again] == ["victim", "other", "other"]
    results = json.loads(out)
    assert {name: found["square"] for name, found in results.items()} == {
        f"replicate {number}": number**2 for number in range(NUM_TASKS)
    }
    assert Counter(found["by"] for found in results.values()) == {"victim": 1, "other": NUM_TASKS - 1}

    late = start_worker("late")
    out, err = late.communicate(timeout=TIMEOUT_SECONDS)
    assert late.returncode == 0, err
    assert json.loads(out) == results
    assert "late" not in log.read_text()
