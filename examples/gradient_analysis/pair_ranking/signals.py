"""The signals of one material at one frequency, with the distance class of each: recorded, or else simulated.

Recordings lie in ``DATA/<material>/<frequency>/<class>/*.wav``. Files and classes are taken in sorted order, because
the order of a folder's listing is up to the file system and changes from machine to machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

import reproof
from pair_ranking.materials import MATERIALS
from pair_ranking.simulation import FREQUENCIES, FULL_SCALE, SAMPLE_RATE, simulate_signals
from pair_ranking.wav import read_wav

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSet(Dataset[tuple[torch.Tensor, int]]):
    """Signals and their classes.

    Attributes:
        samples: (num_signals, num_samples), float32 in -1 to 1.
        labels: (num_signals,), int64: position of the class in `classes`.
        classes: Names of the distance classes, nearest first.
        sample_rate: In Hz.
        origin: Where they come from, in words.
    """

    samples: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    sample_rate: int
    origin: str

    def __len__(self) -> int:
        """Return the number of signals."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return one signal and its label."""
        return self.samples[index], int(self.labels[index])


def load_signals(data: Path | None, material: str, frequency: str) -> SignalSet:
    """Return the signals of one material at one frequency.

    Args:
        data: Folder of recordings, or None to simulate.
        material: Name of a material; of a folder, where there are recordings.
        frequency: Such as ``500hz``; likewise.

    Raises:
        ReproofError: If there are no such signals, or they cannot be used.
    """
    if data is None:
        return _join_classes(simulate_signals(material, frequency), SAMPLE_RATE, "simulated")
    folder = data / material / frequency
    if not folder.is_dir():
        known = ", ".join(f"{m} {f}" for m, f in list_signal_sets(data)) or "none"
        raise reproof.ReproofError(f"no folder {folder}", f"choose a material and frequency of {data} ({known})")
    names = sorted((path.name for path in folder.iterdir() if path.is_dir()), key=_rank_by_number)
    rates: dict[int, Path] = {}
    classes = {name: _read_class(folder / name, rates) for name in names}
    if len(rates) > 1:
        (rate, path), (other_rate, other) = list(rates.items())[:2]
        raise reproof.ReproofError(
            f"{path} has {rate} samples per second and {other} {other_rate}",
            "bring all files of the folder to one rate",
        )
    return _join_classes(classes, next(iter(rates), 0), str(folder))


def list_signal_sets(data: Path | None) -> list[tuple[str, str]]:
    """Return the materials and frequencies that there are signals of, sorted.

    Raises:
        ReproofError: If the folder of recordings does not exist.
    """
    if data is None:
        return [(material, frequency) for material in MATERIALS for frequency in FREQUENCIES]
    if not data.is_dir():
        raise reproof.ReproofError(f"no folder {data}", "give the folder of recordings, or none to simulate signals")
    found = [(path.parent.name, path.name) for path in data.glob("*/*") if path.is_dir()]
    return sorted(found, key=lambda names: (names[0], _rank_by_number(names[1])))


def _rank_by_number(name: str) -> tuple[float, str]:
    """Return a sort key: by the first number in the name; a name without one comes last, by alphabet."""
    match = re.search(r"\d+(?:\.\d+)?", name, re.ASCII)
    return (float(match[0]) if match else float("inf"), name)


def _read_class(folder: Path, rates: dict[int, Path]) -> list[NDArray[np.int16]]:
    """Read the files of a class in the order of their names, and note the first file of each sample rate."""
    signals = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() == ".wav":
            samples, rate = read_wav(path)
            rates.setdefault(rate, path)
            signals.append(samples)
    if not signals:
        raise reproof.ReproofError(f"{folder} holds no *.wav", "put the recordings of the class there, or remove it")
    return signals


def _join_classes(classes: dict[str, list[NDArray[np.int16]]], sample_rate: int, origin: str) -> SignalSet:
    """Make one set of all classes; signals are cut to the length of the shortest."""
    if len(classes) < 2:
        raise reproof.ReproofError(f"{origin} holds {len(classes)} class", "give signals of at least two distances")
    num_samples = min(len(signal) for signals in classes.values() for signal in signals)
    rows = np.stack([signal[:num_samples] for signals in classes.values() for signal in signals])
    labels = [label for label, signals in enumerate(classes.values()) for _ in signals]
    return SignalSet(
        samples=torch.from_numpy(rows.astype(np.float32) / FULL_SCALE),
        labels=torch.tensor(labels),
        classes=tuple(classes),
        sample_rate=sample_rate,
        origin=origin,
    )
