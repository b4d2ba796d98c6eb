"""`reproof check` as a user meets it: options, what the runs leave behind, failures, signals, the terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.conftest import Command, Finished

TRAINING = """
    import torch
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(noise=0.0, inputs=None):
        optimizer.zero_grad()
        loss = (model(torch.randn(4, 3) if inputs is None else inputs) + noise).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()
"""
"""Module `training` of the scripts below."""

RUNS = """
    from pathlib import Path

    def number():
        seen = len(list(Path().glob("seen*")))
        Path(f"seen{seen}").touch()
        return seen
"""
"""Module `runs` of the scripts below: tells how many runs were there before, from what they have left in the folder."""

PATIENCE_SECONDS = 100.0
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

pytestmark = pytest.mark.slow


class Checker:
    """Checks scripts in the test's folder; traces go to a cache of the test's own."""

    def __init__(self, reproof: Command, folder: Path, cache: Path) -> None:
        """Put the modules that scripts use into the folder."""
        self._reproof = reproof
        self.folder = folder
        self.cache = cache
        for name, text in (("training.py", TRAINING), ("runs.py", RUNS)):
            (folder / name).write_text(dedent(text), encoding="utf-8")

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the command."""
        return {"XDG_CACHE_HOME": str(self.cache), "PYTHONHASHSEED": "random", "PYTHONDONTWRITEBYTECODE": "1"}

    def write(self, script: str, name: str = "train.py") -> None:
        """Write a script."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(dedent(script), encoding="utf-8")

    def run(self, *arguments: str, **variables: str) -> Finished:
        """Check with these options, script and arguments."""
        return self._reproof("check", *arguments, **{**self.variables, **variables})

    def find(self, *arguments: str, **variables: str) -> dict[str, Any]:
        """Check, and return the JSON."""
        done = self.run("--json", "-", *arguments, **variables)
        assert done.err == ""
        found: dict[str, Any] = json.loads(done.out)
        assert done.code == {"identical": 0, "equivalent": 0, "diverged": 1}.get(found["verdict"], 2)
        return found

    def outputs(self) -> list[str]:
        """Return what the runs of the latest check have printed, the baseline first."""
        newest = max((self.cache / "reproof" / "checks").iterdir())
        return [path.read_text(encoding="utf-8") for path in sorted(newest.glob("*.output.txt"))]

    def files(self) -> set[str]:
        """Return the names of what is in the folder, beside the two modules."""
        return {path.name for path in self.folder.iterdir()} - {"training.py", "runs.py"}


@pytest.fixture
def checker(reproof: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Checker:
    """Return what checks scripts in the test's folder."""
    return Checker(reproof, tmp_path, tmp_path_factory.mktemp("cache"))


def read_section(text: str, title: str) -> list[str]:
    """Return the lines under a title of the output."""
    lines = text.splitlines()
    start = lines.index(f"{title}:") + 1
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("  ")), len(lines))
    return [line.removeprefix("  ") for line in lines[start:end]]


