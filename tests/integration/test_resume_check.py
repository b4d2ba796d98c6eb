"""`reproof resume-check` on real trainings: some resume to the bit, others forget a piece of their state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Command

TRAININGS = Path(__file__).resolve().parents[1] / "resuming"
PATIENCE_SECONDS = 100.0
TRAINING = """
    import sys
    import torch
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(6):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().mean().backward()
        optimizer.step()
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def find(reproof: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what checks a script in the test's folder and returns the JSON."""
    cache = tmp_path_factory.mktemp("cache")

    def run(*arguments: str) -> dict[str, Any]:
        done = reproof("resume-check", "--json", "-", *arguments, XDG_CACHE_HOME=str(cache))
        assert done.err == ""
        found: dict[str, Any] = json.loads(done.out)
        assert done.code == {"identical": 0, "diverged": 1}.get(found["verdict"], 2)
        return found

    for script in TRAININGS.glob("*.py"):
        shutil.copy(script, tmp_path)
    (tmp_path / "plain.py").write_text(dedent(TRAINING), encoding="utf-8")
    return run


def pieces_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the missing pieces by name, each of which has a reason and a remedy."""
    missing = {piece["piece"]: piece for piece in found["resume"]["missing"]}
    assert all(piece["why"] and piece["fix"] for piece in missing.values())
    return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training that makes checkpoints, and where it is interrupted and goes on."""

    script: str
    options: tuple[str, ...]
    interrupted_at: int
    continues_at: int


RINGS = Training(
    script="classify_rings.py",
    options=("--interrupt-at", "14", "--resume", "--resume last.pt"),
    interrupted_at=14,
    continues_at=12,
)
DENOISE = Training(script="denoise_scaled.py", options=(), interrupted_at=10, continues_at=8)
AVERAGED = Training(
    script="regress_averaged.py",
    options=("--first", "--epochs 2", "--resume", "--resume"),
    interrupted_at=8,
    continues_at=8,
)


@pytest.mark.a_part(one_in=3)
@pytest.mark.parametrize("training", [RINGS, DENOISE, AVERAGED], ids=lambda training: training.script)
def test_a_training_that_resumes_to_the_bit(find: Any, training: Training) -> None:
    """It is identical from the step of its checkpoint to its end, with nothing left out."""
    found = find(*training.options, training.script)
    assert (found["verdict"], found["structure"], found["compared"]["skipped"]) == ("identical", [], [])
    resume = found["resume"]
    assert (resume["interrupted_at"], resume["continues_at"]) == (training.interrupted_at, training.continues_at)
    assert resume["missing"] == []
    assert resume["restored"] >= 4
    whole = {RINGS: 32, DENOISE: 20, AVERAGED: 16}[training]
    assert found["compared"]["steps"] == whole - training.continues_at
    assert [Path(run).name for run in found["runs"]] == ["uninterrupted", "resumed"]


class Forgotten(NamedTuple):
    """A piece that a training forgets, and what must be said of it: its name, where the runs part, the proof."""

    training: Training
    forgotten: str
    piece: str
    stage: str
    step: int
    proof: str


FORGOTTEN = [
    Forgotten(RINGS, "optimizer", "optimizer", "update", 12, "counts of steps begin anew"),
    Forgotten(
        RINGS, "scheduler", "scheduler", "update", 15, "StepLR: learning rate 0.0049 rather than 0.00343 in step 15"
    ),
    Forgotten(RINGS, "rng", "rng", "forward", 12, "python, numpy, torch"),
    Forgotten(RINGS, "torch-rng", "rng", "forward", 12, "the state of torch is"),
    Forgotten(RINGS, "position", "sampler-position", "batch", 12, "that of step 8 again"),
    Forgotten(RINGS, "buffers", "buffers", "init", 12, "running_mean"),
    Forgotten(RINGS, "model", "model", "init", 12, "Sequential.0.weight"),
    Forgotten(RINGS, "counter", "counter", "batch", 12, "that of step 4 again"),
    Forgotten(DENOISE, "scaler", "scaler", "loss", 8, "0.25 times as large"),
    Forgotten(DENOISE, "optimizer", "optimizer", "update", 8, "equals the gradient"),
    Forgotten(DENOISE, "generator", "loader-generator", "batch", 8, "loader0(48)"),
    Forgotten(AVERAGED, "ema", "ema", "init", 12, "AveragedModel.n_averaged"),
    Forgotten(AVERAGED, "scheduler", "scheduler", "update", 12, "ReduceLROnPlateau"),
    Forgotten(AVERAGED, "rng", "rng", "batch", 8, "the state of torch is"),
]


TOGETHER = ("rng", "sampler-position", "optimizer", "scheduler")
"""Pieces that one test has forgotten all at once."""


@pytest.mark.one_of_each(by=lambda case: case.piece)
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.thorough if case.piece in TOGETHER else ()) for case in FORGOTTEN],
    ids=lambda case: f"{case.training.script}-{case.forgotten}",
)
def test_the_forgotten_piece_is_named(find: Any, case: Forgotten) -> None:
    """The piece that the script forgets, and no other, with its proof; and the first divergence after resuming."""
    found = find(*case.training.options, case.training.script, "--forget", case.forgotten)
    missing = pieces_of(found)
    assert list(missing) == [case.piece]
    assert case.proof in missing[case.piece]["why"]
    assert found["resume"]["continues_at"] == case.training.continues_at
    assert found["verdict"] == "diverged"
    first = found["first_divergence"]
    assert (first["stage"], first["step"]) == (case.stage, case.step)


