"""`reproof reproduce`: the verdict on a bundle, and the reason where the bits differ."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.test_bundle_search import SEARCHING, write_points

from reproof.bundle import open_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("optuna")
pytest.importorskip("sklearn")
pytest.importorskip("statsmodels")
pytestmark = pytest.mark.slow

OFF_BY_ONE_THREAD = ("--threads", "2")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """Return a project in which a search has left its bundle; tests work on copies."""
    project = tmp_path_factory.mktemp("searched")
    for path in SEARCHING.glob("*.py"):
        shutil.copy(path, project)
    write_points(project / "points.csv")
    command = [sys.executable, "-W", "ignore", "search.py", "2"]
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, timeout=240)
    return project


@pytest.fixture
def project(searched: Path, tmp_path: Path) -> Path:
    """Return a copy of the project with its bundle."""
    return Path(shutil.copytree(searched, tmp_path / "project"))


@pytest.fixture
def reproduce(project: Path, environment: dict[str, str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Return what runs the command and returns its exit code and its JSON."""

    def run(*options: str, **variables: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "reproof", "reproduce", "optuna_best", "--json", "result.json", *options]
        done = subprocess.run(
            command,
            cwd=project,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert (project / "result.json").is_file(), done.stderr
        return done.returncode, json.loads((project / "result.json").read_text())

    return run


def forge(folder: Path, name: str, change: Callable[[str], str]) -> None:
    """Change a file of a bundle and make its manifest agree."""
    before = (folder / name).read_text()
    after = change(before)
    assert after != before
    (folder / name).write_text(after)
    manifest = json.loads((folder / "bundle.json").read_text())
    for entry in manifest["files"]:
        if entry["path"] == name:
            content = (folder / name).read_bytes()
            entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "bundle.json").write_text(json.dumps(manifest))


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_same_machine_gives_the_same_bits(
    project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    """Weights, trace and metrics agree in every bit, in a process with another hash seed; the certificate says so."""
    code, result = reproduce(PYTHONHASHSEED="123", OMP_NUM_THREADS="2")
    assert (code, result["verdict"], result["tier"]) == (0, "identical", "bits")
    assert {row["difference"] for row in result["per_target"]} == {0.0}
    statement = json.loads(next(project.glob("optuna_best-reproductions/*/certificate.json")).read_text())
    digest = hashlib.sha256((project / "optuna_best/bundle.json").read_bytes()).hexdigest()
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0] == {"name": "bundle.json", "digest": {"sha256": digest}}
    assert statement["predicate"]["verdict"] == "identical"


