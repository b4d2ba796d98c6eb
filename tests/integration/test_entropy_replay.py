"""What lets the outside world into a run is recorded with its line, and comes out the same when it is replayed."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import time
from textwrap import dedent
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

from reproof.entropy.ledger import Source, read_ledgers, read_seeds
from reproof.entropy.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command

SLEEP = """
import _random, time
_chance, _sleep = _random.Random(), time.sleep  # a generator that nobody taps
def jitter():
    _chance.seed()
    _sleep(_chance.random() * 0.02)
"""
"""A pause of a length that no run shares with another."""


SHARING = "random numbers in the tasks of a pool"
"""Name under which processes are noted that share what they do."""


class Run(Protocol):
    """Runs a script under `reproof run` and returns what it printed."""

    def __call__(self, name: str, plan: Plan | None = None, *arguments: str, script: str = "script.py") -> str:
        """Run it into the trace of this name."""


@pytest.fixture
def run(tmp_path: Path, reproof: Command) -> Run:
    """Return what runs the script of a test."""

    def start(name: str, plan: Plan | None = None, *arguments: str, script: str = "script.py") -> str:
        experiment = tmp_path / f"{name}.json"
        plan = plan or Plan(keeps_printed=True)
        experiment.write_text(json.dumps({"plan": plan.to_json(), "probes": None}))
        done = reproof("run", "-o", name, "--experiment", experiment.name, script, *arguments)
        assert done.code == 0, done.err
        assert "Traceback" not in done.err, done.err
        return done.out

    return start


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], None]:
    """Return what writes the script of a test."""

    def write_script(text: str) -> None:
        (tmp_path / "script.py").write_text(dedent(text), encoding="utf-8")

    return write_script


def replay(folder: Path) -> Plan:
    """Return the plan by which everything is replayed from the trace `a`."""
    return Plan(baseline=str(folder / "a"))


def sources(folder: Path, process: str = "0", name: str = "a") -> dict[str, Source]:
    """Return what a process read from each place."""
    return read_ledgers(folder / name)[process]


SINGLE = {
    "time": ("time.time", "wall-clock", "from time import time as now\nprint(now())"),
    "nanoseconds": ("time.perf_counter_ns", "wall-clock", "import time\nprint(time.perf_counter_ns())"),
    "strftime": ("time.strftime", "wall-clock", "import time\nprint(time.strftime('%H:%M:%S'), time.time_ns())"),
    "localtime": ("time.localtime", "wall-clock", "import time\nprint(time.localtime(), time.time_ns())"),
    "localtime of a time": (
        "time.localtime(seconds)",
        "environment",
        "import time\nprint(time.localtime(1e9).tm_hour, time.time_ns())",
    ),
    "temporary folder": (
        "tempfile.gettempdir",
        "environment",
        "import tempfile, os\nprint(tempfile.gettempdir(), os.getpid())",
    ),
    "datetime": ("datetime.datetime.now", "wall-clock", "from datetime import datetime\nprint(datetime.now())"),
    "datetime with a zone": (
        "datetime.datetime.now",
        "wall-clock",
        "import datetime\nprint(datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=3))))",
    ),
    "derived datetime": (
        "datetime.date.today",
        "wall-clock",
        "import datetime\nclass Day(datetime.datetime):\n    pass\nprint(repr(Day.today()))",
    ),
    "clock by its number": (
        "time.clock_gettime_ns",
        "wall-clock",
        "from time import CLOCK_MONOTONIC, clock_gettime_ns\nprint(clock_gettime_ns(CLOCK_MONOTONIC))",
    ),
    "datetime64": (
        "numpy.datetime64",
        "wall-clock",
        "import time\nimport numpy as np\ntime.sleep(1)\nprint(np.datetime64('now'), np.datetime64('2020-01-02'))",
    ),
    "imported datetime64": (
        "numpy.datetime64",
        "wall-clock",
        "import time\nfrom numpy import datetime64 as moment\ntime.sleep(1)\nprint(moment('now', 's'))",
    ),
    "time of a file": (
        "os.path.getmtime",
        "wall-clock",
        "import os\nopen('new', 'w').close()\nprint(os.path.getmtime('new'))",
    ),
    "status of a file": (
        "Path.stat",
        "wall-clock",
        "import pathlib\npathlib.Path('new').write_text('1')\nprint(pathlib.Path('new').stat().st_mtime_ns)",
    ),
    "status of an entry": (
        "os.DirEntry.stat",
        "wall-clock",
        "import os\nopen('new', 'w').close()\nprint([e.stat().st_mtime for e in os.scandir() if e.name == 'new'])",
    ),
    "output of a program": (
        "subprocess",
        "wall-clock",
        "import subprocess\nprint(subprocess.run(['date', '+%N'], capture_output=True, text=True).stdout)",
    ),
    "output of a program in bytes": (
        "subprocess",
        "os-entropy",
        "from subprocess import check_output\nprint(check_output(['head', '-c', '8', '/dev/urandom']))",
    ),
    "output of a shell": ("os.popen", "wall-clock", "import os\nprint([line for line in os.popen('date +%N')])"),
    "random device": ("/dev/urandom", "os-entropy", "with open('/dev/urandom', 'rb') as f:\n    print(f.read(8))"),
    "load": ("os.getloadavg", "environment", "import os, time\nprint(os.getloadavg(), os.getpid())"),
    "free memory": (
        "psutil.virtual_memory",
        "environment",
        "import os, psutil\nprint(psutil.virtual_memory(), os.getpid())",
    ),
    "state of random": ("random.getstate", "unseeded-rng", "import random\nprint(random.getstate())"),
    "state of numpy.random": (
        "numpy.random.get_state",
        "unseeded-rng",
        "import numpy as np\nprint(np.random.get_state()[1][:3])",
    ),
    "urandom": ("os.urandom", "os-entropy", "import os\nprint(os.urandom(8))"),
    "getrandom": ("os.getrandom", "os-entropy", "import os\nprint(os.getrandom(8))"),
    "secrets": (
        "random.SystemRandom",
        "os-entropy",
        "import secrets\nprint(secrets.token_hex(), secrets.choice('abcdefgh'))",
    ),
    "SystemRandom": ("random.SystemRandom", "os-entropy", "import random\nprint(random.SystemRandom().random())"),
    "uuid4": ("os.urandom", "os-entropy", "import uuid\nprint(uuid.uuid4())"),
    "uuid1": ("uuid.uuid1", "os-entropy", "import uuid\nprint(uuid.uuid1())"),
    "temporary name": ("tempfile", "os-entropy", "import tempfile\nprint(tempfile.mktemp())"),
    "process": ("os.getpid", "process-identity", "import os\nprint(os.getpid())"),
    "process that is under way": (
        "Process.pid",
        "process-identity",
        "import multiprocessing\nprint(multiprocessing.current_process().pid)",
    ),
    "thread that is under way": (
        "Thread.ident",
        "process-identity",
        "import threading, os\nprint(threading.current_thread().ident, os.getpid())",
    ),
    "Random": ("random.Random", "unseeded-generator", "import random\nprint(random.Random().random())"),
    "derived Random": (
        "random.Random",
        "unseeded-generator",
        "import random\nclass R(random.Random):\n    def seed(self, *a):\n        super().seed()\nprint(R().random())",
    ),
    "random.seed()": ("random.seed", "unseeded-rng", "import random\nrandom.seed()\nprint(random.random())"),
    "random": ("random", "unseeded-rng", "import random\nprint(random.random())"),
    "default_rng": (
        "numpy.random.default_rng",
        "unseeded-generator",
        "import numpy as np\nprint(np.random.default_rng().random())",
    ),
    "RandomState": (
        "numpy.random.default_rng",
        "unseeded-generator",
        "import numpy as np\nprint(np.random.RandomState().rand())",
    ),
    "SeedSequence": (
        "numpy.random.default_rng",
        "unseeded-generator",
        "import numpy as np\nprint(np.random.SeedSequence().spawn(2)[1].generate_state(1))",
    ),
    "Generator.spawn": (
        "numpy.random.default_rng",
        "unseeded-generator",
        "import numpy as np\nprint(np.random.default_rng().spawn(1)[0].random())",
    ),
    "bit generator": (
        "numpy.random.default_rng",
        "unseeded-generator",
        "import numpy as np\nprint(np.random.PCG64().random_raw())",
    ),
    "numpy.random.seed()": (
        "numpy.random.seed",
        "unseeded-rng",
        "import numpy as np\nnp.random.seed()\nprint(np.random.rand())",
    ),
    "numpy.random": ("numpy.random", "unseeded-rng", "import numpy as np\nprint(np.random.rand())"),
}


def group_sources() -> dict[str, list[str]]:
    """Return the cases that may share a run by what they share; one that uses a global generator has its own."""
    groups: dict[str, list[str]] = {}
    for case, (_, kind, _) in SINGLE.items():
        groups.setdefault(case if kind == "unseeded-rng" else kind, []).append(case)
    return groups


ONE_BY_ONE = """
import importlib, sys
for number in sys.argv[1:]:
    importlib.import_module(f"case{number}")
    print("end of case")