def test_several_forgotten_pieces_are_all_named(find: Any) -> None:
    """Each has a proof of its own, so that one run finds all; what is saved and not loaded says where it is saved."""
    found = find(*RINGS.options, RINGS.script, "--forget", "optimizer", "scheduler", "numpy-rng", "position")
    missing = pieces_of(found)
    assert tuple(missing) == TOGETHER
    assert missing["rng"]["names"] == ["numpy"]
    script = (TRAININGS / RINGS.script).read_text(encoding="utf-8").splitlines()
    line = 1 + next(number for number, text in enumerate(script) if "optimizer.state_dict()" in text)
    assert f"({RINGS.script}:{line})" in missing["optimizer"]["fix"]


@pytest.mark.thorough  # unit tests of the room have averages
def test_averages_kept_outside_of_any_module(find: Any) -> None:
    """Only the evaluation shows them: that is said, although no digest of theirs was ever taken."""
    found = find(*AVERAGED.options, AVERAGED.script, "--average", "dict", "--forget", "ema")
    assert found["first_divergence"]["stage"] == "metric"
    assert "only an evaluation differs" in pieces_of(found)["ema"]["why"]


class TestNothingToCompare:
    """Verdict *inconclusive*, with the reason, and no piece is accused."""

    def test_a_run_that_starts_anew(self, find: Any) -> None:
        """A script without checkpoints begins at step 0 again."""
        found = find("--interrupt-at", "3", "plain.py")
        assert found["verdict"] == "inconclusive"
        assert "the resumed run starts anew: its initial parameters are those of step 0" in found["structure"][0]
        assert "wrote no file" in found["structure"][0]
        assert found["resume"] == {"interrupted_at": 3, "continues_at": None, "restored": 0, "missing": []}

    def test_an_interruption_before_the_first_checkpoint(self, find: Any) -> None:
        """The error of the resumed run is told, and that there is no checkpoint."""
        found = find("--interrupt-at", "2", "--resume", "--resume last.pt", RINGS.script)
        assert found["verdict"] == "inconclusive"
        assert "FileNotFoundError" in found["structure"][0]
        assert "the first part wrote no checkpoint" in found["structure"][0]

    def test_a_training_that_does_not_reproduce(self, find: Any, tmp_path: Path) -> None:
        """The user is sent to `check` first, and the resumed run is not even started."""
        script = tmp_path / "plain.py"
        script.write_text(script.read_text(encoding="utf-8").replace("torch.manual_seed(0)", ""), encoding="utf-8")
        found = find("plain.py")
        assert found["verdict"] == "inconclusive"
        assert "does not reproduce by itself (run `reproof check` first)" in found["structure"][0]
        assert len(found["exit_codes"]) == 2
        assert found["resume"]["interrupted_at"] == 3

    def test_a_first_part_with_other_arguments(self, find: Any) -> None:
        """Arguments that change more than the end are named as a possible reason."""
        found = find("--first", "--epochs 2 --average dict", "--resume", "--resume", AVERAGED.script)
        assert "its own arguments change more than where it ends" in found["structure"][0]

    def test_an_interruption_after_the_end(self, find: Any) -> None:
        """There is nothing left to resume."""
        found = find("--interrupt-at", "6", "plain.py")
        assert found["structure"] == ["the uninterrupted run takes 6 steps: an interruption must come before its last"]

    def test_a_script_that_fails(self, find: Any, tmp_path: Path) -> None:
        """Its exit code and last words are told."""
        (tmp_path / "broken.py").write_text("import torch\nraise SystemExit('no data')", encoding="utf-8")
        assert find("broken.py")["structure"] == ["the uninterrupted run ended with exit code 1: no data"]


