"""A check from request to verdict, apart from the trainings themselves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from reproof.checking import CheckRequest, CheckResult, check, run_check, workflow
from reproof.checking.workflow import (
    NUM_KEPT,
    cache_folder,
    find_free_name,
    judge,
    make_folder,
    make_run,
    remove_old,
    shorten,
)
from reproof.cli.check_progress import describe
from reproof.cli.check_text import describe_changes, describe_failures, describe_search
from reproof.cli.suggestions import suggest
from reproof.entropy.plan import Plan
from reproof.errors import LaunchError, UsageError
from reproof.explain.search import Explanation
from reproof.launch.folders import FolderChange
from reproof.launch.processes import FinishedRun, RunRequest
from reproof.schema import Comparison, Difference


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with a script and a cache of its own beside it."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "train.py").write_text("import sys; print(sys.argv)", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "here"


class TestRequest:
    """What is asked for is checked before anything runs."""

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"num_runs": 1}, "runs is 1: give 2 or more"),
            ({"num_jobs": 0}, "jobs is 0: give 1 or more"),
            ({"num_steps": 0}, "steps is 0: give 1 or more"),
            ({"tolerance": -1e-6}, "tolerance is -1e-06: "),
            ({"tolerance": float("inf")}, "tolerance is inf: "),
            ({"command": ()}, "no script to check: "),
        ],
        ids=str,
    )
    def test_what_cannot_be_carried_out(self, fields: dict[str, Any], problem: str) -> None:
        """One line with the offending value and what to do."""
        with pytest.raises(UsageError) as caught:
            CheckRequest(**{"command": ("train.py",), **fields})
        assert str(caught.value).startswith(problem)

    def test_scripts_that_are_not_there(self, here: Path) -> None:
        """They are refused before a folder for traces is made."""
        with pytest.raises(LaunchError, match=r"no script nowhere\.py"):
            check("nowhere.py")
        with pytest.raises(LaunchError, match="is a folder"):
            check(str(here))
        with pytest.raises(UsageError, match="-m without a module"):
            check(["-m"])
        assert not (here.parent / "cache").exists()

    def test_the_runs_of_a_check(self, here: Path) -> None:
        """Names, options of `reproof run`, and a hash seed each."""
        request = CheckRequest(
            command=("train.py", "x"), num_runs=3, num_steps=4, tolerance=0.1, artifacts=("*.pt", "a b")
        )
        runs = [make_run(request, here / "traces", number) for number in range(3)]
        assert [run.trace.name for run in runs] == ["baseline", "candidate1", "candidate2"]
        assert len({run.hash_seed for run in runs}) == 3
        assert runs[0].options == ("--quiet", "--statistics", "--artifact", "*.pt", "--artifact", "a b")
        assert (runs[0].command, runs[0].num_steps, runs[0].folder) == (("train.py", "x"), 4, here)
        pair = dataclasses.replace(request, num_runs=2, tolerance=None, artifacts=())
        assert make_run(pair, here, 1).trace.name == "candidate"
        assert make_run(pair, here, 1).options == ("--quiet",)

    def test_what_programs_printed_is_forgotten_however_a_check_ends(
        self, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is kept for experiments alone: one that is interrupted leaves none."""
        line = '{"place":0,"key":"os.popen@a.py:4","kind":"os-entropy","source":"os.popen"}\n[[0,"hunter2"]]\n'

        def run(_workplace: object, requests: list[RunRequest], **_options: object) -> None:
            assert [request.plan for request in requests] == [Plan(keeps_printed=True)] * 2
            requests[0].trace.mkdir()
            (requests[0].trace / "rank0.entropy").write_text(line, encoding="utf-8")
            raise KeyboardInterrupt

        monkeypatch.setattr(workflow.Workplace, "run", run)
        with pytest.raises(KeyboardInterrupt):
            check("train.py", keep=here / "traces")
        assert "hunter2" not in (here / "traces" / "baseline" / "rank0.entropy").read_text(encoding="utf-8")
        assert make_run(CheckRequest(command=("train.py",), explains=False), here, 0).plan is None


def test_processes_that_train_shared_parameters_agree_by_chance(tmp_path: Path) -> None:
    """As Hogwild does: two runs that are identical promise nothing of a third. One process alone races with nobody."""
    entry = {"place": 0, "key": "a", "kind": "concurrency", "source": "parameters in shared memory"}
    line = json.dumps({**entry, "file": "train.py", "line": 7, "function": "f", "through": None})
    (tmp_path / "rank0.1.entropy").write_text(line, encoding="utf-8")
    assert workflow.tell_chance(tmp_path) == ()
    (tmp_path / "rank0.2.entropy").write_text(line, encoding="utf-8")
    (told,) = workflow.tell_chance(tmp_path)
    assert told.startswith("train.py:7: 2 processes step parameters in shared memory: which comes first is left to")