"""


@pytest.mark.parametrize("cases", group_sources().values(), ids=group_sources().keys())
def test_sources_are_recorded_and_replayed(
    cases: list[str], tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """What a script reads is noted under its source and kind, and an experiment gives it the same once more."""
    write(ONE_BY_ONE)
    numbers = [str(number) for number in range(len(cases))]
    for number, case in zip(numbers, cases, strict=True):
        (tmp_path / f"case{number}.py").write_text(SINGLE[case][2], encoding="utf-8")

    def print_cases(name: str, plan: Plan | None = None) -> dict[str, str]:
        printed = run(name, plan, *numbers).split("end of case\n")
        return dict(zip(cases, printed[:-1], strict=True))

    first = print_cases("a")
    noted = {(found.file, found.source, found.kind) for found in sources(tmp_path).values()}
    of_no_line = {found[1:] for found in noted if found[0] is None}  # the first state of a global generator
    for number, case in zip(numbers, cases, strict=True):
        source, kind, _ = SINGLE[case]
        assert (f"case{number}.py", source, kind) in noted or (source, kind) in of_no_line, case
    assert print_cases("b", replay(tmp_path)) == first
    third = print_cases("c")
    assert [case for case in cases if third[case] == first[case]] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["initial_seed", "get_rng_state"])
def test_what_nobody_seeded_is_noted_where_it_is_read(
    name: str, tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """A seed or state that is read without a draw leaves the generator unused, and is a source of its own."""
    write(f"""
        import torch
        print(torch.{name}())
        torch.manual_seed(1)
        print(torch.{name}())
    """)
    first = run("a")
    assert run("b") != first
    assert run("c", replay(tmp_path)) == first
    assert len(sources(tmp_path)[f"torch.{name}@script.py:3"].values) == 1
    assert not sources(tmp_path)[f"torch.{name}@script.py:5"].values


def test_temporary_names_are_replayed_within_a_folder_whose_name_is_taken(
    tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """The earlier run's folder is still there: the new one gets another name, and its files the names of that run."""
    write("""
        import os, tempfile
        folder = tempfile.mkdtemp(dir=".")
        print([os.path.basename(tempfile.mkstemp(dir=folder)[1]) for _ in range(3)])
    """)
    first = run("a")
    assert run("b") != first
    assert run("c", replay(tmp_path)) == first
    assert {key: source.kind for key, source in sources(tmp_path).items() if "start" not in key} == {
        "tempfile@script.py:3": "os-entropy",
        "tempfile@script.py:4": "os-entropy",
    }


