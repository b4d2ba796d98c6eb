"""Folders of others, as a hand-made search leaves them: read as data from a stranger, or refused by name."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.unit.bundle.test_reader import Payload

from reproof.bundle.foreign import import_foreign, survey_foreign
from reproof.bundle.foreign_trial import read_foreign_metrics, read_foreign_trial
from reproof.bundle.joblib_format import read_joblib_scaler
from reproof.bundle.scalers import compare_scalers, describe_scaler
from reproof.bundle.weights import collect_weights, digest_weights
from reproof.errors import BundleError, UsageError
from reproof.integrations.scalers import build_scaler, load_scaler, load_weights

if TYPE_CHECKING:
    from pathlib import Path

joblib = pytest.importorskip("joblib")
preprocessing = pytest.importorskip("sklearn.preprocessing")

VALUES = np.random.default_rng(0).normal(size=(60, 3)) ** 2
SCALERS = {
    "standard": preprocessing.StandardScaler,
    "min-max": lambda: preprocessing.MinMaxScaler(feature_range=(-1, 1)),
    "max-abs": preprocessing.MaxAbsScaler,
    "robust": preprocessing.RobustScaler,
    "power": preprocessing.PowerTransformer,
    "quantile": lambda: preprocessing.QuantileTransformer(n_quantiles=10),
}


def dump(value: object, **options: Any) -> bytes:
    """Return a joblib file."""
    file = io.BytesIO()
    joblib.dump(value, file, **options)
    return file.getvalue()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder as a hand-made search leaves it."""
    folder = tmp_path / "theirs"
    (folder / "weights").mkdir(parents=True)
    (folder / "config.yaml").write_text("training: {seed: 3, lr: 1e-3}\nmodel: {hidden: 8}\n")
    (folder / "trial_info.yaml").write_text(
        "number: 17\nparams: {lr: 1e-3}\nvalidation_loss: 0.25\nr2: {force: 0.9, torque: 0.8}\n"
    )
    joblib.dump(preprocessing.StandardScaler().fit(VALUES), folder / "target_scaler.joblib")
    model = torch.nn.Linear(3, 2)
    torch.save(model.state_dict(), folder / "weights/best_model.pt")
    torch.save({"epoch": 9, "model_state_dict": model.state_dict()}, folder / "weights/last_model.pt")
    return folder


def test_a_folder_becomes_a_bundle(source: Path, tmp_path: Path) -> None:
    """Configuration, trial, scaler and weights arrive to the bit; what it does not tell is not invented."""
    bundle = import_foreign(source, tmp_path / "ours", entry="scripts/train.py:train")
    assert (bundle.seed, bundle.config["training"]["lr"]) == (3, 1e-3)
    assert (bundle.trial.number, bundle.trial.value) == (17, 0.25)
    assert bundle.trial.metrics == {"force": {"r2": 0.9}, "torque": {"r2": 0.8}}
    state = torch.load(source / "weights/best_model.pt", weights_only=True)
    assert bundle.manifest.weights["best"] == digest_weights(collect_weights(state))
    assert bundle.manifest.weights["best"] == bundle.manifest.weights["last"]
    assert torch.equal(load_weights(bundle)["weight"], state["weight"])
    scaler = joblib.load(source / "target_scaler.joblib")
    assert np.array_equal(load_scaler(bundle).transform(VALUES), scaler.transform(VALUES))
    assert (bundle.manifest.imported, bundle.has_trace, bundle.environment, bundle.code) == (True, False, {}, {})


def test_weights_that_unpack_to_more_than_their_file_are_refused(source: Path, tmp_path: Path) -> None:
    """PyTorch compresses nothing: a file of kilobytes may not ask for hundreds of megabytes."""
    path = source / "weights/best_model.pt"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content + bytes((1 << 20) * ("/data/" in name)))
    with pytest.raises(BundleError, match=r"it unpacks to [0-9]+ bytes, and torch.save compresses nothing"):
        import_foreign(source, tmp_path / "ours")


def test_a_training_that_is_here_is_listed(source: Path, tmp_path: Path) -> None:
    """A reproduction then need not be told it again; nothing else of the project is taken for the folder's code."""
    (tmp_path / "train.py").write_text("import model\ndef train(config, run): ...\n")
    (tmp_path / "model.py").touch()
    bundle = import_foreign(source, tmp_path / "ours", entry="train.py:train", project=tmp_path)
    assert (bundle.manifest.entry, list(bundle.code["files"])) == ("train.py:train", ["train.py"])