class TestTraceFolders:
    """Where traces go."""

    @pytest.mark.parametrize("value", [None, "", "relative/cache"])
    def test_without_a_usable_cache_folder_the_default(
        self, value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The specification has relative ones ignored."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if value is not None:
            monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == tmp_path / ".cache" / "reproof" / "checks"

    @pytest.mark.usefixtures("here")
    def test_two_checks_within_a_second(self) -> None:
        """Each has a folder of its own, named by time and script."""
        requests = [CheckRequest(command=command) for command in (("src/train.py", "a"), ("-m", "pkg.train", "b"))]
        folders = [make_folder(requests[0]) for _ in range(3)]
        assert len(set(folders)) == 3
        assert all("-train-" in folder.name and folder.parent == cache_folder() for folder in folders)
        assert make_folder(requests[1]).name.split("-")[2] == "train"

    def test_a_free_name(self, tmp_path: Path) -> None:
        """The first number that is free."""
        for name in ("a", "a-2"):
            (tmp_path / name).mkdir()
        assert find_free_name(tmp_path / "a") == tmp_path / "a-3"
        assert find_free_name(tmp_path / "b") == tmp_path / "b"

    def test_a_folder_of_the_user(self, here: Path) -> None:
        """It is made, or taken if it is empty; a path with dots is tidied."""
        request = CheckRequest(command=("train.py",), keep=Path("out/../traces/new"))
        assert make_folder(request) == make_folder(request) == here / "traces" / "new"
        for name in ("traces", "train.py"):
            with pytest.raises(UsageError, match="is not empty"):
                make_folder(dataclasses.replace(request, keep=Path(name)))
        with pytest.raises(UsageError, match=r"cannot make .*: Not a directory"):
            make_folder(dataclasses.replace(request, keep=Path("train.py/below")))

    def test_old_checks_make_room(self, tmp_path: Path) -> None:
        """For one more than those that are left; without any there is nothing to do."""
        for i in range(NUM_KEPT + 3):
            (tmp_path / f"20260101-{i:06d}-x-1").mkdir()
        remove_old(tmp_path)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == [f"20260101-{i:06d}-x-1" for i in range(4, NUM_KEPT + 3)]
        remove_old(tmp_path / "nowhere")

    def test_paths_are_told_relative_to_the_folder(self, here: Path) -> None:
        """Where they lie in it."""
        assert shorten(here / "traces" / "a") == Path("traces/a")
        assert shorten(Path("/elsewhere/a")) == Path("/elsewhere/a")


def difference(stage: Any = "forward", step: int = 4) -> Difference:
    """Return a first divergence."""
    return Difference(rank=0, step=step, stage=stage, detail=None, name="x", baseline="a", candidate="b")


def comparison_of(verdict: Any, first: Difference | None = None, num_events: int = 5) -> Comparison:
    """Return what a comparison has found."""
    runs = ("traces/a", "my traces/b")
    return Comparison(verdict=verdict, runs=runs, num_events=num_events, num_tensors=5, num_steps=5, first=first)


def spell(**options: object) -> list[str]:
    """Return a check of the script below with these options."""
    names = {"level": "--level", "num_steps": "--steps"}
    words = [word for name, value in options.items() for word in (names[name], str(value))]
    return ["reproof", "check", *words, "train.py", "a b"]


def finished(name: str = "a", exit_code: int = 0, **fields: Any) -> FinishedRun:
    """Return a run that has ended."""
    rest = {"seconds": 1.0, "changes": FolderChange(), "output": None, **fields}
    return FinishedRun(trace=Path(name), exit_code=exit_code, **rest)


class TestVerdict:
    """The worst candidate counts."""

    @pytest.mark.parametrize(
        ("verdicts", "expected"),
        [
            (["identical", "identical"], "identical"),
            (["identical", "equivalent"], "equivalent"),
            (["inconclusive", "equivalent"], "inconclusive"),
            (["inconclusive", "diverged", "identical"], "diverged"),
        ],
    )
    def test_of_several(self, verdicts: list[Any], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """All are told, in their order."""
        found = iter([comparison_of(verdict) for verdict in verdicts])
        monkeypatch.setattr(workflow, "compare_runs", lambda *_: next(found))
        result = judge(CheckRequest(command=("x",)), [finished() for _ in range(len(verdicts) + 1)])
        assert result.comparison.verdict == expected
        assert result.exit_code == {"inconclusive": 2, "diverged": 1}.get(expected, 0)
        assert result.to_json()["verdicts"] == verdicts

    @pytest.mark.usefixtures("here")
    def test_from_python(self) -> None:
        """`check` takes the command as a line or in parts, and returns the result."""
        result = check("train.py 'a b' --lr 1", keep=Path("traces"))
        assert result.comparison.verdict == "inconclusive"
        assert result.comparison.runs == ("traces/baseline", "traces/candidate")
        assert [run.last_lines() for run in result.runs] == [["['train.py', 'a b', '--lr', '1']"]] * 2
        watched: list[int] = []
        request = CheckRequest(command=("train.py",), num_runs=3)
        assert len(run_check(request, lambda running: watched.append(len(running))).runs) == 3
        assert set(watched) == {1}


DOCTOR = "reproof doctor train.py  "
COMPARE = "reproof compare traces/a 'my traces/b' --max-differences 50"


class TestText:
    """What is said beside the comparison."""

    @pytest.mark.parametrize(
        ("steps", "total", "seconds", "expected"),
        [
            (0, None, 3.4, "starting, 3 s"),
            (12, None, 6.0, "step 12, 2/s"),
            (120, 600, 3.4, "step 120 of 600, 35.3/s, 14 s left"),
            (10, 8, 5.0, "step 10 of 8, 2/s, 0 s left"),
        ],
    )
    def test_progress(self, steps: int, total: int | None, seconds: float, expected: str) -> None:
        """Step and rate, and the time left where the number of steps is known."""
        assert describe(steps, total, seconds) == expected

    def test_what_the_runs_wrote(self) -> None:
        """A line for each run that wrote anything; of many files the first."""
        runs = (
            finished("baseline", changes=FolderChange(created=tuple("abcdef"), deleted=("g",))),
            finished("candidate"),
        )
        result = CheckResult(comparison=comparison_of("identical"), runs=runs)
        assert describe_changes(result) == ["baseline: created a, b, c, d and 2 more; deleted g"]

    def test_how_runs_ended_badly(self, tmp_path: Path) -> None:
        """Exit code or signal and the last words, the same words once."""
        outputs = []
        for name, text in (("a", "E: 1"), ("b", "E: 1"), ("c", "E: 2"), ("d", "")):
            (tmp_path / name).write_text(text, encoding="utf-8")
            outputs.append(tmp_path / name)
        codes = (1, 1, -9, 3)
        runs = tuple(finished(p.name, code, output=p) for p, code in zip(outputs, codes, strict=True))
        result = CheckResult(comparison=comparison_of("inconclusive"), runs=(*runs, finished("e")))
        assert describe_failures(result) == [
            "a: exit code 1", "  E: 1", "b: exit code 1, with the same last lines",
            "c: signal 9", "  E: 2", "d: exit code 3",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            (comparison_of("identical"), []),
            (comparison_of("diverged", difference()), ["no cause could be confirmed"]),
        ],
    )
    def test_causes_are_missed_only_where_the_runs_part(self, found: Comparison, expected: list[str]) -> None:
        """An experiment that shows that runs are identical has searched for no cause."""
        explanation = Explanation(causes=(), trials=())
        result = CheckResult(comparison=found, runs=(finished(), finished()), explanation=explanation)
        assert describe_search(CheckRequest(command=("x",)), result) == expected

    @pytest.mark.parametrize(
        ("fields", "found", "expected"),
        [
            ({}, comparison_of("identical"), []),
            ({}, comparison_of("inconclusive"), []),
            ({}, comparison_of("inconclusive", num_events=0), ["nothing was recorded: "]),
            ({}, comparison_of("diverged", difference()), ["reproof check --level modules --steps 5 train.py 'a b'  "]),
            ({"level": "ops"}, comparison_of("diverged", difference()), [DOCTOR, COMPARE]),
            ({}, comparison_of("diverged", difference("batch")), [DOCTOR, COMPARE]),
        ],
    )
    def test_what_to_do_next(self, fields: Any, found: Comparison, expected: list[str]) -> None:
        """Commands that can be copied into a shell."""
        request = CheckRequest(command=("train.py", "a b"), **fields)
        told = suggest(request, CheckResult(comparison=found, runs=(finished(), finished())), spell)
        assert len(told) == len(expected)
        assert all(line.startswith(start) for line, start in zip(told, expected, strict=True))
