"""Which lines look as if what they read only named a run, were told, or lost its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.explain.appearance import looks_harmless

if TYPE_CHECKING:
    from pathlib import Path

GENERATOR = "unseeded-generator numpy.random.default_rng"
LISTING = "listing-order os.listdir"
HARMLESS = [
    (GENERATOR, 'run = f"run-{np.random.default_rng().integers(9)}"'),
    (GENERATOR, "print(np.random.default_rng().integers(9))"),
    ("os-entropy os.urandom", 'name = f"{uuid.uuid4().hex[:4]}"'),
    ("os-entropy tempfile", "with tempfile.TemporaryDirectory() as folder:\n    pass"),
    ("wall-clock time.time", "log.info('%s', time.time() - start)"),
    (LISTING, "names = sorted(os.listdir(folder))"),
    (LISTING, "counts = {e.name: len(os.listdir(e.path)) for e in entries if e.is_dir()}"),
    ("listing-order os.scandir", "for path in sorted(Path(folder).rglob('*.npy')):\n    pass"),
]
HARMFUL = [
    (GENERATOR, "rng = np.random.default_rng()"),
    (GENERATOR, "rng = np.random.default_rng(); print(len(x))"),
    (GENERATOR, "sampler = stats.qmc.LatinHypercube(d=len(x))"),
    (LISTING, "names = os.listdir(folder)"),
    (LISTING, "names = sorted(os.listdir(folder), key=size)"),
    (LISTING, "print(os.listdir(folder))"),
    ("wall-clock time.time", "seed = int(time.time())"),
    ("wall-clock time.time", "seed = 1"),
    ("wall-clock time.time", "seed = ("),
]


@pytest.mark.parametrize(("read", "text"), HARMLESS)
def test_what_names_tells_or_sorts_looks_harmless(read: str, text: str, tmp_path: Path) -> None:
    """It is tried last."""
    assert judge(read, text, tmp_path)


@pytest.mark.parametrize(("read", "text"), HARMFUL)
def test_all_else_does_not(read: str, text: str, tmp_path: Path) -> None:
    """Nor what cannot be read."""
    assert not judge(read, text, tmp_path)


def judge(read: str, text: str, folder: Path) -> bool:
    """Judge the second line of a file."""
    path = folder / "train.py"
    path.write_text(f"import os\n{text}\n")
    return looks_harmless(path, 2, *read.split())


def test_a_file_that_is_not_there_looks_like_any_other(tmp_path: Path) -> None:
    """Lines of a notebook, or of a script that is gone."""
    assert not looks_harmless(tmp_path / "gone.py", 1, "wall-clock", "time.time")
