"""What is given to functions that save is seen, and saved as without us."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from reproof.outputs.surroundings import Surroundings
from reproof.recorder.evidence import digest_leaf
from reproof.recorder.outputs.saving import read_saved, tap_savers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KNOWN = Surroundings(began_at=1_700_000_000.0, ended_at=1_700_000_100.0)


@pytest.fixture
def saved() -> Iterator[list[tuple[str, Any]]]:
    """Return what is saved: the name of the target, and the value."""
    found: list[tuple[str, Any]] = []
    originals = torch.save, np.save, pickle.dump
    stop = tap_savers(lambda *one: found.append(one))
    yield found
    stop()
    assert (torch.save, np.save, pickle.dump) == originals


def dump(value: Any, path: Path) -> None:
    """Pickle a value."""
    with path.open("wb") as file:
        pickle.dump(value, file)


SAVERS: dict[str, Callable[[Any, Path], Any]] = {
    "a.pt": lambda value, path: torch.save(value, path),  # noqa: PLW0108  # looked up when it is called
    "b.pt": lambda value, path: torch.save(f=str(path), obj=value),
    "c.npy": lambda value, path: np.save(path, value),
    "d.npz": lambda value, path: np.savez(path, value, named=value),
    "e.pkl": dump,
}


@pytest.mark.parametrize("name", SAVERS)
def test_the_value_is_seen_once(saved: list[tuple[str, Any]], tmp_path: Path, name: str) -> None:
    """By whatever function, which may call others."""
    value = np.arange(3.0)
    SAVERS[name](value, tmp_path / name)
    assert [target for target, _ in saved] == [str(tmp_path / name)]
    found = saved[0][1]
    assert found is value or list(found) == ["arr_0", "named"]


def test_the_file_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """With and without us."""
    torch.save({"a": torch.ones(2)}, tmp_path / "same.pt")
    expected = (tmp_path / "same.pt").read_bytes()
    stop = tap_savers(lambda *_: None)
    torch.save({"a": torch.ones(2)}, tmp_path / "same.pt")
    stop()
    assert (tmp_path / "same.pt").read_bytes() == expected


def test_a_saver_is_pickled_as_without_us() -> None:
    """A process is given it as what it shall do."""
    expected = [pickle.dumps(saver) for saver in (torch.save, np.savez, joblib.dump, pickle.dump)]
    stop = tap_savers(lambda *_: None)
    found = [pickle.dumps(saver) for saver in (torch.save, np.savez, joblib.dump, pickle.dump)]
    stop()
    assert found == expected


def test_a_buffer_has_no_name(saved: list[tuple[str, Any]]) -> None:
    """It is told as what it is."""
    torch.save({}, io.BytesIO())
    assert saved == [("a buffer", {})]


def test_an_error_of_the_saver_passes(saved: list[tuple[str, Any]]) -> None:
    """The saver's own."""
    with pytest.raises(TypeError, match="missing"):
        torch.save({})


def read(value: Any) -> dict[str, str]:
    """Return names and digests of what is in a saved value."""
    return {part.name: part.digest for part in read_saved(value, KNOWN, digest_leaf)}


def test_tensors_and_values_are_read_in_any_nesting() -> None:
    """By the way to each; the state of a generator is one value."""
    value = {"model": {"w": torch.ones(2)}, "rng": list(range(600)), "step": 3, "names": ("a", "b")}
    assert list(read(value)) == ["['model']['w']", "['rng']", "['step']", "['names'][0]", "['names'][1]"]
    assert read(value) == read(value)
    assert read({"w": torch.ones(2)}) != read({"w": torch.zeros(2)})


def test_estimators_are_read_by_what_they_hold() -> None:
    """A fitted one differs from one that was fitted to other data."""
    first, second = (LinearRegression().fit(np.eye(3), [1.0, 2.0, last]) for last in (3.0, 4.0))
    assert read(first) != read(second)
    assert ".coef_" in read(first)


def test_times_of_the_run_are_noise() -> None:
    """By the name of the value and the time of the run."""
    first, second = (
        read_saved({"saved_at": 1_700_000_050.0 + number, "loss": 0.5}, KNOWN, digest_leaf) for number in (0, 1)
    )
    assert first[0].digest != second[0].digest
    assert first[0].masked == second[0].masked