@pytest.mark.parametrize("name", SCALERS)
@pytest.mark.parametrize("compress", [0, 3])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_scalers_are_read_without_unpickling_them(name: str, compress: int, dtype: str) -> None:
    """The state that is read from a joblib file is that of the scaler, and gives the same transformation to the bit."""
    data = np.asfortranarray(VALUES.astype(dtype))
    scaler = SCALERS[name]().fit(data)
    described = read_joblib_scaler(dump(scaler, compress=compress), "x.joblib")
    assert compare_scalers(described, describe_scaler(scaler)) is None
    assert np.array_equal(build_scaler(described).transform(data), scaler.transform(data))
    assert describe_scaler(build_scaler(describe_scaler(scaler))) == describe_scaler(scaler)


def test_names_of_columns_are_texts() -> None:
    """A scaler that was fitted on a table with names keeps them, though joblib writes them as objects."""
    pandas = pytest.importorskip("pandas")
    scaler = preprocessing.StandardScaler().fit(pandas.DataFrame(VALUES, columns=["a", "b", "ü"]))
    described = read_joblib_scaler(dump(scaler), "x.joblib")
    assert described["state"]["feature_names_in_"]["values"] == ["a", "b", "ü"]


def test_other_values_of_a_scaler_are_named() -> None:
    """A swapped scaler differs by name and number; rounding in the last places does not count."""
    first = describe_scaler(preprocessing.StandardScaler().fit(VALUES))
    assert compare_scalers(first, describe_scaler(preprocessing.StandardScaler().fit(VALUES * (1 + 1e-13)))) is None
    assert "mean_ of the StandardScaler" in str(
        compare_scalers(first, describe_scaler(preprocessing.StandardScaler().fit(VALUES + 0.1)))
    )
    assert "MinMaxScaler" in str(compare_scalers(first, describe_scaler(preprocessing.MinMaxScaler().fit(VALUES))))


def refusal(source: Path, tmp_path: Path) -> str:
    """Return the line by which a folder is refused; nothing is left of the attempt."""
    with pytest.raises(BundleError) as caught:
        import_foreign(source, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()
    assert not (tmp_path / "canary").exists()
    line = str(caught.value)
    assert line.isprintable()
    return line


@pytest.mark.parametrize("value", ["0x1p99999", "-0x1.8p1024"])
def test_a_value_beyond_floats_is_refused(value: str, source: Path, tmp_path: Path) -> None:
    """One line names it."""
    (source / "trial_info.yaml").write_text(f"number: 1\nvalue: '{value}'\n")
    assert f"trial_info.yaml is not readable: '{value}' is larger than any float" in refusal(source, tmp_path)


def make_hostile(tmp_path: Path) -> dict[str, object]:
    """Return objects that no scaler is, among them some that act when they are unpickled."""
    scaler = preprocessing.StandardScaler().fit(VALUES)
    scaler.extra = Payload(tmp_path / "canary")
    return {
        "a payload": Payload(tmp_path / "canary"),
        "a payload in a scaler": scaler,
        "a function in a transformer": preprocessing.FunctionTransformer(os.system),
        "a plain value": {"mean": 0.0},
        "an array of objects": np.array([Payload(tmp_path / "canary")], dtype=object),
    }


@pytest.mark.parametrize(
    "name",
    ["a payload", "a payload in a scaler", "a function in a transformer", "a plain value", "an array of objects"],
)
def test_a_scaler_that_is_none_is_refused_and_not_executed(name: str, source: Path, tmp_path: Path) -> None:
    """The refusal names what the pickle asked for."""
    (source / "target_scaler.joblib").write_bytes(dump(make_hostile(tmp_path)[name]))
    assert "target_scaler.joblib: refuses" in refusal(source, tmp_path)


@pytest.mark.parametrize("cut", [1, 20, 100, 300, 500])
def test_a_cut_scaler_is_refused(cut: int, source: Path, tmp_path: Path) -> None:
    """However short the file is, one line says so."""
    path = source / "target_scaler.joblib"
    path.write_bytes(path.read_bytes()[:-cut])
    assert "target_scaler.joblib" in refusal(source, tmp_path)


def test_an_array_that_lies_about_its_size_needs_no_memory(source: Path, tmp_path: Path) -> None:
    """A shape of a billion elements in a small file is refused before anything is reserved."""
    content = dump(preprocessing.StandardScaler().fit(VALUES), protocol=2)
    assert b"K\x03\x85" in content
    (source / "target_scaler.joblib").write_bytes(content.replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85", 1))
    assert "refuses an array of shape (2147483647,)" in refusal(source, tmp_path)


def test_weights_with_code_are_refused_and_not_executed(source: Path, tmp_path: Path) -> None:
    """A `.pt` file is loaded with `weights_only`: a payload in it is named and does not run."""
    torch.save({"weight": Payload(tmp_path / "canary")}, source / "weights/best_model.pt")
    assert "best_model.pt is refused: it holds code or an object (posix.mkdir)" in refusal(source, tmp_path)


def test_a_bare_pickle_for_weights_is_refused(source: Path, tmp_path: Path) -> None:
    """What was not written by torch.save is not given to PyTorch's loader unasked."""
    (source / "weights/best_model.pt").write_bytes(pickle.dumps(Payload(tmp_path / "canary"), protocol=4))
    assert "best_model.pt is refused" in refusal(source, tmp_path)


@pytest.mark.parametrize("name", ["config.yaml", "target_scaler.joblib", "weights/best_model.pt"])
def test_links_are_refused(name: str, source: Path, tmp_path: Path) -> None:
    """A file that is a link could be any file of the machine."""
    (source / name).rename(tmp_path / "elsewhere")
    (source / name).symlink_to(tmp_path / "elsewhere")
    assert "is a link or no regular file" in refusal(source, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.yaml", "model: {_target_: os.system}\ntraining: {seed: 1}", "names code to run"),
        ("config.yaml", "a: !!python/object/apply:os.system [id]", "has the tag"),
        ("config.yaml", "a: &a [1]\nb: *a", "anchor or alias"),
        ("trial_info.yaml", "number: 1", "has no value"),
        ("trial_info.yaml", "value: high", "not readable"),
    ],
)
def test_texts_that_are_more_than_data_are_refused(
    name: str, text: str, words: str, source: Path, tmp_path: Path
) -> None:
    """YAML of a stranger is read like that of a bundle."""
    (source / name).write_text(text)
    assert words in refusal(source, tmp_path)


def test_an_existing_bundle_is_not_overwritten(source: Path, tmp_path: Path) -> None:
    """The target must be new."""
    (tmp_path / "ours").mkdir()
    with pytest.raises(UsageError, match="exists"):
        import_foreign(source, tmp_path / "ours")


@pytest.mark.parametrize(
    "value",
    [
        {"r2": {"a": 0.5}, "mse_a": 2.0},
        {"r2_scores": {"a": 0.5}, "mse": {"a": 2}},
        {"metrics": {"a": {"r2": 0.5, "mse": 2.0}}},
        {"R2_a": 0.5, "a_mse": 2.0},
    ],
)
def test_metrics_are_found_in_the_forms_in_use(value: dict[str, Any]) -> None:
    """Per metric, per target, or one key for each: the same metrics."""
    assert read_foreign_metrics(value) == {"a": {"r2": 0.5, "mse": 2.0}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"val_loss": 0.5, "r2_temp": 0.9}, (None, None, None, "minimize")),
        ({"trial_number": 3, "best_value": 0.5, "direction": "maximize", "n_trials": 20}, (3, None, 20, "maximize")),
        (
            {"trial": 7, "loss": 0.5, "study_name": "spectra", "best_params": {"lr": 0.1}},
            (7, "spectra", None, "minimize"),
        ),
    ],
)
def test_nothing_is_invented_about_a_trial(value: dict[str, Any], expected: tuple[object, ...]) -> None:
    """Number, study and count of trials are what the file says under any of their names, or unknown."""
    trial = read_foreign_trial(value).trial
    assert (trial.number, trial.study, trial.num_trials, trial.direction) == expected
    assert trial.value == 0.5