class TestVerdicts:
    """What is said of trainings that reproduce, and of those that do not."""

    def test_an_identical_training(self, checker: Checker) -> None:
        """Text, JSON, kept traces and the list of what the runs wrote; the script's arguments are its own."""
        script = """
            import os, sys
            from pathlib import Path
            from training import step
            losses = [step() for _ in range(4)]
            Path("notes.txt").write_text(f"{Path('notes.txt').read_text()}{losses}\\n")
            Path("weights.txt").write_text(str(losses[-1]))
            if Path("old.txt").exists():
                os.remove("old.txt")
            print(sys.argv)
        """
        checker.write(script)
        for name in ("notes.txt", "old.txt"):
            (checker.folder / name).write_text("mine\n", encoding="utf-8")
        arguments = ("train.py", "--runs", "5", "-q", "--json", "mine.json", "--", "x")
        done = checker.run("--keep", "traces", "--json", "found.json", *arguments)
        told = "options after train.py go to the script: --runs, --json; for reproof, write them before train.py"
        assert (done.code, done.err.splitlines()) == (0, [f"reproof: note: {told}"] * 2)
        assert done.out.startswith("identical: every bit of ")
        assert CONTROL.search(done.out) is None
        assert read_section(done.out, "What the runs wrote") == [
            "baseline: created weights.txt; changed notes.txt; deleted old.txt",
            "candidate: changed notes.txt, weights.txt",
        ]
        assert "Ended badly" not in done.out
        assert "Next" not in done.out
        assert checker.files() == {"train.py", "notes.txt", "weights.txt", "traces", "found.json"}
        found = json.loads((checker.folder / "found.json").read_text(encoding="utf-8"))
        assert (found["verdict"], found["compared"]["skipped"], found["structure"]) == ("identical", [], [])
        assert (found["compared"]["steps"], found["exit_codes"], found["verdicts"]) == (4, [0, 0], ["identical"])
        assert found["runs"] == ["traces/baseline", "traces/candidate"]
        assert found["wrote"][0] == {"created": ["weights.txt"], "modified": ["notes.txt"], "deleted": ["old.txt"]}
        for name in ("baseline", "candidate"):
            assert open_trace(checker.folder / "traces" / name).header.command == arguments
            assert (checker.folder / "traces" / f"{name}.output.txt").read_text() == f"{[*arguments]}\n"

    def test_a_file_that_is_left_out(self, checker: Checker) -> None:
        """It costs no experiment."""
        checker.write("from training import step\nstep()\nimport os\nopen('x.log', 'w').write(str(os.urandom(4)))")
        done = checker.run("--ignore", "*.log", "--json", "found.json", "train.py")
        found = json.loads((checker.folder / "found.json").read_text(encoding="utf-8"))
        assert (done.code, found["verdict"], found["experiments"]) == (0, "identical", [])
        assert "left out: 1 file *.log" in found["output"]["notes"]

    def test_a_diverging_training(self, checker: Checker) -> None:
        """Of several candidates the worst counts; the growth of the difference and the next command are told."""
        script = """
            import numpy.random
            from runs import number
            from training import step
            noise = 0.5 if number() == 2 else 0.0
            for i in range(6):
                step(noise if i == 2 else 0.0)
        """
        checker.write(script)
        done = checker.run("--runs", "3", "train.py")
        assert (done.code, done.err) == (1, "")
        assert done.out.startswith("diverged: the runs part in step 2, stage loss\n")
        assert read_section(done.out, "Candidates") == ["candidate1: identical", "candidate2: diverged"]
        (growth, *generators) = read_section(done.out, "Growth")
        assert re.fullmatch(r"the loss differs by \S+ in step 2, \S+ in step 3, \S+ in step 4, \S+ in step 5", growth)
        beside = "python, numpy differ, which is no evidence by itself"
        assert generators == [f"random number generators after step {step}: {beside}" for step in (1, 2)]
        assert read_section(done.out, "What the runs wrote") == [
            "baseline: created seen0", "candidate1: created seen1", "candidate2: created seen2",
        ]  # fmt: skip
        (zoom,) = read_section(done.out, "Next")
        assert zoom == "reproof check --runs 3 --steps 3 --level modules train.py    # which module it is"

    def test_numbers_within_a_tolerance(self, checker: Checker) -> None:
        """Runs whose bits differ a little at every stage are equivalent."""
        checker.write("import time; from training import step\nfor _ in range(3): step(time.time_ns() % 1000 * 1e-8)")
        found = checker.find("--tolerance", "1e-3", "train.py")
        assert (found["verdict"], found["tolerance"], found["compared"]["skipped"]) == ("equivalent", 1e-3, [])

    def test_a_run_that_is_longer(self, checker: Checker) -> None:
        """Runs of the same program that agree as far as both go have diverged where one ends."""
        checker.write("from runs import number; from training import step\nfor _ in range(3 + number()): step()")
        found = checker.find("--no-explain", "train.py")
        first = found["first_divergence"]
        assert (found["verdict"], found["compared"]["steps"]) == ("diverged", 3)
        assert (first["step"], first["stage"], first["detail"]) == (3, "batch", "content")
        assert first["explanation"] == "the baseline ends after 3 steps, the candidate after 4"
        assert (first["baseline"], first["candidate"]) == ("absent", "recorded")

    def test_artifacts_are_compared_by_what_they_hold(self, checker: Checker) -> None:
        """Weights in an archive are equal whatever its bytes; a file with a time in it is the first divergence."""
        script = """
            import time, torch
            from pathlib import Path
            from training import model, step
            step()
            Path("out").mkdir(exist_ok=True)
            torch.save(model.state_dict(), f"out/{time.time_ns()}.pt")
            for path in sorted(Path("out").glob("*.pt"))[-1:]:
                path.rename("out/last.pt")
            Path("out/log.txt").write_text(str(time.time_ns()))
        """
        checker.write(script)
        found = checker.find("--no-explain", "--artifact", "out/*.pt", "--artifact", "out/log.txt", "train.py")
        assert found["first_divergence"]["name"] == "artifact out/log.txt"
        assert found["compared"]["stages"]["metric"] == {"compared": 5, "differing": 1}
        assert found["compared"]["skipped"] == []


