"""The verdict on an imported folder: what it kept, to the bit, and what rounding can do to weights."""

from __future__ import annotations

import struct
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.bundle.reader import open_bundle
from reproof.bundle.records import TrialInfo
from reproof.bundle.weights import WeightTensor, digest_weights, write_weights
from reproof.bundle.writer import BundleContents, write_bundle
from reproof.reproducing.evidence import Gate
from reproof.reproducing.gates import check_files
from reproof.reproducing.imported import Rounding, find_contradictions, investigate, judge_kept
from reproof.reproducing.job import ReproduceRequest, open_job
from reproof.reproducing.kept import compare_kept, holds_other_epoch, measure_tensors, measure_weights
from reproof.reproducing.runs import Rerun
from reproof.reproducing.worker import WorkerResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("yaml", reason="bundles need PyYAML: pip install 'reproof[search]'")

METRICS = {"temp": {"r2": 0.5}, "flow": {"r2": -0.25}}


def tensor(*values: float) -> tuple[WeightTensor, ...]:
    """Return weights with one tensor."""
    return (WeightTensor("layer.weight", "F32", (len(values),), struct.pack(f"<{len(values)}f", *values)),)


@pytest.fixture
def bundle(tmp_path: Path) -> Any:
    """Return an imported bundle that knows nothing but what the guide keeps."""
    trial = TrialInfo(
        study=None, number=3, direction="minimize", value=0.75, params={"lr": 0.1}, metrics=METRICS, num_trials=None
    )
    contents = BundleContents(
        entry=None,
        seed_key="training.seed",
        config={"training": {"seed": 1, "lr": 0.1}},
        trial=trial,
        weights={"best": tensor(1.0, 2.0), "last": tensor(3.0, 4.0)},
        imported=True,
    )
    folder = tmp_path / "bundle"
    folder.mkdir()
    write_bundle(folder, contents)
    return open_bundle(folder)


def rerun(tmp_path: Path, **changes: Any) -> WorkerResult:
    """Return a re-run that agrees with the bundle in all that it kept, and measured more."""
    (tmp_path / "run/weights").mkdir(parents=True)
    weights = {"best": tensor(1.0, 2.0), "last": tensor(3.0, 4.0)} | changes.pop("weights", {})
    for name, tensors in weights.items():
        write_weights(tmp_path / f"run/weights/{name}.safetensors", tensors)
    result = WorkerResult(
        seed=1,
        metrics={target: {**found, "mse": 1.0} for target, found in METRICS.items()},
        value=0.75,
        best_epoch=1,
        weights={name: digest_weights(tensors) for name, tensors in weights.items()},
        trace=tmp_path / "run/trace",
        losses=(0.5,),
        scaler=None,
        data={},
        code={},
        environment={},
        perturbed="",
        seconds=1.0,
    )
    return replace(result, **changes)


def judge(bundle: Any, result: WorkerResult, *gates: Gate) -> tuple[str, str]:
    """Return verdict and reasons."""
    found = judge_kept(bundle, compare_kept(bundle, result), result.metrics, gates)
    return found.verdict, " | ".join(found.reasons)


def test_equal_bits_are_identical_in_what_was_kept(bundle: Any, tmp_path: Path) -> None:
    """Metrics that only the re-run has close no gate, and are listed as never kept."""
    result = rerun(tmp_path)
    unknown = Gate(name="data", state="unknown")
    verdict, reasons = judge(bundle, result, unknown)
    assert verdict == "identical"
    assert reasons.startswith("identical in what was kept, to the bit: best weights, last weights, validation value")
    assert "mse of temp: 1.0" in compare_kept(bundle, result).never_kept


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": 0.7500000000000001}, "validation value"),
        ({"metrics": {**METRICS, "flow": {"r2": -0.2500000000000001}}}, "r2 of flow"),
        ({"weights": {"last": tensor(3.0, -0.0)}}, "last weights"),
        ({"weights": {"best": tensor(3.0, 4.0)}}, "best weights"),
    ],
)
def test_one_other_bit_is_not_identical(changes: dict[str, Any], words: str, bundle: Any, tmp_path: Path) -> None:
    """A last place of the validation loss, a metric, or one file of weights: it is named."""
    verdict, reasons = judge(bundle, rerun(tmp_path, **changes))
    assert verdict == "inconclusive"
    assert f"of what was kept, other bits: {words} |" in reasons


