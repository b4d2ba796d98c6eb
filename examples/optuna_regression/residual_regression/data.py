"""The table of a regression: read, cleaned and split by its configuration alone."""

from __future__ import annotations

import csv
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import random_split


def find_file(path):
    """Return the user's file, or the table of cell nuclei that scikit-learn ships (Wolberg et al., 1995)."""
    if path is not None:
        return Path(path)
    with as_file(files("sklearn.datasets.data") / "breast_cancer.csv") as found:
        return found


def read_table(path):
    """Return the columns of a CSV or NPZ file by name, as float64."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.float64) for name in arrays.files}
    if path.name == "breast_cancer.csv":
        return read_breast_cancer(path)
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = list(csv.reader(file))
    values = np.array(rows, dtype=np.float64)
    return {name: values[:, i] for i, name in enumerate(names)}


def read_breast_cancer(path):
    """Read scikit-learn's file, which has no names of features; its last column, the diagnosis, is not used."""
    measures = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points",
                "symmetry", "fractal dimension"]  # fmt: skip
    names = [f"{kind} {name}" for kind in ("mean", "error", "worst") for name in measures]
    values = np.loadtxt(path, delimiter=",", skiprows=1)
    return {name: values[:, i] for i, name in enumerate(names)}


def prepare(table, config):
    """Return features and targets: excluded channels left out, every n-th row kept."""
    left_out = {*config["targets"], *config["excluded_channels"]}
    channels = [name for name in table if name not in left_out]
    rows = slice(None, None, config["downsampling"])
    features = np.stack([table[name][rows] for name in channels], axis=1)
    targets = np.stack([table[name][rows] for name in config["targets"]], axis=1)
    return features, targets


def split_dataset(num_rows, ratios, seed):
    """Return the rows of training, validation and test, drawn by a generator of their own."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [round(num_rows * ratios["train"]), round(num_rows * ratios["validation"])]
    parts = random_split(range(num_rows), [*sizes, num_rows - sum(sizes)], generator=generator)
    return [list(part.indices) for part in parts]