class TestAmount:
    """How much is run and recorded."""

    def test_a_number_of_steps(self, checker: Checker) -> None:
        """Both runs end after it, and count as complete; level modules adds the parts of the model."""
        checker.write("from training import step\nfor _ in range(9): step()\nprint('the end')")
        done = checker.run("--steps", "3", "--level", "modules", "--keep", "traces", "train.py")
        assert done.out.startswith("identical: every bit of ")
        for name in ("baseline", "candidate"):
            trace = open_trace(checker.folder / "traces" / name)
            assert (trace.header.status, trace.header.num_steps, trace.header.level) == ("complete", 3, "modules")
            assert trace.ranks[0].num_steps == 3
            assert "Sequential.0 output" in {event.name for event in trace.ranks[0].events}
            assert (checker.folder / "traces" / f"{name}.output.txt").read_text() == ""

    def test_batches_of_a_module(self, checker: Checker) -> None:
        """A module of a package is run as by `python -m`; level batches records nothing but batches."""
        checker.write("", "package/__init__.py")
        checker.write("import sys\nfrom . import work\nprint(__package__, sys.argv[1:])", "package/train.py")
        checker.write("from training import step\nfor _ in range(2): step()", "package/work.py")
        found = checker.find("--level", "batches", "-m", "package.train", "-m", "--level", "x")
        assert (found["verdict"], list(found["compared"]["stages"])) == ("identical", ["batch"])
        assert found["compared"]["steps"] == 2
        assert checker.outputs() == ["package ['-m', '--level', 'x']\n"] * 2