def test_a_kept_metric_must_be_measured_again(bundle: Any, tmp_path: Path) -> None:
    """Without it nothing is comparable."""
    verdict, reasons = judge(bundle, rerun(tmp_path, metrics={"temp": {"r2": 0.5}}))
    assert (verdict, "r2 of flow is missing in the reproduction" in reasons) == ("not-comparable", True)


def test_the_training_is_named_once(bundle: Any, tmp_path: Path) -> None:
    """The first time `--entry` is given it is kept with its file; the code that made the folder stays unknown."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("def train(config, run):\n    return {}\n")
    options = {"bundle": bundle.folder, "project": tmp_path, "data": None}
    for entry, kept in (("no.py:train", None), ("a.py:train", "a.py:train"), ("b.py:train", "a.py:train")):
        with open_job(ReproduceRequest(entry=entry, **options), lambda _: None) as job:
            assert (job.check_entry(), job.bundle.manifest.entry) == (entry, kept)
    with open_job(ReproduceRequest(**options), lambda _: None) as job:
        assert job.check_entry() == "a.py:train"
        assert [gate.state for gate in check_files(job.bundle, job.project, job.entry)] == ["unknown", "unknown"]


def test_another_scaler_is_not_comparable(bundle: Any, tmp_path: Path) -> None:
    """A gate that is closed stays closed, whatever else agrees."""
    verdict, reasons = judge(bundle, rerun(tmp_path), Gate(name="target scaler", state="different", detail="mean_"))
    assert (verdict, reasons.startswith("target scaler differs: mean_")) == ("not-comparable", True)


def test_parameters_that_are_not_those_of_the_configuration_are_named(bundle: Any) -> None:
    """Only where one key of the configuration can be meant."""
    assert find_contradictions(bundle) == ()
    other = replace(bundle, config={"training": {"seed": 1, "lr": 0.1001}})
    assert "0.1001 for training.lr" in find_contradictions(other)[0]
    twice = replace(bundle, config={"training": {"seed": 1, "lr": 0.2}, "head": {"lr": 0.1}})
    assert find_contradictions(twice) == ()


@pytest.fixture
def investigated(bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, Any]]:
    """Return what investigates a re-run where rounding moves weights by as much, no surroundings give the bits."""

    def investigate_it(noise: float, weights: float = 1e-7, r2: float = 1e-7, value: float = 1e-7) -> tuple[Any, Any]:
        def run(name: str, weights: float, r2: float, value: float) -> WorkerResult:
            return rerun(
                tmp_path / name,
                value=0.75 + value,
                metrics={**METRICS, "temp": {"r2": 0.5 + r2}},
                weights={"best": tensor(1.0, 2.0 * (1.0 + weights)), "last": tensor(3.0, 4.0 * (1.0 + weights))},
            )

        def perturb(_job: Any, name: str, **_: Any) -> WorkerResult:
            shift = noise * (0.5 + int(name[-1]) / 10)
            return run(name, weights + shift, r2 + shift, value + shift)

        for name, fake in (("train", perturb), ("check_stability", lambda *_: True), ("guess_toggles", lambda _: ())):
            monkeypatch.setattr(f"reproof.reproducing.imported.{name}", fake)
        monkeypatch.setattr("reproof.reproducing.imported.find_carried", lambda *_, **__: None)
        here = run("here", weights, r2, value)
        kept = compare_kept(bundle, here)
        job = SimpleNamespace(bundle=bundle, request=ReproduceRequest(bundle=bundle.folder), tell=lambda _: None)
        found = Rerun(result=here, comparison=None, is_same=False, kept=kept)
        return investigate(job, found, judge_kept(bundle, kept, here.metrics, ()))  # type: ignore[arg-type]

    return investigate_it


@pytest.mark.parametrize("changes", [{}, {"r2": 0.0, "value": 0.0}, {"weights": 5e-7, "r2": -9e-7, "value": 9e-7}])
def test_what_is_as_near_as_rounding_takes_it_is_equivalent(
    changes: dict[str, float], investigated: Callable[..., tuple[Any, Any]]
) -> None:
    """With the likely cause, which no experiment has shown, and what cannot be seen."""
    judgement, diagnosis = investigated(1e-7, **changes)
    assert (judgement.verdict, judgement.tier, judgement.exit_code) == ("equivalent", "numerical", 0)
    assert "one weight moved by one ulp makes" in judgement.reasons[0]
    assert judgement.reasons[1] == diagnosis.suspected[0]
    assert diagnosis.suspected[0].startswith("most likely made on another processor or with other kernels")
    assert diagnosis.confirmed == ()
    assert "kept neither" in judgement.reasons[-1]


@pytest.mark.parametrize(
    ("noise", "changes", "verdict", "words"),
    [
        (1e-7, {"weights": 1e-5}, "not-reproduced", "the best weights differ by 9.0e-06 of their size"),
        (1e-7, {"r2": 1e-4}, "inconclusive", "one-ulp perturbations give: r2 of temp"),
        (1e-7, {"value": 1e-4}, "inconclusive", "one-ulp perturbations give: validation value"),
        (1e-4, {"weights": 1e-4, "r2": 1e-4}, "inconclusive", "would not be told from rounding"),
    ],
)
def test_what_rounding_does_not_make_is_not_equivalent(
    noise: float, changes: dict[str, float], verdict: str, words: str, investigated: Callable[..., tuple[Any, Any]]
) -> None:
    """Weights, a metric or the validation value too far away, or rounding that would hide a changed setting."""
    judgement, _ = investigated(noise, **changes)
    assert (judgement.verdict, words in " | ".join(judgement.reasons)) == (verdict, True), judgement.reasons


@pytest.mark.parametrize("shift", [0.0, 1e-6])
def test_weights_of_the_other_epoch_are_told(bundle: Any, tmp_path: Path, shift: float) -> None:
    """Also where another machine has rounded them; where both epochs are one, nothing is swapped."""
    weights = {"best": tensor(3.0 + shift, 4.0), "last": tensor(3.1, 4.2)}
    result = rerun(tmp_path, weights=weights)
    assert [holds_other_epoch(which, bundle, result) for which in ("best", "last")] == [False, True]
    both = rerun(tmp_path / "both", weights={"best": tensor(3.0 + shift, 4.0), "last": tensor(3.0 + shift, 4.0)})
    assert not holds_other_epoch("best", bundle, both)
    assert not holds_other_epoch("last", bundle, both)


def test_weights_are_measured_by_their_distance(tmp_path: Path) -> None:
    """Relative to their size; infinite for other tensors and for what is not finite."""
    paths = [tmp_path / f"{i}.safetensors" for i in range(4)]
    for path, values in zip(paths, ((3.0, 4.0), (3.0, 4.5), (1.0,), (3.0, float("nan"))), strict=True):
        write_weights(path, tensor(*values))
    assert measure_weights(paths[0], paths[0]) == 0.0
    assert measure_weights(paths[0], paths[1]) == pytest.approx(0.1)
    assert [measure_weights(paths[0], path) for path in paths[2:]] == [float("inf")] * 2


def test_no_weights_are_beyond_rounding_that_was_not_seen() -> None:
    """Where a moved weight changes nothing, nothing is known of what rounding does."""
    rounding = Rounding(distances={"best": 1e-3, "last": 1e-3}, worst={"best": 0.0, "last": 1e-5}, num_runs=3)
    assert rounding.find_beyond(100) is None
    assert str(rounding.find_beyond(10)).startswith("the last weights differ by 1.0e-03")


@pytest.mark.parametrize(
    ("distance", "worst", "is_beyond"),
    [(1e-3, 1e-6, True), (9e-6, 1e-6, False), (1e-3, 1e-3, False), (1e-3, 0.0, True), (1e-6, 0.0, False)],
)
def test_a_tensor_is_compared_with_what_rounding_does_to_it(distance: float, worst: float, *, is_beyond: bool) -> None:
    """One that wanders, as a bias before batch normalisation, does not hide the others; an ulp more is nothing."""
    rounding = Rounding(
        distances={"best": 3e-3},
        worst={"best": 3e-3},
        num_runs=5,
        tensors={"best": {"0.bias": (1.0, 1.0), "1.weight": (distance, worst)}},
    )
    told = rounding.find_beyond(10)
    assert (told is not None) is is_beyond
    assert told is None or told.startswith("1.weight of the best weights differs by")


def test_tensors_are_measured_one_by_one(tmp_path: Path) -> None:
    """Relative to the size of each; whole numbers and zeros are left out."""
    for name, weight in (("a", 1.0), ("b", 1.5)):
        tensors = [
            WeightTensor("n", "I64", (1,), struct.pack("<q", int(weight * 2))),
            WeightTensor("w", "F32", (2,), struct.pack("<2f", weight, 0.0)),
            WeightTensor("z", "F32", (1,), struct.pack("<f", 0.0)),
        ]
        write_weights(tmp_path / name, tuple(tensors))
    assert measure_tensors(tmp_path / "a", tmp_path / "b") == {"w": 0.5}
