"""`reproof run script.py` is to the script what `python script.py` is: surroundings, output, errors, exit code.

None of these scripts imports PyTorch: they start in a fraction of a second.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from textwrap import dedent
from typing import TYPE_CHECKING, Protocol

import pytest

from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command, Finished

# What a script can see of the process it runs in.
PROBE = '''
"""A script."""
import os, signal, sys, threading, warnings
print(sorted(name for name in globals() if name.startswith("__")), __doc__, __name__, __package__, __file__, __cached__)
print(type(__loader__).__name__, __spec__ and __spec__.name, type(__builtins__), sys.modules["__main__"].__file__)
print(sys.modules["__main__"].__dict__ is globals(), sys.argv, sys.path, os.getcwd(), sys.flags, sys.executable)
print(sys.stdin.read(), sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.errors, sys.stdout.line_buffering)
print([name for name in ("numpy", "rich", "torch") if name in sys.modules], warnings.filters, sys.getrecursionlimit())
print(threading.active_count(), signal.getsignal(signal.SIGINT), sys.excepthook is sys.__excepthook__)
print(sys.gettrace(), sys.getprofile(), sorted(item for item in os.environ.items() if item[0] != "PYTHONHASHSEED"))
try:
    import neighbour
    print(neighbour.VALUE, neighbour.__file__)
except ImportError as error:
    print(error)
'''


class RunBoth(Protocol):
    """Runs a script by plain Python and under a recording, and checks that nobody can tell them apart."""

    def __call__(self, *arguments: str, stdin: str = "") -> Finished:
        """Return how the recorded run ended."""


@pytest.fixture
def run_both(python: Command, reproof: Command) -> RunBoth:
    """Return what runs a script both ways and compares exit code, output and errors to the byte."""

    def run(*arguments: str, stdin: str = "") -> Finished:
        plain = python(*arguments, stdin=stdin)
        recorded = reproof("run", "-o", "trace", *arguments, stdin=stdin)
        assert (recorded.code, recorded.out, recorded.foreign_err) == (plain.code, plain.out, plain.err)
        return recorded

    return run


def write(path: Path, text: str) -> Path:
    """Write a script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("train.py",),
        ("train.py", "--force", "-o", "elsewhere", "--", "-m", "--help"),
        ("./folder/train.py", "--level", "x"),
        ("folder/../train.py",),
        ("-m", "package", "--version"),
        ("-m", "package.train", "-m", "x"),
        ("-m", "train"),
    ],
    ids=" ".join,
)
def test_a_script_sees_what_it_sees_under_plain_python(
    run_both: RunBoth, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Names of `__main__`, arguments, import path, folder, streams, variables and the rest are the same."""
    for name in ("train.py", "folder/train.py", "package/__main__.py", "package/train.py"):
        write(tmp_path / name, PROBE)
    write(tmp_path / "folder" / "neighbour.py", "VALUE = 3")
    write(tmp_path / "package" / "__init__.py", "")
    recorded = run_both(*arguments, stdin="from a pipe")
    assert "from a pipe" in recorded.out


def test_a_script_by_its_absolute_path_sees_the_same(run_both: RunBoth, tmp_path: Path) -> None:
    """A script need not lie in the working folder; its own folder is on the import path."""
    elsewhere = tmp_path / "else where"
    write(elsewhere / "neighbour.py", "VALUE = 4")
    assert "\n4 " in run_both(str(write(elsewhere / "train.py", PROBE))).out


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("", "complete"),
        ("0", "complete"),
        ("256", "complete"),
        ("3", "failed"),
        ("-1", "failed"),
        ("True", "failed"),
        ("'no data'", "failed"),
        ("0.0", "failed"),
        ("[]", "failed"),
    ],
)
def test_the_exit_code_is_that_of_the_script(run_both: RunBoth, tmp_path: Path, code: str, status: str) -> None:
    """`sys.exit(x)` does what it does under plain Python, and only success makes a complete trace."""
    write(tmp_path / "train.py", f"import sys; print('out', flush=True); sys.exit({code})")
    run_both("train.py")
    assert open_trace(tmp_path / "trace").header.status == status


FAILING = {
    "raises": "def f(): raise ValueError('two\\nlines')\nf()",
    "raises from": "try:\n    {}['x']\nexcept KeyError as e:\n    raise RuntimeError('second') from e",
    "raises in handling": "try:\n    {}['x']\nexcept KeyError:\n    1 / 0",
    "cannot import": "import there_is_no_such_module",
    "has no text": """
        class Error(Exception):
            def __str__(self): raise RuntimeError("no text")
        raise Error
    """,
    "has a hook": """
        import sys
        sys.excepthook = lambda kind, error, trace: print("hook", kind, error, sys.exc_info(), trace.tb_lineno)
        raise ValueError(1)
    """,
    "has a hook that raises": """
        import sys
        def hook(*_): raise RuntimeError("of the hook")
        sys.excepthook = hook
        raise ValueError(1)
    """,
    "looks at the last error": """
        import atexit, sys
        atexit.register(lambda: print(sys.last_type, sys.last_value, sys.last_traceback.tb_lineno))
        raise ValueError(1)
    """,
}


@pytest.mark.parametrize("text", FAILING.values(), ids=FAILING.keys())
def test_an_exception_is_shown_as_plain_python_shows_it(run_both: RunBoth, tmp_path: Path, text: str) -> None:
    """The same traceback to the byte, none of our frames in it, exit code 1, and a trace that says why it ends."""
    recorded = run_both(str(write(tmp_path / "train.py", text)))
    assert recorded.code == 1
    (line,) = recorded.own_lines
    ended = open_trace(tmp_path / "trace").header.ended
    assert ended in line
    assert re.match(r"train\.py raised \w+", ended)


def test_a_package_that_fails_to_import_is_shown_as_the_failure_it_is(
    python: Command, reproof: Command, tmp_path: Path
) -> None:
    """To find `package.train` the package is imported: its own errors and exits are passed on, without our frames."""
    write(tmp_path / "raising" / "__init__.py", "raise RuntimeError('broken package')")
    write(tmp_path / "wanting" / "__init__.py", "import there_is_no_such_module")
    write(tmp_path / "exiting" / "__init__.py", "raise SystemExit(5)")
    for package in ("raising", "wanting", "exiting"):
        write(tmp_path / package / "train.py", "")
        plain, recorded = (run("-m", f"{package}.train") for run in (python, lambda *a: reproof("run", *a)))
        from_runpy = re.compile(r'  File "<frozen runpy>".*\n')
        assert (recorded.code, recorded.out, recorded.err) == (plain.code, plain.out, from_runpy.sub("", plain.err))
    assert not (tmp_path / "runs").exists()


def test_what_still_runs_after_the_script_runs(run_both: RunBoth, tmp_path: Path) -> None:
    """Threads that the script leaves running and its exit handlers do their work, with the exit code unchanged."""
    text = """
        import atexit, sys, threading, time
        def work():
            time.sleep(0.2)
            print("thread done")
        atexit.register(lambda: print("handler done"))
        threading.Thread(target=work).start()
        print("script done")
        sys.exit(4)
    """
    write(tmp_path / "train.py", text)
    assert run_both("train.py").out == "script done\nthread done\nhandler done\n"


def test_a_script_that_leaves_at_once_leaves_at_once(run_both: RunBoth, tmp_path: Path) -> None:
    """After `os._exit` nothing more happens; the trace says how the run ended."""
    write(tmp_path / "train.py", "import os; print('out', flush=True); os._exit(7)")
    run_both("train.py")
    trace = open_trace(tmp_path / "trace")
    assert (trace.header.status, trace.header.exit_code) == ("failed", 7)
    assert trace.explain_incomplete() == "train.py called os._exit(7)"


@pytest.mark.parametrize("who", ["script", "thread", "child"])
def test_leaving_at_once_ends_a_recording(reproof: Command, tmp_path: Path, who: str) -> None:
    """Whoever calls `os._exit`, the trace is whole to the last state; a forked child leaves its parent's alone."""
    text = """
        import os, sys, threading, torch
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        if sys.argv[1] == "child":
            pid = os.fork()
            if not pid:
                os._exit(3)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        if sys.argv[1] == "thread":
            threading.Thread(target=os._exit, args=(0,)).start()
            threading.Event().wait()
        os._exit(0)
    """
    write(tmp_path / "train.py", text)
    recorded = reproof("run", "-o", "trace", "train.py", who)
    assert (recorded.code, recorded.out) == (0, "3\n" if who == "child" else "")
    trace = open_trace(tmp_path / "trace")
    assert (trace.header.status, trace.header.problems, trace.explain_incomplete()) == ("complete", (), None)
    assert {"Linear.weight", "Linear.bias"} <= {event.name for event in trace.ranks[0].events if event.stage == "final"}


def test_a_child_made_by_fork_ends_like_a_child(run_both: RunBoth, tmp_path: Path) -> None:
    """A forked child that runs to the end of the script neither closes the trace nor reports anything."""
    text = """
        import os
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        print("parent" if pid else "child", flush=True)
    """
    write(tmp_path / "train.py", text)
    recorded = run_both("train.py")
    assert recorded.out == "child\nparent\n"
    assert len(recorded.own_lines) == 1
    assert open_trace(tmp_path / "trace").header.status == "complete"


def test_a_script_may_change_its_working_folder(run_both: RunBoth, tmp_path: Path) -> None:
    """A trace whose path is relative is finished where it was begun."""
    (tmp_path / "data").mkdir()
    write(tmp_path / "train.py", "import os; os.chdir('data')")
    run_both("train.py")
    assert open_trace(tmp_path / "trace").header.status == "complete"
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_run_as_it_ends_plain_python(tmp_path: Path, environment: dict[str, str], name: str) -> None:
    """The process dies by the signal, so that a shell stops its script too; Ctrl-C is shown as Python shows it."""
    write(tmp_path / "train.py", "import time; print('ready', flush=True); time.sleep(60)")
    ends = []
    for start in ([sys.executable], [sys.executable, "-m", "reproof", "run", "-o", "trace"]):
        with subprocess.Popen(
            [*start, "train.py"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.05)  # it is printed, then it sleeps
            process.send_signal(getattr(signal, name))
            out, err = process.communicate(timeout=30)
        ends.append(
            (process.returncode, out, "".join(x for x in err.splitlines(keepends=True) if not x.startswith("reproof:")))
        )
    assert ends[0] == ends[1]
    assert ends[0][0] == -getattr(signal, name)
    trace = open_trace(tmp_path / "trace")
    assert trace.header.status == ("interrupted" if name == "SIGINT" else "running")
    assert trace.explain_incomplete() is not None


def test_a_script_without_pytorch_runs_and_leaves_an_empty_trace(run_both: RunBoth, tmp_path: Path) -> None:
    """That there was nothing to record is said in one line; the exit code stays that of the script."""
    write(tmp_path / "train.py", "print('no training')")
    recorded = run_both("train.py")
    assert recorded.code == 0
    assert "nothing to record" in recorded.own_lines[0]
