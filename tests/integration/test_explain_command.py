"""`reproof explain`, and what `reproof check` does to find causes: options, budget, the folder left alone."""

from __future__ import annotations

import json
import shutil
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command, Finished

FAULTY = """
    import sys
    import numpy as np
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rng = np.random.default_rng()  # the fault
    open("runs.txt", "a").write("run ")
    for step in range(4):
        noise = torch.from_numpy(rng.standard_normal((4, 3))).float() if "--noise" in sys.argv else 0.0
        loss = (model(torch.randn(4, 3) + noise)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

TIMED = """
    import time
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    begun = time.time()
    model = torch.nn.Linear(3, 1)
    took = time.time() - begun
    if not 0 < took < 0.5:
        raise ValueError(f"the clock was set: {took}")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 + took)
    for step in range(3):
        loss = (model(torch.randn(4, 3))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
"""With the begin of one run and the end of another, it fails before anything is recorded."""

VALIDATED = """
    import sys
    import torch
    from torch.utils.data import DataLoader

    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = torch.randn(24, 3)
    train, valid = DataLoader(data[:16], batch_size=4, shuffle=True), DataLoader(data[16:], batch_size=4)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        for rows in train:
            loss = model(rows).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if "--validate" in sys.argv:
            with torch.no_grad():
                for rows in valid:
                    model(rows)
"""

pytestmark = pytest.mark.slow


class User:
    """Somebody at a command line, in a folder with one script."""

    def __init__(self, reproof: Command, folder: Path, cache: Path) -> None:
        """Write the script."""
        self._reproof = reproof
        self._cache = str(cache)
        self.folder = folder
        self.script = folder / "train.py"
        self.script.write_text(dedent(FAULTY), encoding="utf-8")

    def run(self, *arguments: str) -> Finished:
        """Run reproof with these arguments."""
        return self._reproof(*arguments, XDG_CACHE_HOME=self._cache, PYTHONHASHSEED="random")

    def result(self) -> Any:
        """Return what `--json result.json` wrote."""
        return json.loads((self.folder / "result.json").read_text(encoding="utf-8"))


@pytest.fixture
def user(reproof: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> User:
    """Return a user in a folder of their own."""
    return User(reproof, tmp_path, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def recorded(reproof_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs that are equal and two that differ; tests work on copies."""
    folder = tmp_path_factory.mktemp("recorded")
    user = User(reproof_in(folder), folder, tmp_path_factory.mktemp("cache"))
    for name, arguments in (("a", ()), ("b", ()), ("noisy_a", ("--noise",)), ("noisy_b", ("--noise",))):
        user.run("run", "-o", name, "train.py", *arguments)
    return folder


class TestExplain:
    """Two runs that were recorded before."""

    @pytest.fixture(autouse=True)
    def _runs_are_there(self, user: User, recorded: Path) -> None:
        shutil.copytree(recorded, user.folder, dirs_exist_ok=True)

    def test_the_line_is_named_and_confirmed(self, user: User) -> None:
        """Text and JSON tell line, proof and fix; the exit code is that of `compare`; experiments run in copies."""
        before = {path.name for path in user.folder.iterdir()}
        finished = user.run("explain", "noisy_a", "noisy_b", "--json", "result.json")
        assert finished.code == 1
        assert "train.py:10" in finished.out
        assert "confirmed" in finished.out
        cause = user.result()["causes"][0]
        assert (cause["kind"], cause["file"], cause["line"]) == ("unseeded-generator", "train.py", 10)
        assert cause["confirmed"]
        assert "default_rng(" in cause["fix"]
        assert {path.name for path in user.folder.iterdir()} == before | {"result.json"}
        assert (user.folder / "runs.txt").read_text(encoding="utf-8") == "run " * 4

    def test_equal_runs_need_no_experiment(self, user: User) -> None:
        """Identical is identical."""
        finished = user.run("explain", "a", "b", "--json", "result.json")
        assert finished.code == 0
        assert (user.result()["causes"], user.result()["experiments"]) == ([], [])

    def test_a_changed_script_is_suspected(self, user: User) -> None:
        """What no experiment can show is not called confirmed."""
        user.script.write_text(user.script.read_text(encoding="utf-8").replace("lr=0.1", "lr=0.2"), encoding="utf-8")
        user.run("run", "-o", "changed", "train.py")
        user.run("explain", "a", "changed", "--json", "result.json")
        cause = user.result()["causes"][0]
        assert (cause["kind"], cause["confirmed"]) == ("code-change", False)

    @pytest.mark.thorough  # the draws of two commands: `hypotheses` are tested alone
    def test_the_draw_is_named_that_only_one_command_makes(self, user: User) -> None:
        """Validation was added, and its loader draws a seed from the generator that shuffles the training."""
        user.script.write_text(dedent(VALIDATED), encoding="utf-8")
        user.run("run", "-o", "plain", "train.py")
        user.run("run", "-o", "validated", "train.py", "--validate")
        finished = user.run("explain", "plain", "validated", "--json", "result.json")
        assert finished.code == 1
        assert "the baseline ran `python train.py`, the candidate `python train.py --validate`" in finished.out
        (cause,) = user.result()["causes"]
        line = user.script.read_text(encoding="utf-8").splitlines()[cause["line"] - 1]
        assert (cause["kind"], cause["confirmed"], line.strip()) == ("code-change", True, "for rows in valid:")
        assert "generator=torch.Generator()" in cause["fix"]


class TestCheck:
    """The search that follows a check."""

    def test_the_cause_is_told_with_proof_and_fix(self, user: User) -> None:
        """A person reads which line it is, why, what to write instead, and the same check to run then.

        Of the command as it was called, only --json is left out, and --keep names a new folder. Whatever experiments
        were made, the script ran twice here.
        """
        finished = user.run("check", "--keep", "traces", "--json", "result.json", "--steps", "3", "train.py", "--noise")
        assert finished.code == 1
        for part in ("Cause:", "train.py:10", "confirmed", "proof", "fix", "docs/causes/unseeded-generator.md"):
            assert part in finished.out
        assert finished.out.endswith(
            "\nNext:\n  reproof check --steps 3 --keep traces-2 train.py --noise    # after applying the fix\n"
        )
        assert len(user.result()["experiments"]) >= 2
        assert (user.folder / "runs.txt").read_text(encoding="utf-8") == "run run "

    def test_it_can_be_left_out(self, user: User) -> None:
        """`--no-explain` compares, and makes no experiment."""
        finished = user.run("check", "--no-explain", "--json", "result.json", "train.py", "--noise")
        assert finished.code == 1
        assert (user.result()["causes"], user.result()["experiments"]) == ([], [])
        assert "reproof check train.py --noise    # searches for the cause by experiment\n" in finished.out

    def test_the_budget_is_kept_and_told(self, user: User) -> None:
        """One experiment confirms nothing, and the user is told how to have more."""
        finished = user.run("check", "--max-runs", "1", "--json", "result.json", "train.py", "--noise")
        assert len(user.result()["experiments"]) == 1
        assert not any(cause["confirmed"] for cause in user.result()["causes"])
        assert "reproof check --max-runs 2 train.py --noise    # goes on with the search\n" in finished.out

    @pytest.mark.thorough  # unit tests of the laboratory have experiments that fail
    def test_an_experiment_that_fails_agrees_with_nothing(self, user: User) -> None:
        """Nothing that it recorded differs; both readings of the clock are needed, and both are named."""
        user.script.write_text(dedent(TIMED), encoding="utf-8")
        assert user.run("check", "--json", "result.json", "train.py").code == 1
        found = user.result()
        assert any("the clock was set" in (trial["problem"] or "") for trial in found["experiments"])
        assert {(cause["line"], cause["confirmed"]) for cause in found["causes"]} == {(7, True), (9, True)}

    def test_a_robust_training_holds_under_other_surroundings(self, user: User) -> None:
        """And the report says under which."""
        finished = user.run("check", "--vary", "listing-order,time,workers,cwd", "train.py")
        assert finished.code == 0
        assert "listing-order, time, workers, cwd" in finished.out

    def test_an_unknown_variation_is_refused(self, user: User) -> None:
        """Before anything runs."""
        finished = user.run("check", "--vary", "moon", "train.py")
        assert finished.code == 2
        assert "'moon'" in finished.err
        assert not (user.folder / "runs.txt").exists()
