"""What a check suggests to do next."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click
import pytest

from reproof.checking import CheckRequest, CheckResult
from reproof.cli.check_command import command as check_command
from reproof.cli.suggestions import suggest
from reproof.explain.search import Explanation
from reproof.schema import Cause, Comparison, Difference

if TYPE_CHECKING:
    from reproof.schema import Stage


def spell(**changes: object) -> list[str]:
    """Return a command line that shows the changes."""
    return ["check", *(f"{name}={value}" for name, value in changes.items())]


def make_result(stage: Stage, *, confirmed: tuple[bool, ...] = (), num_trials: int = 0) -> CheckResult:
    """Return a divergence in step 7 with causes after some experiments."""
    first = Difference(rank=0, step=7, stage=stage, detail=None, name="x", baseline="1", candidate="2")
    told: dict[str, Any] = {
        "kind": "unseeded-rng",
        "source": "numpy",
        "file": "train.py",
        "line": 1,
        "text": "rng()",
        "step": 7,
    }
    proof = {"fix": "seed it", "evidence": "experiment 1"}
    causes = tuple(Cause(**told, **proof, confirmed=is_confirmed) for is_confirmed in confirmed)
    comparison = Comparison(
        runs=("a b", "c"), verdict="diverged", num_events=9, num_tensors=9, num_steps=9, first=first, causes=causes
    )
    trials: Any = (None,) * num_trials  # only their number counts
    return CheckResult(comparison=comparison, runs=(), explanation=Explanation(causes=causes, trials=trials))


def suggest_for(result: CheckResult, **options: Any) -> list[str]:
    """Return what is suggested for a check with these options."""
    return suggest(CheckRequest(command=("train.py",), **options), result, spell)


def test_a_confirmed_cause_is_fixed_and_checked_again() -> None:
    """Also where others are only suspected, and where the experiments are used up."""
    result = make_result("loss", confirmed=(True, False), num_trials=12)
    assert suggest_for(result) == ["check    # after applying the fix"]


def test_a_check_without_experiments_makes_some() -> None:
    """The option that keeps it from that is left out."""
    result = make_result("loss")
    assert suggest_for(result, explains=False) == ["check explains=None    # searches for the cause by experiment"]


@pytest.mark.parametrize("confirmed", [(), (False,)], ids=["no cause", "a suspect"])
def test_a_search_that_was_cut_short_goes_on(confirmed: tuple[bool, ...]) -> None:
    """With twice as many experiments."""
    result = make_result("update", confirmed=confirmed, num_trials=4)
    assert suggest_for(result, max_runs=4) == ["check max_runs=8    # goes on with the search"]


@pytest.mark.parametrize(
    ("level", "stage", "finer"),
    [
        ("steps", "forward", "modules"),
        ("steps", "gradient", "modules"),
        ("steps", "update", "ops"),
        ("modules", "forward", "ops"),
    ],
)
def test_a_suspect_is_looked_at_more_closely(level: Any, stage: Stage, finer: str) -> None:
    """At the next finer level, to the end of the step in which the runs part."""
    (line,) = suggest_for(make_result(stage, confirmed=(False,), num_trials=5), level=level)
    assert line.startswith(f"check level={finer} num_steps=8    # which ")


@pytest.mark.parametrize(("level", "stage"), [("ops", "forward"), ("steps", "batch"), ("modules", "init")])
def test_where_no_level_tells_more_the_script_is_read(level: Any, stage: Stage) -> None:
    """By `reproof doctor`, and all differences are listed."""
    assert suggest_for(make_result(stage), level=level) == [
        "reproof doctor train.py    # what in the script is not determined",
        "reproof compare 'a b' c --max-differences 50",
    ]


class TestFailedRuns:
    """What is suggested where the script itself has failed."""

    @staticmethod
    def make_failed(*exit_codes: int, lines: tuple[str, ...] = ()) -> CheckResult:
        """Return a check of runs that ended with these exit codes, without a verdict."""
        runs: Any = tuple(
            SimpleNamespace(exit_code=code, trace=Path("none"), last_lines=lambda _: lines) for code in exit_codes
        )
        comparison = Comparison(runs=("a", "b"), verdict="inconclusive", num_events=0, num_tensors=0, num_steps=0)
        return CheckResult(comparison=comparison, runs=runs)

    def test_a_script_that_fails_in_its_folder_is_run_by_itself(self) -> None:
        """Without reproof, its error is its own."""
        (line,) = suggest_for(self.make_failed(1, 1))
        assert line.startswith("python train.py ")

    def test_a_script_that_asks_a_terminal_is_given_a_file(self) -> None:
        """Runs read nothing from a terminal."""
        (line,) = suggest_for(self.make_failed(1, 1, lines=("EOFError: EOF when reading a line",)))
        assert line.endswith("reproof check ... < FILE")

    def test_a_script_that_fails_in_a_copy_is_checked_in_the_folder(self) -> None:
        """The check that gave each run a copy is suggested without that."""
        line = suggest_for(self.make_failed(1, 1), is_isolated=True)[0]
        assert line.startswith("check isolate=None num_jobs=None ")

    def test_a_script_that_fails_where_the_folder_is_moved(self) -> None:
        """The variation is left out; the others stay."""
        (line,) = suggest_for(self.make_failed(0, 1), variations=("cwd", "threads"))
        assert line == "check vary=threads    # it fails only with cwd varied"

    @pytest.mark.parametrize(
        ("text", "exit_code", "told"),
        [
            ("print(1)", 2, "write --runs before "),
            ("print(1)", 1, "python "),
            ("parser.add_argument('--runs')", 2, "python "),
        ],
        ids=["refused", "another error", "an option of the script's own"],
    )
    def test_an_option_of_ours_after_the_script_is_told(
        self, text: str, exit_code: int, told: str, tmp_path: Path
    ) -> None:
        """It was given to the script, which may not know it; of any other error it is not the reason."""
        script = tmp_path / "train.py"
        script.write_text(text, encoding="utf-8")
        request = CheckRequest(command=(str(script), "--runs=3"))
        with click.Context(check_command):
            (line,) = suggest(request, self.make_failed(exit_code, exit_code), spell)
        assert line.startswith(told)
