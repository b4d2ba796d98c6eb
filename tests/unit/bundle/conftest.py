"""What tests of bundles share: a small bundle made of plain values, and a way to vouch for a changed one."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reproof.bundle.records import TrialInfo
from reproof.bundle.weights import WeightTensor
from reproof.bundle.writer import BundleContents, write_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("yaml", reason="bundles need PyYAML: pip install 'reproof[search]'")


def make_contents() -> BundleContents:
    """Return the contents of a small bundle."""
    weight = WeightTensor("layer.weight", "F32", (2, 2), struct.pack("<4f", 1.0, -0.0, 1e-8, float("inf")))
    count = WeightTensor("layer.count", "I64", (), struct.pack("<q", 7))
    return BundleContents(
        entry="scripts/train.py:train",
        seed_key="training.seed",
        config={"training": {"seed": 7, "lr": 1e-3}, "targets": ["a"]},
        trial=TrialInfo(
            study="s", number=3, direction="minimize", value=0.1 + 0.2, params={"lr": 1e-3}, metrics={"a": {"r2": 0.9}}
        ),
        weights={"best": (weight, count), "last": (count,)},
        environment={"python": {"version": "3.11"}, "torch": {"threads": {"intraop": 2}}},
        code={"entry": None, "files": {"scripts/train.py": {"sha256": "0" * 64, "syntax": "1" * 64}}, "git": None},
        data={"files": {}, "arrays": {}},
        scaler={"class": "StandardScaler", "state": {"mean_": {"dtype": "<f8", "shape": [1], "values": ["0x1.8p+0"]}}},
        margins={"a": {"r2": 0.02}},
    )


@pytest.fixture
def contents() -> BundleContents:
    """Return the contents of a small bundle."""
    return make_contents()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a small bundle that is in order."""
    folder = tmp_path / "optuna_best"
    folder.mkdir()
    write_bundle(folder, replace(make_contents()))
    return folder


@pytest.fixture
def vouch() -> Callable[[Path], None]:
    """Return what makes a manifest agree with changed files, as whoever forges a bundle would."""
    return _vouch


def _vouch(folder: Path) -> None:
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        content = (folder / entry["path"]).read_bytes()
        entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(manifest))


@pytest.fixture
def environment() -> dict[str, str]:
    """Return the variables of fresh processes, in which the reproof under test is found."""
    paths = [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**os.environ, **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}