class TestFolders:
    """Where the runs take place, and where traces go."""

    def test_runs_at_the_same_time_have_a_copy_each(self, checker: Checker) -> None:
        """Both wait for each other, in folders of the same name, and nothing appears in the user's folder."""
        shared = Path("/dev/shm")  # noqa: S108  # runs in copies write to what the system shares, not beside the folder
        meeting = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
        script = f"""
            import os, time
            from pathlib import Path
            from runs import number
            print(number(), Path.cwd().name)
            Path({str(meeting)!r}, str(os.getpid())).touch()
            end = time.monotonic() + {PATIENCE_SECONDS}
            while len(os.listdir({str(meeting)!r})) < 2 and time.monotonic() < end:
                time.sleep(0.05)
            assert time.monotonic() < end
        """
        checker.write(script)
        found = checker.find("--jobs", "2", "train.py")
        assert found["exit_codes"] == [0, 0]
        shutil.rmtree(meeting)
        assert checker.outputs() == [f"0 {checker.folder.name}\n"] * 2
        assert checker.files() == {"train.py"}
        assert [wrote["created"] for wrote in found["wrote"]] == [["seen0"]] * 2

    def test_isolated_runs_do_not_see_each_other(self, checker: Checker) -> None:
        """State on disk that makes a training diverge by default does not reach a run in a folder of its own."""
        checker.write("from runs import number; from training import step\nstep(noise=number())")
        assert checker.find("--isolate", "train.py")["verdict"] == "identical"
        assert checker.files() == {"train.py"}
        assert checker.find("--no-explain", "train.py")["verdict"] == "diverged"
        assert checker.files() == {"train.py", "seen0", "seen1"}

    def test_a_script_beside_the_folder_is_found_from_a_copy(self, checker: Checker) -> None:
        """What is outside of the current folder is not copied, and need not be."""
        folder = checker.folder / "here"
        folder.mkdir()
        checker.write("print('it ran')")
        command = [sys.executable, "-m", "reproof", "check", "--isolate", "../train.py"]
        subprocess.run(command, cwd=folder, env=environment_of(checker), capture_output=True, check=False, timeout=120)
        assert checker.outputs() == ["it ran\n"] * 2

    def test_old_checks_are_removed_from_the_cache(self, checker: Checker) -> None:
        """The 20 newest are kept, this one among them; what is no check is left alone."""
        checks = checker.cache / "reproof" / "checks"
        for i in range(25):
            (checks / f"20200101-0000{i:02d}-train-1" / "baseline").mkdir(parents=True)
        (checks / "mine").mkdir()
        checker.write("print('it ran')")
        checker.run("train.py")
        names = sorted(path.name for path in checks.iterdir())
        assert len(names) == 21
        assert names[:19] == [f"20200101-0000{i:02d}-train-1" for i in range(6, 25)]
        assert names[20] == "mine"
        assert {path.name for path in (checks / names[19]).iterdir()} >= {"baseline", "candidate"}

    def test_traces_are_not_mixed(self, checker: Checker) -> None:
        """A folder that holds anything is refused before the script is run."""
        checker.write("open('ran', 'w')")
        (checker.folder / "mine").mkdir()
        (checker.folder / "mine" / "notes.txt").touch()
        done = checker.run("--keep", "mine", "train.py")
        assert (done.code, done.out) == (2, "")
        assert done.err == "reproof: error: mine is not empty: name a folder that is new or empty for --keep\n"
        assert checker.files() == {"train.py", "mine"}


class TestHashSeeds:
    """The hash seed is a condition that nobody pins by accident."""

    def test_each_run_has_its_own(self, checker: Checker) -> None:
        """They differ, strings hash to other values, and the seeds are told."""
        checker.write("import os; print(hash('word'), os.environ['PYTHONHASHSEED'])")
        found = checker.find("train.py")
        (seeds,) = [condition for condition in found["conditions"] if condition["name"].endswith("hash_seed")]
        printed = [output.split() for output in checker.outputs()]
        assert printed[0][0] != printed[1][0]
        assert [seeds["baseline"], seeds["candidate"]] == [printed[0][1], printed[1][1]]

    def test_that_of_the_user_is_kept(self, checker: Checker) -> None:
        """Both runs have it."""
        checker.write("import os; print(hash('word'), os.environ['PYTHONHASHSEED'])")
        found = checker.find("train.py", PYTHONHASHSEED="7")
        outputs = checker.outputs()
        assert outputs[0] == outputs[1]
        assert outputs[0].endswith(" 7\n")
        assert found["conditions"] == []