@pytest.mark.parametrize(
    ("best", "last"),
    [("best_model.pt", "last_epoch.pth"), ("model-BEST.pt", "final.pt"), ("checkpoint_best.ckpt", "latest.pt")],
)
def test_files_of_weights_go_by_the_names_that_people_give_them(
    best: str, last: str, source: Path, tmp_path: Path
) -> None:
    """Best and last are found whatever else the name says, in the folder itself as well."""
    state = {"weight": torch.ones(2)}
    for path in (source / "weights").iterdir():
        path.unlink()
    (source / "weights").rmdir()
    torch.save(state, source / best)
    torch.save({"weight": torch.zeros(2)}, source / last)
    bundle = import_foreign(source, tmp_path / "ours")
    assert bundle.manifest.weights["best"] == digest_weights(collect_weights(state)) != bundle.manifest.weights["last"]


def test_what_is_found_is_told_with_what_it_is_taken_as(source: Path) -> None:
    """Each file and each key of the trial has a row; one that means nothing to us says so."""
    (source / "notes.txt").write_text("mine")
    (source / "trial_info.yaml").write_text("trial_number: 4\nval_loss: 0.25\nr2: {force: 0.9}\nmood: good\n")
    assert {row.found: row.taken_as for row in survey_foreign(source)} == {
        "config.yaml": "configuration",
        "notes.txt": "not understood",
        "target_scaler.joblib": "target scaler",
        "weights/best_model.pt": "best weights",
        "weights/last_model.pt": "last weights",
        "trial_info.yaml: trial_number": "number of the trial",
        "trial_info.yaml: val_loss": "validation loss, smaller is better",
        "trial_info.yaml: r2": "metrics: r2 of force",
        "trial_info.yaml: mood": "not understood",
    }