@pytest.mark.thorough  # another instruction set is named in the same way
def test_other_threads_are_named_and_confirmed(
    project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    """With another number of threads the bits differ; setting it as in the bundle gives them again: it is rounding."""
    code, result = reproduce(*OFF_BY_ONE_THREAD)
    if result["verdict"] == "identical":
        pytest.skip("this processor gives the same bits with one thread and with two")
    assert (code, result["verdict"], result["tier"]) == (0, "equivalent", "numerical")
    assert result["reasons"][0].startswith("the difference is rounding, by experiment")
    assert "torch.threads.intraop" in result["diagnosis"]["confirmed"][0]
    assert result["diagnosis"]["experiments"][0]["restores_bits"]
    rows = {row["name"]: row["grade"] for row in result["environment"]["differing"]}
    assert rows["torch.threads.intraop"] == "matters"
    assert open_bundle(project / "optuna_best").trial.number >= 0  # reproducing leaves the bundle as it was


def test_an_instruction_set_is_named_and_confirmed(reproduce: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    """A variable that chooses other kernels changes the bits; taken away, they are the bundle's again."""
    _, result = reproduce(ATEN_CPU_CAPABILITY="default")
    rows = {row["name"]: row["grade"] for row in result["environment"]["differing"]}
    assert rows["variables.ATEN_CPU_CAPABILITY"] == "matters"
    if result["verdict"] != "identical":
        assert "ATEN_CPU_CAPABILITY is default here and was not set" in result["diagnosis"]["confirmed"][0]


PLANTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a cell of the data": (lambda p: nudge_cell(p / "points.csv"), "data files differs: points.csv has other bytes"),
    "weight decay": (lambda p: edit(p / "training.py", "WEIGHT_DECAY = 0.01", "WEIGHT_DECAY = 0.011"), "training.py"),
    "the order of rows": (lambda p: reverse_rows(p / "points.csv"), "points.csv has other bytes"),
    "a lost data file": (lambda p: (p / "points.csv").unlink(), "points.csv is not here"),
}


def nudge_cell(path: Path) -> None:
    """Add 1e-3 to one number."""
    first, _, rest = path.read_text().partition(",")
    path.write_text(f"{float(first) + 1e-3:.6f},{rest}")


def reverse_rows(path: Path) -> None:
    """Write the same rows in the opposite order."""
    path.write_text("\n".join(reversed(path.read_text().split())) + "\n")


@pytest.mark.parametrize("name", PLANTED)
def test_changed_files_are_named_before_anything_runs(
    name: str, project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    """Other data or code are no reproduction: nothing is trained, and the file is named."""
    change, words = PLANTED[name]
    change(project)
    code, result = reproduce()
    assert (code, result["verdict"], result["tier"]) == (2, "not-comparable", "gates")
    assert words in "; ".join(result["reasons"])
    assert not list(project.glob("optuna_best-reproductions/*/reproduced"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (nudge_cell, "features has other content, within rows 0 to 1"),
        pytest.param(reverse_rows, "the same rows in another order", marks=pytest.mark.thorough),
    ],
)
def test_changed_data_are_placed_when_they_are_run_anyway(
    change: Callable[[Path], None], words: str, project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    """`--anyway` trains and says which rows are others, or that they are the same in another order."""
    change(project / "points.csv")
    _, result = reproduce("--anyway", "--no-explain")
    assert result["verdict"] == "not-comparable"
    assert words in "; ".join(result["reasons"])


FORGED: dict[str, tuple[str, Callable[[str], str], str]] = {
    "learning rate": (
        "config.yaml",
        lambda text: "\n".join(
            f"  lr: {float(line.split()[1]) * 1.001!r}" if line.strip().startswith("lr:") else line
            for line in text.split("\n")
        ),
        "configuration differs: config['training']['lr'] was",
    ),
    "seed": (
        "config.yaml",
        lambda text: text.replace("seed: 11", "seed: 12"),
        "configuration differs: config['training']['seed'] was 11 when it was trained, is 12",
    ),
    "split": ("config.yaml", lambda text: text.replace("split: 0.8", "split: 0.75"), "of shape [120]"),
    "scaler": (
        "target_scaler.json",
        lambda text: text.replace("0x1.", "0x1.1", 1),
        "target scaler differs: mean_ of the StandardScaler",
    ),
}


@pytest.mark.one_of_each(by=lambda name: FORGED[name][0])
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_bundle_is_caught_by_what_it_recorded(
    name: str, project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    """A setting that was changed after the training, manifest and all, is named by data, scaler or first divergence."""
    file, change, words = FORGED[name]
    forge(project / "optuna_best", file, change)
    code, result = reproduce()
    assert code != 0
    told = [*result["reasons"], *(result["diagnosis"] or {"suspected": []})["suspected"]]
    assert words in "; ".join(told)


def test_another_version_of_a_package_is_named(
    project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]], environment: dict[str, str]
) -> None:
    """A dependency with another version is in the table of surroundings as one that matters."""
    patched = project / "patched" / "numpy-0.0.1.dist-info"
    patched.mkdir(parents=True)
    (patched / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.0.1\n")
    paths = [str(patched.parent), *filter(None, [environment.get("PYTHONPATH")])]
    _, result = reproduce("--no-explain", PYTHONPATH=":".join(paths))
    rows = {row["name"]: row for row in result["environment"]["differing"]}
    assert rows["packages.numpy"]["here"] == "0.0.1"
    assert rows["packages.numpy"]["grade"] == "matters"


def test_what_the_training_does_not_reach_is_no_other_code(
    project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    """A comment changes the file's digest and not what it does; a helper that nothing calls is told, and harmless."""
    helper = "def plot(values):\n    return values\n\n\ndef score("
    edit(project / "training.py", "WEIGHT_DECAY = 0.01", "WEIGHT_DECAY = 0.01  # as in the paper")
    edit(project / "training.py", "def score(", helper)
    code, result = reproduce()
    assert (code, result["verdict"]) == (0, "identical")
    assert "harmless, differs: training.py: plot" in {gate["name"]: gate["detail"] for gate in result["gates"]}["code"]


def test_a_changed_bundle_is_refused_in_one_line(project: Path, environment: dict[str, str]) -> None:
    """Changed bytes end the command with exit code 2 before anything runs."""
    (project / "optuna_best/config.yaml").write_text("training: {seed: 1}\n")
    command = [sys.executable, "-m", "reproof", "reproduce", "optuna_best"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("reproof: error: bundle optuna_best is refused: config.yaml has")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "nope"], "device 'nope' is not to be had: "),
        (["--device", "cuda:99"], "device 'cuda:99' is not to be had: "),
        (["--entry", "training.py:nothing"], "defines no nothing(config, run) at its top"),
        (["--entry", "nowhere.py:train"], "has no nowhere.py"),
    ],
)
def test_what_cannot_be_trained_is_not_certified(
    project: Path, environment: dict[str, str], options: list[str], message: str
) -> None:
    """A device or training that is not there ends the command with exit code 2; only what was said there is left."""
    command = [sys.executable, "-m", "reproof", "reproduce", "optuna_best", "--anyway", *options]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    left = [path.name for path in project.glob("*-reproductions/**/*") if not path.is_dir()]
    assert left == (["output.txt"] if "--device" in options else [])
    assert ("--device" in options) == bool(list(project.glob("*-reproductions")))


def test_ctrl_c_leaves_nothing(project: Path, environment: dict[str, str]) -> None:
    """An interrupted reproduction takes with it what it has made of its folder."""
    command = [sys.executable, "-m", "reproof", "reproduce", "optuna_best"]
    process = subprocess.Popen(command, cwd=project, env=environment, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 100
    while not list(project.glob("*-reproductions/*/reproduced/*")) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=100) == 130
    assert not list(project.glob("*-reproductions"))


def test_a_training_that_is_not_there_is_told(project: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Outside of the project the error says how to name it."""
    command = [sys.executable, "-m", "reproof", "reproduce", "--anyway", str(project / "optuna_best")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--project" in done.stderr.splitlines()[-1]


def test_a_stranger_needs_data_alone(project: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """With the code in the bundle and the data anywhere: without them nothing runs, with them it is identical."""
    edit(project / "search.py", '"optuna_best", train)', '"optuna_best", train, keep_code=True)')
    shutil.rmtree(project / "optuna_best")
    search = [sys.executable, "-W", "ignore", "search.py", "1"]
    subprocess.run(search, cwd=project, env=environment, check=True, capture_output=True, timeout=240)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data/deep").mkdir(parents=True)
    shutil.move(project / "optuna_best", elsewhere)
    (project / "points.csv").rename(elsewhere / "data/deep/renamed.txt")
    shutil.rmtree(project)

    def run(*options: str) -> tuple[int, dict[str, Any], str]:
        command = [sys.executable, "-m", "reproof", "reproduce", "optuna_best", "--json", "result.json", *options]
        done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, json.loads((elsewhere / "result.json").read_text()), done.stderr

    code, result, told = run()
    assert (code, result["verdict"], result["per_target"]) == (2, "not-comparable", [])
    assert any(gate["detail"].startswith("the project is not here") for gate in result["gates"])
    assert "not here: name its folder with --data" in told
    code, result, told = run("--project", "bundled", "--data", "data")
    assert (code, result["verdict"]) == (0, "identical"), result["reasons"]
    assert "the training is training.py:train" in told
    assert {need["what"]: need["state"] for need in result["needs"]}["data points.csv"] == "same"


@pytest.mark.thorough  # 14 runs; causes are searched for in tests/causes
def test_a_training_that_is_not_stable_is_explained(
    project: Path, reproduce: Callable[..., tuple[int, dict[str, Any]]], environment: dict[str, str]
) -> None:
    """Where two re-runs differ from each other, the search for causes names the line that draws without a seed."""
    edit(
        project / "training.py",
        "    x = torch.from_numpy(features).float()\n",
        "    noise = np.random.default_rng()\n"
        "    x = torch.from_numpy(features + noise.normal(0, 0.01, features.shape)).float()\n",
    )
    shutil.rmtree(project / "optuna_best")
    search = [sys.executable, "-W", "ignore", "search.py", "1"]
    subprocess.run(search, cwd=project, env=environment, check=True, capture_output=True, timeout=240)
    _, result = reproduce()
    assert result["verdict"] != "identical"
    assert result["diagnosis"]["is_stable"] is False
    causes = [(cause["kind"], Path(cause["file"]).name, cause["confirmed"]) for cause in result["diagnosis"]["causes"]]
    assert causes == [("unseeded-generator", "training.py", True)], result["diagnosis"]