class TestFailures:
    """Trainings about which nothing can be said."""

    def test_a_script_that_fails_in_both_runs(self, checker: Checker) -> None:
        """Inconclusive though both agree so far; the exception is shown once, whatever was printed before it."""
        script = r"""
            from training import step
            for i in range(2):
                step()
                print("\n".join(["progress"] * 9))
            raise ValueError("broken \x1b[31m")
        """
        checker.write(script)
        done = checker.run("train.py")
        assert done.code == 2
        assert done.out.startswith("inconclusive: no difference in ")
        failures = read_section(done.out, "Ended badly")
        assert failures[0] == "baseline: exit code 1"
        assert failures[-2:] == [r"  ValueError: broken \x1b[31m", "candidate: exit code 1, with the same last lines"]
        assert read_section(done.out, "Next") == ["python train.py    # it must come to its end first"]

    def test_a_script_that_fails_only_the_second_time(self, checker: Checker) -> None:
        """What the first run has left makes the second one fail, which is shown beside what the first one wrote."""
        checker.write("open('out', 'x').close(); from training import step; step()")
        done = checker.run("train.py")
        assert done.code == 2
        assert done.out.startswith("inconclusive: ")
        assert read_section(done.out, "What the runs wrote") == ["baseline: created out"]
        failures = read_section(done.out, "Ended badly")
        assert failures[0] == "candidate: exit code 1"
        assert failures[-1].startswith("  FileExistsError: ")

    def test_a_hook_that_raises(self, checker: Checker) -> None:
        """Evidence that cannot be taken is named, and no two runs are identical without it."""
        script = """
            import dataclasses, torch
            from torch.utils.data import DataLoader
            from training import step

            @dataclasses.dataclass
            class Batch:
                inputs: object
                label: object = None
                @property
                def label(self):
                    raise RuntimeError("no label yet")
                @label.setter
                def label(self, value):
                    pass

            for batch in DataLoader(torch.ones(6, 3), batch_size=3, collate_fn=lambda rows: Batch(torch.stack(rows))):
                step(inputs=batch.inputs)
        """
        checker.write(script)
        found = checker.find("train.py")
        assert (found["verdict"], found["first_divergence"], found["exit_codes"]) == ("inconclusive", None, [2, 2])
        why = "batch not recorded: RuntimeError: no label yet (2 times, first in step 0)"
        assert [(skipped["what"], skipped["why"]) for skipped in found["compared"]["skipped"]] == [
            ("evidence of the baseline", why), ("evidence of the candidate", why),
        ]  # fmt: skip

    def test_a_script_that_trains_nothing(self, checker: Checker) -> None:
        """Without PyTorch nothing can be recorded, and that is not taken for identical; its output may be shown."""
        checker.write("print('hello')")
        done = checker.run("--show-output", "train.py")
        assert done.code == 2
        assert done.out.startswith("hello\nhello\ninconclusive: no training step was recorded\n")
        (hint,) = read_section(done.out, "Next")
        assert hint.startswith("nothing was recorded: ")
        quiet = checker.run("--quiet", "train.py")
        assert (quiet.code, quiet.out.splitlines(), quiet.err) == (2, [done.out.splitlines()[2]], "")

    def test_a_script_that_records_nothing(self, checker: Checker) -> None:
        """So it is with PyTorch but without a training."""
        checker.write("import torch; print(torch.ones(3).sum())")
        found = checker.find("train.py")
        assert (found["verdict"], found["compared"]["events"]) == ("inconclusive", 0)

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (("nowhere.py",), "no script nowhere.py"),
            ((".",), ". is a folder"),
            (("--steps", "x", "train.py"), "'x' is not a valid whole number"),
            (("-m", "nowhere"), "no module nowhere"),
            (("--runs", "1", "train.py"), "1 is not in the range"),
            (("--tolerance", "nan", "train.py"), "tolerance is nan"),
            (("--keep", "train.py", "train.py"), "train.py is not empty"),
            (("--artifact", "", "train.py"), "artifact '' names no file"),
            (("--unknown", "train.py"), "--unknown"),
        ],
        ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
    )
    def test_what_cannot_be_checked_is_one_line(
        self, checker: Checker, arguments: tuple[str, ...], expected: str
    ) -> None:
        """The line names the offending value, and the script has not run."""
        checker.write("open('ran', 'w')")
        done = checker.run(*arguments)
        (line,) = done.err.splitlines()
        assert (done.code, done.out) == (2, "")
        assert line.startswith("reproof: error: ")
        assert line.count("reproof: error: ") == 1
        assert expected in line
        assert checker.files() == {"train.py"}


class Signal(NamedTuple):
    """A signal that ends a check."""

    number: signal.Signals
    reaches_all: bool
    code: int