def test_torch_generators_are_recorded_and_replayed(tmp_path: Path, run: Run, write: Callable[[str], None]) -> None:
    """The first state of PyTorch's generator, `torch.seed()` and `Generator.seed()` are replayed, and so are draws."""
    write("""
        import torch
        print(torch.rand(1))
        print(torch.seed(), torch.rand(1))
        g = torch.Generator()
        print(g.seed(), torch.rand(1, generator=g))
    """)
    first = run("a")
    assert {"torch@start", "torch.seed@script.py:4", "torch.Generator.seed@script.py:6"} <= sources(tmp_path).keys()
    assert run("b", replay(tmp_path)) == first


def test_a_script_that_seeds_and_reads_nothing_has_no_sources(
    tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """A generator that nobody drew from is marked as unused; nothing else is noted."""
    write("""
        import random
        random.seed(0)
        print(random.random())
    """)
    run("a")
    found = sources(tmp_path)
    assert list(found) == ["random@start"]
    assert [note["note"] for note in found["random@start"].notes] == ["unused"]


def test_listings_are_replayed_in_the_earlier_order(tmp_path: Path, run: Run, write: Callable[[str], None]) -> None:
    """Folders are listed in the order of the baseline, by whatever function; new files come last."""
    (tmp_path / "data").mkdir()
    for name in "qwertz":
        (tmp_path / "data" / name).touch()
    write("""
        import glob, os, pathlib
        print(os.listdir("data"), glob.glob("data/*"), [p.name for p in pathlib.Path("data").iterdir()])
        with os.scandir("data") as entries:
            print([e.name for e in entries], [files for _, _, files in os.walk("data")])
    """)
    first = run("a", Plan(reverses_listings=True))
    plain = run("b")
    assert plain != first
    assert run("c", replay(tmp_path)) == first


def test_functions_look_and_behave_as_without_taps(run: Run, write: Callable[[str], None], python: Command) -> None:
    """Pickles, types, names, subclasses and errors are those of the originals."""
    write("""
        import datetime, inspect, os, pickle, random, time, uuid
        for f in (time.time, os.urandom, os.getpid, os.listdir, os.getcwd, uuid.uuid1, os.scandir, os._exit,
                  datetime.datetime.now, datetime.date.today):
            assert pickle.loads(pickle.dumps(f)) == f
            print(f.__name__, f.__qualname__)
        assert type(datetime.datetime.now()) is datetime.datetime
        class Day(datetime.datetime):
            pass
        assert type(Day.now()) is Day and isinstance(Day.now(), datetime.datetime)
        print(pickle.loads(pickle.dumps(Day(2020, 1, 1))), datetime.datetime.now().tzinfo)
        for call in (lambda: time.time(1), lambda: os.urandom("x"), lambda: time.localtime("x"), time.strftime,
                     lambda: os.listdir("nowhere"), lambda: datetime.datetime.now(3), lambda: random.Random([])):
            try:
                call()
            except Exception as error:
                print(type(error).__name__)
        print(time.localtime(0).tm_year, time.strftime("%Y", time.gmtime(0)), random.Random(3).random())
    """)
    assert run("a") == python("script.py").out


def test_the_end_of_a_clock_goes_on_from_the_earlier_run(
    tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """A script that reads a clock more often than the baseline sees it go on, not jump."""
    write("""
        import sys, time
        values = [time.time() for _ in range(int(sys.argv[1]))]
        print(values[-1] - values[0] < 3, values == sorted(values), values[0])
    """)
    first = run("a", None, "2")
    time.sleep(0.1)
    assert run("b", replay(tmp_path), "50") == first


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_have_ledgers_of_their_own(
    method: str, tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """What a child process reads is noted under its number and replayed to it; also what it leaves alone."""
    write("""
        import multiprocessing as mp, os, random, sys, time
        def work(number, pipe):
            drawn = random.random() if number else None
            pipe.send((number, drawn, os.urandom(4), time.time(), random.Random().random()))
        if __name__ == "__main__":
            context = mp.get_context(sys.argv[1])
            for number in range(2):
                here, there = context.Pipe()
                child = context.Process(target=work, args=(number, there))
                child.start()
                print(here.recv())
                child.join()
    """)
    first = run("a", None, method)
    assert read_ledgers(tmp_path / "a").keys() == {"0", "0.1", "0.2"}
    assert [len(sources(tmp_path, process)["os.urandom@script.py:5"].values) for process in ("0.1", "0.2")] == [1, 1]
    states = [sources(tmp_path, process)["random@start"] for process in ("0.1", "0.2")]
    assert [[note["note"] for note in state.notes] for state in states] == [["unused"], []]
    assert run("b", replay(tmp_path), method) == first


def test_a_child_forked_by_hand_keeps_what_it_read(tmp_path: Path, run: Run, write: Callable[[str], None]) -> None:
    """A child that leaves by `os._exit`, or like its parent, writes its ledger to the end."""
    write("""
        import os, sys
        for leave in (os._exit, sys.exit):
            if (child := os.fork()) == 0:
                for _ in range(20):
                    os.urandom(1)
                leave(0)
            os.waitpid(child, 0)
    """)
    run("a")
    reads = [sources(tmp_path, process)["os.urandom@script.py:6"].values for process in ("0.1", "0.2")]
    assert [len(values) for values in reads] == [20, 20]
    states = [sources(tmp_path, process)["random@start"] for process in ("0.1", "0.2")]
    assert [[note["note"] for note in state.notes] for state in states] == [["unused"], ["unused"]]


def test_a_killed_run_keeps_its_ledger(
    tmp_path: Path, run: Run, write: Callable[[str], None], environment: dict[str, str]
) -> None:
    """After `kill -9` the ledger holds the first read of each place and all that is older than a second."""
    write("""
        import os, time
        seed = os.urandom(4)
        for _ in range(3):
            time.time()
        time.sleep(1.2)
        time.monotonic()
        time.monotonic()
        print("ready", flush=True)
        time.sleep(60)
    """)
    command = [sys.executable, "-m", "reproof", "run", "-o", "a", "script.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    found = sources(tmp_path)
    assert [len(found[f"{key}@script.py:{line}"].values) for key, line in (("os.urandom", 3), ("time.time", 5))] == [
        1,
        3,
    ]
    assert found["time.monotonic@script.py:7"].values


QUEUES = {
    "multiprocessing.Queue": """
        queue, children = context.Queue(), []
        for number in range(2):
            children.append(context.Process(target=produce, args=(queue, number)))
            children[-1].start()
        print([queue.get() for _ in range(8)])
    """,
    "multiprocessing.SimpleQueue": """
        queue, children = context.SimpleQueue(), []
        for number in range(2):
            children.append(context.Process(target=produce, args=(queue, number)))
            children[-1].start()
        print([queue.get() for _ in range(8)])
    """,
    "several consumers": """
        tasks, results = context.Queue(), context.Queue()
        children = [context.Process(target=consume, args=(tasks, results, number)) for number in range(2)]
        for child in children:
            child.start()
        for number in range(8):
            tasks.put(number)
        tasks.put(None)
        tasks.put(None)
        print([results.get() for _ in range(8)])
    """,
    "connections": """
        ends, children = [], []
        for number in range(3):
            here, there = context.Pipe()
            ends.append(here)
            children.append(context.Process(target=send, args=(there, number)))
            children[-1].start()
        while ends:
            for end in mp.connection.wait(ends):
                print(end.recv())
                ends.remove(end)
    """,
    "queue.Queue": """
        queue, children = threads.Queue(maxsize=1), []
        for number in range(3):
            children.append(threading.Thread(target=produce, args=(queue, number)))
            children[-1].start()
        print([queue.get() for _ in range(12)])
    """,
    "several consuming threads": """
        queue, taken = threads.Queue(), []
        def take(number):
            while (item := queue.get()) is not None:
                jitter()
                taken.append((number, item))
        children = [threading.Thread(target=take, args=(number,)) for number in range(2)]
        for child in children:
            child.start()
        for item in [*range(8), None, None]:
            queue.put(item)
        for child in children:
            child.join()
        print(sorted(taken))
    """,
    "a polled queue": """
        queue, children, found = threads.Queue(), [], []
        children.append(threading.Thread(target=produce, args=(queue, 0)))
        children[0].start()
        while len(found) < 8:
            try:
                found.append(queue.get(timeout=0.004))
            except threads.Empty:
                found.append(None)
        print(found)
    """,
    "tasks of a pool": """
        children = []
        queue = threads.Queue()
        with futures.ThreadPoolExecutor(3) as pool:
            for number in range(8):
                pool.submit(put, queue, number)
            print([queue.get() for _ in range(8)])
    """,
    "as_completed": """
        children = []
        with futures.ThreadPoolExecutor(3) as pool:
            tasks = [pool.submit(identity, number) for number in range(8)]
            print([task.result() for task in futures.as_completed(tasks)])
    """,
    "as_completed, left early": """
        children = []
        with futures.ThreadPoolExecutor(3) as pool:
            for task in futures.as_completed({pool.submit(identity, number) for number in range(8)}):
                print(task.result())
                if task.result() > 4:
                    break
    """,
    "wait": """
        children = []
        with futures.ThreadPoolExecutor(3) as pool:
            left = {pool.submit(identity, number) for number in range(8)}
            while left:
                done, left = futures.wait(left, return_when=futures.FIRST_COMPLETED)
                print([task.result() for task in done], [task.done() for task in left])
    """,
    "imap_unordered": """
        children = []
        with context.Pool(2) as pool:
            print(list(pool.imap_unordered(identity, range(8))))
    """,
    "equal items of a manager's queue": """
        manager, children, found = mp.Manager(), [], []
        queue = manager.Queue()
        for number in range(3):
            children.append(context.Process(target=end, args=(queue, number)))
            children[-1].start()
        while found.count(None) < 3:
            found.append(queue.get())
        print(found)
    """,
    "a manager's queue": """
        manager, children, found = mp.Manager(), [], []
        queue = manager.Queue()
        for number in range(2):
            children.append(context.Process(target=produce, args=(queue, number)))
            children[-1].start()
        found += [queue.get() for _ in range(4)]
        while len(found) < 8:
            try:
                found.append(queue.get(timeout=0.005))
            except threads.Empty:
                found.append(None)
        print(found)
    """,
    "asyncio.as_completed of coroutines": """
        import asyncio
        children = []
        async def collect():
            return [await task for task in asyncio.as_completed([asyncio.to_thread(identity, n) for n in range(8)])]
        print(asyncio.run(collect()))
    """,
    "asyncio.as_completed of tasks": """
        from asyncio import as_completed, create_task, run, to_thread
        children = []
        async def collect():
            found = []
            for task in as_completed([create_task(to_thread(identity, n)) for n in range(8)], timeout=60):
                found.append(await task)
            return found
        print(run(collect()))
    """,
    "asyncio.wait": """
        import asyncio
        children = []
        async def collect():
            left, found = {asyncio.create_task(asyncio.to_thread(identity, n)) for n in range(8)}, []
            while left:
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                found.append([task.result() for task in done])
            return found
        print(asyncio.run(collect()))
    """,
    "coroutines that append": """
        import asyncio
        children, found = [], []
        async def work(number):
            for item in range(3):
                found.append(await asyncio.get_running_loop().run_in_executor(None, identity, (number, item)))
        async def collect():
            await asyncio.gather(*(work(number) for number in range(4)))
        asyncio.run(collect())
        print(found)
    """,
    "coroutines that sleep": """
        import asyncio
        children, found = [], []
        async def work(number):
            for item in range(3):
                await asyncio.sleep(0.002 * _chance.random())
                found.append((number, item))
        async def collect():
            await asyncio.gather(*(work(number) for number in range(4)))
        asyncio.run(collect())
        print(found)
    """,
    "an event": """
        children, count, over = [], 0, threading.Event()
        children.append(threading.Timer(0.05, over.set))
        children[0].start()
        while not over.is_set():
            count += 1
        print(count)
    """,
    "shared value": """
        level = context.Value("i", 0)
        children = [context.Process(target=raise_to, args=(level, 30))]
        children[0].start()
        seen = []
        while not seen or seen[-1] < 30:
            jitter()
            seen.append(level.value)
        print(seen)
    """,
}

TOOLS = """
import concurrent.futures as futures, multiprocessing as mp, multiprocessing.connection, queue as threads, threading
def produce(queue, number):
    for item in range(4):
        jitter()
        queue.put((number, item))
def consume(tasks, results, number):
    while (task := tasks.get()) is not None:
        jitter()
        results.put((number, task))
def end(queue, number):
    for item in range(2):
        jitter()
        queue.put((number, item))
    queue.put(None)
def send(end, number):
    jitter()
    end.send(number)
def put(queue, number):
    jitter()
    queue.put(number)
def identity(number):
    jitter()
    return number
def raise_to(level, number):
    while level.value < number:
        jitter()
        level.value += 1
if __name__ == "__main__":
    context = mp.get_context("fork")
"""


@pytest.mark.a_part(one_in=2)
@pytest.mark.parametrize("case", QUEUES, ids=str)
def test_concurrent_work_arrives_in_the_earlier_order(
    case: str, tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """Whoever waits for several workers gets what they send in the order of the baseline, several times over."""
    body = dedent(QUEUES[case]).replace("\n", "\n    ") + "\n    for child in children:\n        child.join()\n"
    write(f"{SLEEP}{TOOLS}{body}")
    first = run("a", Plan())
    assert any(found.kind == "concurrency" for found in sources(tmp_path).values())
    assert [run(name, replay(tmp_path)) for name in ("b", "c")] == [first, first]


POOL = """
import multiprocessing as mp
import numpy as np
np.random.seed(3)
def draw(number):
    jitter()
    return round(np.random.random(), 4)
def keep(number):
    jitter()
    return number
"""


@pytest.mark.parametrize("kind", ["Pool", "ThreadPool"])
def test_a_pool_takes_turns(kind: str, tmp_path: Path, run: Run, write: Callable[[str], None]) -> None:
    """With turns one worker does all tasks in their order: what they draw from a global generator is the same."""
    write(f"""
{SLEEP}{POOL}
from multiprocessing.pool import ThreadPool
with (ThreadPool(3) if {kind!r} == "ThreadPool" else mp.get_context("fork").Pool(3)) as pool:
    print(pool.map(draw, range(12), chunksize=1))
    """)
    run("a")
    assert [found for found in sources(tmp_path).values() if found.source in {"threading.Thread", SHARING}]
    start = time.monotonic()
    first, second = (run(name, Plan(baseline=str(tmp_path / "a"), serializes=True)) for name in ("b", "c"))
    assert first == second
    assert time.monotonic() - start < 30  # nobody waits for a thread that holds its turn


@pytest.mark.parametrize(("task", "is_noted"), [("draw", True), ("keep", False)])
def test_a_pool_whose_tasks_draw_is_noted(
    task: str, *, is_noted: bool, tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """Which worker does a task matters if it leaves a global generator in another state than it found."""
    write(f"""
{SLEEP}{POOL}
with mp.get_context("fork").Pool(2) as pool:
    print(len(pool.map({task}, range(6))))
    print(pool.apply({task}, (6,)) is not None)
    print(len(list(pool.imap({task}, range(6)))))
    """)
    assert run("a") == "6\nTrue\n6\n"
    check_noted(tmp_path, is_noted=is_noted)


@pytest.mark.parametrize(("task", "is_noted"), [("draw", True), ("keep", False)])
def test_an_executor_whose_tasks_draw_is_noted(
    task: str, *, is_noted: bool, tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """As for a pool; errors come through as they are, and with turns nobody waits for a thread that holds its own."""
    write(f"""
{SLEEP}{POOL}
from concurrent.futures import ProcessPoolExecutor
def fail(number):
    np.random.random()
    raise ValueError(number)
with ProcessPoolExecutor(2, mp_context=mp.get_context("fork")) as pool:
    print(len(list(pool.map({task}, range(6), chunksize=2))), repr(pool.submit(fail, 3).exception()))
    """)
    assert run("a") == "6 ValueError(3)\n"
    check_noted(tmp_path, is_noted=is_noted)
    start = time.monotonic()
    assert run("b", Plan(serializes=True)) == "6 ValueError(3)\n"
    assert time.monotonic() - start < 30


def test_tasks_of_joblib_that_draw_are_noted_and_take_turns(
    tmp_path: Path, run: Run, write: Callable[[str], None]
) -> None:
    """With turns one worker of loky does all of them, in their order, and begins as one did in the baseline."""
    pytest.importorskip("joblib")
    (tmp_path / "drawing.py").write_text(f"{SLEEP}{POOL}", encoding="utf-8")
    write("""
from drawing import draw
if __name__ == "__main__":
    from joblib import Parallel, delayed
    print([Parallel(n_jobs=2)(delayed(draw)(number) for number in range(8)) for _ in range(2)])
    """)
    run("a")
    check_noted(tmp_path, is_noted=True)
    start = time.monotonic()
    first, second = (run(name, Plan(baseline=str(tmp_path / "a"), serializes=True)) for name in ("b", "c"))
    assert first == second
    assert time.monotonic() - start < 60  # nobody waits for a thread that holds its turn


def check_noted(tmp_path: Path, *, is_noted: bool) -> None:
    """Check whether it is noted that processes share what they do."""
    found = [source for source in sources(tmp_path).values() if source.source == SHARING and source.values]
    assert bool(found) == is_noted
    assert all(source.kind == "concurrency" for source in found)


def test_a_consumer_that_waits_in_vain_goes_on(tmp_path: Path, run: Run, write: Callable[[str], None]) -> None:
    """What the baseline had and this run does not send is waited for once, for seconds, and never again."""
    write("""
        import queue, sys, threading
        items = queue.Queue()
        name = sys.argv[1]
        def produce(count):
            for number in range(count):
                items.put(number)
        counts = [4, 4] if name == "a" else [8]
        for count in counts:
            thread = threading.Thread(target=produce, args=(count,))
            thread.start()
            thread.join()
        print(len([items.get() for _ in range(8)]))
    """)
    run("a", None, "a")
    start = time.monotonic()
    assert run("b", replay(tmp_path), "b") == "8\n"
    assert time.monotonic() - start < 30
    assert [note["note"] for note in sources(tmp_path, name="b")["queue.Queue.get@script.py:13"].notes] == ["given up"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.thorough)])
def test_workers_of_a_loader_are_replayed(method: str, tmp_path: Path, run: Run, write: Callable[[str], None]) -> None:
    """Samples that draw and read clocks in persistent workers, delivered in any order, come out the same."""
    write(f"""
{SLEEP}
import os, random, sys
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
class Samples(Dataset):
    def __len__(self):
        return 12
    def __getitem__(self, index):
        jitter()
        values = [index, random.random(), np.random.rand(), os.urandom(1)[0], time.time() % 1000]
        return torch.cat([torch.tensor(values), torch.rand(1)])
if __name__ == "__main__":
    loader = DataLoader(Samples(), 2, num_workers=2, in_order=False, multiprocessing_context=sys.argv[1],
                        persistent_workers=sys.argv[1] == "fork")
    for _ in range(2):
        for batch in loader:
            print(batch.tolist())
    """)
    first = run("a", None, method)
    assert first.count("\n") == 12
    assert run("b", replay(tmp_path), method) == first


@pytest.mark.slow
def test_a_compiled_function_may_read_the_clock(tmp_path: Path, run: Run, write: Callable[[str], None]) -> None:
    """`torch.compile` leaves a tapped function alone as it does the original; its reads are noted."""
    write("""
        import time, torch
        @torch.compile(backend="eager")
        def step(x):
            start = time.time()
            return x + 1, start
        print([bool(step(torch.ones(2))[1] > 1e9) for _ in range(2)])
    """)
    assert run("a") == "[True, True]\n"
    assert len(sources(tmp_path)["time.time@script.py:5"].values) == 2


def test_what_a_package_read_first_does_not_hide_the_user(python: Command, tmp_path: Path) -> None:
    """NumPy fetches randomness through the same line of `random` while it is imported; later reads are the user's."""
    script = """
        import secrets
        import numpy
        print(secrets.randbits(16))
    """
    (tmp_path / "train.py").write_text(dedent(script), encoding="utf-8")
    python("-m", "reproof", "run", "-o", "a", "train.py")
    assert "random.SystemRandom@train.py:4" in read_ledgers(tmp_path / "a")["0"]


def test_a_folder_of_an_earlier_run_has_its_order_and_its_files_apart(python: Command, tmp_path: Path) -> None:
    """A line that lists what an earlier run has written is two sources: the order, and that the files are there."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").touch()
    (tmp_path / "train.py").write_text("import os\nprint(os.listdir('data'))\n", encoding="utf-8")
    plan = {"plan": Plan(earlier=("data/x.txt",)).to_json(), "probes": None}
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    python("-m", "reproof", "run", "-o", "a", "--experiment", "plan.json", "train.py")
    sources = read_ledgers(tmp_path / "a")["0"]
    assert sources["os.listdir@train.py:2"].values == [["x.txt"]]
    assert sources["os.listdir of earlier files@train.py:2"].kind == "state-on-disk"


def test_whoever_asks_whether_a_file_is_there_reads_no_clock(python: Command, tmp_path: Path) -> None:
    """`os.path.exists` takes the status of a file, but tells nothing of its times."""
    (tmp_path / "stage.done").touch()
    (tmp_path / "train.py").write_text("import os\nprint(os.path.exists('stage.done'))\n", encoding="utf-8")
    plan = {"plan": Plan(earlier=("stage.done",)).to_json(), "probes": None}
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    python("-m", "reproof", "run", "-o", "a", "train.py")
    python("-m", "reproof", "run", "-o", "b", "--experiment", "plan.json", "train.py")
    assert not any(source.kind == "wall-clock" for source in read_ledgers(tmp_path / "a")["0"].values())
    assert read_ledgers(tmp_path / "b")["0"]["os.stat@train.py:2"].kind == "state-on-disk"


def test_the_default_of_a_dataclass_is_the_users(python: Command, tmp_path: Path) -> None:
    """Its `__init__` is made of text by the standard library, and belongs to whoever wrote the class."""
    script = """
        import uuid
        from dataclasses import dataclass, field

        @dataclass
        class Experiment:
            identity: uuid.UUID = field(default_factory=uuid.uuid4)

        print(Experiment())
    """
    (tmp_path / "train.py").write_text(dedent(script), encoding="utf-8")
    python("-m", "reproof", "run", "-o", "a", "train.py")
    assert "os.urandom@train.py:9" in read_ledgers(tmp_path / "a")["0"]


def test_generators_get_other_seeds_where_an_experiment_says_so(run: Run, tmp_path: Path) -> None:
    """Each way to seed a generator is noted with its line, and its draws are others with another seed."""
    lines = [
        "random.seed(3); print(random.random())",
        "print(random.Random(4).random())",
        "np.random.seed(5); print(np.random.rand())",
        "print(np.random.RandomState(6).rand())",
        "print(np.random.default_rng(7).random())",
        "torch.manual_seed(8); print(torch.rand(1).item())",
        "print(torch.rand(1, generator=torch.Generator().manual_seed(9)).item())",
        "print(pickle.dumps(np.random.default_rng))",
    ]
    (tmp_path / "script.py").write_text("\n".join(["import pickle, random, torch, numpy as np", *lines]))
    first = run("a").splitlines()
    seeds = read_seeds(tmp_path / "a")
    assert [seed.partition(":")[2] for seed in seeds] == ["2=3", "3=4", "4=5", "5=6", "6=7", "7=8", "8=9"]
    assert run("b", Plan(reseeds=("random.seed@other.py:1=3",))).splitlines() == first
    again = run("c", Plan(reseeds=tuple(seeds))).splitlines()
    assert [other == one for other, one in zip(again, first, strict=True)] == [False] * 7 + [True]
    assert first[-1] == repr(pickle.dumps(np.random.default_rng))
