"""Mutated records of the hand-made check, bundles and folders of others: refused in one line, or read as they are."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reproof.bundle import foreign, open_bundle
from reproof.bundle.foreign import import_foreign
from reproof.bundle.joblib_format import read_joblib_scaler
from reproof.bundle.records import Perturbation, Reference, Replicate, TrialInfo
from reproof.bundle.scalers import compare_scalers
from reproof.bundle.weights import WeightTensor
from reproof.bundle.writer import BundleContents, write_bundle
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import random
    from pathlib import Path

pytest.importorskip("yaml", reason="bundles need PyYAML: pip install 'reproof[search]'")

BATCH = {
    "batch_idx": 0, "data1_shape": (4, 1, 8), "data2_shape": [4, 1, 8], "targets": [1.0, -1.0, 0.0, 1.0],
    "labels1": np.array([0, 1, 2, 3]), "labels2": np.arange(4.0), "data1_sum": np.float32(1.5), "data2_sum": 2.5,
    "data1_std": 0.1, "data2_std": 0.2, "note": {"a": None, "b": b"x"}, "names": {"x", "y"},
}  # fmt: skip


@pytest.fixture
def pickle_subject(subject_class: Any, command: Any) -> Any:
    """Return records of the hand-made check as something to mutate."""

    class Pickles(subject_class):  # type: ignore[misc]
        name = "pickle"
        files = "a*.pkl"

        def make(self, folder: Path) -> None:
            batches = [BATCH | {"batch_idx": i} for i in range(3)]
            for protocol in (0, 2, 4, 5):
                (folder / f"a{protocol}.pkl").write_bytes(pickle.dumps(batches, protocol=protocol))
            (folder / "other.pkl").write_bytes(pickle.dumps([BATCH | {"data1_sum": 9.0, "note": 3}] * 3))

        def judge(self, folder: Path, sound: Path) -> None:
            for path in folder.glob("a*.pkl"):
                if path.read_bytes() != (sound / path.name).read_bytes():
                    for other in (sound / path.name, sound / "other.pkl"):
                        assert not command("compare", other, path).out.startswith("identical")
                        command("compare", path, other, "--json", "-")

    return Pickles()


ENVIRONMENT = {
    "python": {"version": "3.11", "hash_seed": "0"},
    "torch": {"threads": {"intraop": 2}, "flags": {"tf32": False}},
    "variables": {"OMP_NUM_THREADS": "2"},
    "device": "cpu",
    "imported": ["numpy"],
}
ARRAY = {"sha256": "", "unordered": "", "dtype": "<f8", "shape": [3], "blocks": [], "rows_per_block": 1}
SCALER = {
    "mean_": {"dtype": "<f8", "shape": [1], "values": ["0x1.8p+0"]},
    "n": 3,
    "s": {"float": "0x1p+0"},
    "t": {"tuple": [1]},
}


def make_contents() -> BundleContents:
    """Return the contents of a bundle that has everything."""
    weight = WeightTensor("layer.weight", "F32", (2, 2), struct.pack("<4f", 1.0, -0.0, 1e-8, float("inf")))
    metrics = {"a": {"r2": 0.9, "mse": 0.1}}
    return BundleContents(
        entry="scripts/train.py:train",
        seed_key="training.seed",
        config={"training": {"seed": 7, "lr": 1e-3, "sizes": [1, 2.5, None, True]}, "targets": ["a"]},
        trial=TrialInfo(study="s", number=3, direction="minimize", value=0.3, params={"lr": 1e-3}, metrics=metrics),
        weights={"best": (weight,), "last": (weight,)},
        environment=ENVIRONMENT,
        code={"entry": None, "files": {"train.py": {"sha256": "0" * 64, "syntax": "1" * 64}}, "git": None},
        data={"files": {"data.npz": {"sha256": "0" * 64}}, "arrays": {"x": ARRAY}},
        scaler={"class": "StandardScaler", "state": SCALER},
        margins={"a": {"r2": 0.02}},
    )


def vouch(folder: Path) -> None:
    """Make the manifest agree with changed files, as whoever forges a bundle would."""
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        content = (folder / entry["path"]).read_bytes()
        entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(manifest))


@pytest.fixture
def bundle_subject(subject_class: Any, command: Any) -> Any:
    """Return bundles as something to mutate."""

    class Bundles(subject_class):  # type: ignore[misc]
        name = "bundle"

        def make(self, folder: Path) -> None:
            reference = Reference(
                margins={"a": {"r2": 0.02}},
                replicates=(Replicate(seed=1, metrics={"a": {"r2": 0.9}}),),
                perturbations=(Perturbation(losses=(1.0, 0.5), metrics={"a": {"r2": 0.9}}, weight="w[0]"),),
            )
            (folder / "reference.json").write_text(json.dumps(reference.to_json()))
            write_bundle(folder, make_contents())

        def repair(self, folder: Path, path: Path, rng: random.Random) -> None:
            if path.name != "bundle.json" and rng.random() < 0.9:
                vouch(folder)

        def judge(self, folder: Path, sound: Path) -> None:
            command("bundle", "verify", folder)
            command("bundle", "show", folder)
            try:
                bundle, other = open_bundle(folder), open_bundle(sound)
                if bundle.scaler is not None and other.scaler is not None:
                    compare_scalers(bundle.scaler, other.scaler)
                    compare_scalers(other.scaler, bundle.scaler)
            except ReproofError as error:
                assert "\n" not in str(error)  # noqa: PT017  # it may also be sound

    return Bundles()


@pytest.fixture
def foreign_subject(subject_class: Any) -> Any:
    """Return folders of hand-made searches as something to mutate, and artifacts that a training wrote."""

    class Foreign(subject_class):  # type: ignore[misc]
        name = "foreign"

        def make(self, folder: Path) -> None:
            make_folder(folder)

        def judge(self, folder: Path, sound: Path) -> None:
            for path in (folder / "target_scaler.joblib", folder / "packed.joblib"):
                refused(lambda path=path: read_joblib_scaler(path.read_bytes(), path.name))
            refused(lambda: foreign._read_contents(folder, None, "training.seed"))
            for path in (*folder.glob("arr*"), *folder.glob("weights/*")):
                assert "\n" not in read_artifact(path)

    return Foreign()


def make_folder(folder: Path) -> None:
    """Make a folder as a hand-made search leaves it, and other files that a training writes."""
    joblib = pytest.importorskip("joblib")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    torch = pytest.importorskip("torch")
    (folder / "weights").mkdir()
    (folder / "config.yaml").write_text("training: {seed: 3, lr: 1e-3}\nmodel:\n  hidden: 8\ntargets:\n- a\n- b\n")
    trial = "number: 17\nparams: {lr: 1e-3}\nvalidation_loss: 0x1.8p-2\nr2: {a: 0.9, b: 0.8}\n"
    (folder / "trial_info.yaml").write_text(f"{trial}metrics: {{a: {{mse: 1.0}}}}\n")
    scaler = preprocessing.StandardScaler().fit(np.arange(12.0).reshape(4, 3) ** 2)
    joblib.dump(scaler, folder / "target_scaler.joblib")
    joblib.dump(scaler, folder / "packed.joblib", compress=3)
    state = torch.nn.Linear(3, 2).state_dict()
    torch.save(state, folder / "weights/best_model.pt")
    torch.save({"epoch": 9, "model_state_dict": state}, folder / "weights/last_model.pth")
    np.savez(folder / "arrays.npz", x=np.arange(6.0), y=np.ones((2, 2), "f4"))
    np.save(folder / "array.npy", np.arange(6))


def read_artifact(path: Path) -> str:
    """Read an artifact as the recorder does, for which any error is a skipped event; return what it would be told."""
    from reproof.recorder.artifacts.formats import choose_reader, explain, undisturbed

    reader = choose_reader(path)
    with undisturbed():
        try:
            list(reader(path) if reader else ())
        except Exception as error:  # noqa: BLE001  # whatever a damaged file makes a library raise
            return explain(error)
    return ""


def refused(read: Any) -> None:
    """Read something, or have it refused in one line."""
    try:
        read()
    except ReproofError as error:
        assert "\n" not in str(error)  # noqa: PT017  # it may also be sound


def test_mutated_pickles(pickle_subject: Any, fuzzing: Any, numbers: range) -> None:
    """Compared with the sound record and another; never identical."""
    fuzzing(pickle_subject, numbers)


def test_mutated_bundles(bundle_subject: Any, fuzzing: Any, numbers: range) -> None:
    """Verified and shown, most of them with a manifest that vouches for the change."""
    fuzzing(bundle_subject, numbers)


def test_mutated_folders_of_others(foreign_subject: Any, fuzzing: Any, numbers: range) -> None:
    """Configuration, trial, scaler, weights and arrays, as `bundle import` and the recorder read them."""
    fuzzing(foreign_subject, numbers)


def test_sound_inputs_are_read(bundle_subject: Any, foreign_subject: Any, command: Any, tmp_path: Path) -> None:
    """The fuzzer mutates what is in order."""
    for subject, name in ((bundle_subject, "bundle"), (foreign_subject, "foreign")):
        (tmp_path / name).mkdir()
        subject.make(tmp_path / name)
    assert command("bundle", "show", tmp_path / "bundle").code == 0
    assert import_foreign(tmp_path / "foreign", tmp_path / "imported").trial.number == 17