SIGNALS = {
    "Ctrl-C in a terminal": Signal(signal.SIGINT, reaches_all=True, code=130),
    "interrupt of the check alone": Signal(signal.SIGINT, reaches_all=False, code=130),
    "termination": Signal(signal.SIGTERM, reaches_all=False, code=143),
}


def environment_of(checker: Checker) -> Mapping[str, str]:
    """Return the variables of a command that is started by hand."""
    paths = os.environ.get("PYTHONPATH", "")
    return {**os.environ, **checker.variables, "PYTHONPATH": os.path.abspath(paths) if paths else ""}  # noqa: PTH100


@pytest.mark.one_of_each(by=lambda ending: ending.number)
@pytest.mark.parametrize("ending", SIGNALS.values(), ids=SIGNALS.keys())
def test_a_signal_ends_the_runs_with_the_check(ending: Signal, checker: Checker) -> None:
    """In the middle of the second run: no process is left, and both traces can be read as far as they went."""
    script = """
        import time
        from runs import number
        from training import step
        is_second = number() == 1
        for i in range(4):
            if is_second and i == 2:
                open("reached", "w").close()
                time.sleep(300)
            step()
    """
    checker.write(script)
    command = [sys.executable, "-m", "reproof", "check", "--keep", "traces", "train.py"]
    process = subprocess.Popen(
        command,
        cwd=checker.folder,
        env=environment_of(checker),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while not (checker.folder / "reached").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert (checker.folder / "reached").exists()
        (os.killpg if ending.reaches_all else os.kill)(process.pid, ending.number)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        told = [b"reproof: kept, as they came to their end: " + os.fsencode(checker.folder / "traces" / "baseline")]
        told += [b"reproof: interrupted"] if ending.number == signal.SIGINT else []
        assert (process.returncode, out, [line for line in err.splitlines()[1:] if line]) == (ending.code, b"", told)
        assert err.startswith(b"reproof: candidate ended after 2 steps")
        assert (b", at train.py:9  time.sleep(300)" in err) == (
            not ending.reaches_all or ending.number == signal.SIGINT
        )
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    finally:
        process.kill()
        process.wait()
    traces = [open_trace(checker.folder / "traces" / name) for name in ("baseline", "candidate")]
    ended = [(trace.header.status, trace.ranks[0].num_steps) for trace in traces]
    assert ended == [("complete", 4), ("interrupted", 2)]


class Screen:
    """What a terminal shows, as far as a display of progress needs it."""

    def __init__(self) -> None:
        """Show nothing."""
        self.lines = [""]
        self._row = 0

    def feed(self, text: str) -> None:
        """Show text: carriage returns, new lines, cursor up, erased lines; colours are left out."""
        for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif part.endswith("A") and part.startswith("\x1b"):
                self._row -= int(part[2:-1] or 1)
            elif part in {"\r", "\x1b[2K"}:
                self.lines[self._row] = ""
            elif not part.startswith("\x1b"):
                self.lines[self._row] += part


def read_terminal(master: int) -> str:
    """Return everything that is written to a terminal until all who write have ended."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux's way of telling the end
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


def test_progress_is_shown_on_a_terminal_and_taken_away(checker: Checker) -> None:
    """A line per run with step and rate, and the steps to come in the second run; at the end the screen is empty."""
    checker.write("import time; from training import step\nfor _ in range(12): step(); time.sleep(0.1)")
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "reproof", "check", "train.py"]
    process = subprocess.Popen(
        command,
        cwd=checker.folder,
        env={**environment_of(checker), "TERM": "xterm", "COLUMNS": "100"},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        shown = read_terminal(master)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        os.close(master)
        process.kill()
        process.wait()
    assert out.startswith(b"identical: ")
    assert CONTROL.search(out.decode()) is None
    assert re.search(r"baseline .*step [1-9]\d*, \S+/s", shown)
    assert re.search(r"candidate .*step [1-9]\d* of 12, \S+/s, \d+ s left", shown)
    screen = Screen()
    screen.feed(shown)
    assert "".join(screen.lines).strip() == ""