def test_the_folder_stays_as_it_is(find: Any, tmp_path: Path) -> None:
    """All runs take place in copies: checkpoints of the user's are neither used nor changed by the other run."""
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    find("--steps", "14", "--resume-command", f"python {DENOISE.script}", DENOISE.script)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_report(reproof: Command, tmp_path: Path) -> None:
    """Verdict and page say where the training was resumed; what is missing comes with its remedy; exit code 1."""
    shutil.copy(TRAININGS / DENOISE.script, tmp_path)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = reproof(
        *("resume-check", "--steps", "12", "--interrupt-at", "6", "--html", "page.html"),
        *(DENOISE.script, "--forget", "scaler"),
        **cache,
    )
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == (
        "diverged: interrupted after 6 steps, resumed at step 4, the training parts from the uninterrupted one in"
        " step 4, stage loss"
    )
    at = lines.index("Missing after resuming:")
    assert lines[at + 1].startswith(
        "  scaler: in step 4 batch and outputs are the same, the loss is 0.5 times as large"
    )
    assert lines[at + 2].startswith("    fix: ")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Resumed, the training parts from the uninterrupted one in step 4, in the loss." in page
    assert "Missing after resuming: the state of the gradient scaler" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume", "a", "--resume-command", "b"], "give one of them"),
        (["--resume", "'a"], "quote it as for a shell"),
        (["--first-command", "python"], "is empty"),
        (["--first-command", "missing.py"], "no script missing.py"),
        (["--interrupt-at", "5", "--steps", "5"], "interrupt earlier"),
    ],
)
def test_what_cannot_be_carried_out(reproof: Command, tmp_path: Path, options: list[str], message: str) -> None:
    """One line with the remedy, before anything runs."""
    (tmp_path / "train.py").write_text("raise AssertionError", encoding="utf-8")
    done = reproof("resume-check", *options, "train.py", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert message in done.err


def test_ctrl_c_ends_all(tmp_path: Path, environment: dict[str, str]) -> None:
    """Interrupted while a run is under way, no process and no copy of the folder is left."""
    places = {name: tmp_path / name for name in ("folder", "temporary", "cache")}
    for place in places.values():
        place.mkdir()
    script = """
        import os, time
        from pathlib import Path
        Path(os.environ["MARK"]).write_text(str(os.getpid()))
        time.sleep(60)
    """
    (places["folder"] / "train.py").write_text(dedent(script), encoding="utf-8")
    mark = tmp_path / "mark"
    own = {"XDG_CACHE_HOME": str(places["cache"]), "TMPDIR": str(places["temporary"]), "MARK": str(mark)}
    command = [sys.executable, "-m", "reproof", "resume-check", "train.py"]
    process = subprocess.Popen(
        command, cwd=places["folder"], env={**environment, **own}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    end = time.monotonic() + PATIENCE_SECONDS
    while not (mark.exists() and mark.read_text(encoding="utf-8")):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert list(places["temporary"].iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text(encoding="utf-8")), 0)
