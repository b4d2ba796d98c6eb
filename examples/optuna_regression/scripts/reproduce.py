"""Reproduce: train the bundle again, show each target's metrics, and plot predictions against the truth.

    python scripts/reproduce.py optuna_best

`reproof reproduce --project . optuna_best` does the same without a script, except for the plot.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from residual_regression.data import find_file, prepare, read_table, split_dataset  # noqa: E402
from residual_regression.model import build_model  # noqa: E402
from residual_regression.training import predict  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

import reproof  # noqa: E402
from reproof.integrations.scalers import load_scaler, load_weights  # noqa: E402


def plot_predictions(bundle, path):
    """Plot the kept model's predictions on the test rows against the truth, one panel per target."""
    config = bundle.config
    features, targets = prepare(read_table(find_file(config["data"]["path"])), config["data"])
    rows, _, test = split_dataset(len(features), config["split"], config["training"]["seed"])
    inputs = StandardScaler().fit(features[rows])
    model = build_model(features.shape[1], targets.shape[1], config["model"])
    model.load_state_dict(load_weights(bundle, "best"))
    predicted = predict(model, inputs.transform(features[test]), load_scaler(bundle), torch.device("cpu"))

    names = config["data"]["targets"]
    figure, panels = plt.subplots(1, len(names), figsize=(4 * len(names), 4), squeeze=False)
    for i, (name, panel) in enumerate(zip(names, panels[0], strict=True)):
        limits = [targets[test, i].min(), targets[test, i].max()]
        panel.plot(limits, limits, color="gray", linewidth=1)
        panel.scatter(targets[test, i], predicted[:, i], s=12)
        panel.set(title=f"{name}: R² {bundle.trial.metrics[name]['r2']:.3f}", xlabel="true", ylabel="predicted")
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="optuna_best")
    arguments = parser.parse_args()
    result = reproof.reproduce(arguments.bundle, project=PROJECT)
    for row in result.judgement.per_target:
        print(f"{row.target:>20} {row.metric:>4} {row.original:>12.6g} {row.reproduced:>12.6g} {row.difference:>10.2e}")
    print(result.judgement.verdict)
    plot = plot_predictions(result.bundle, Path("plots/predictions.png"))
    print(f"plot: {plot}")
    sys.exit(result.exit_code)


if __name__ == "__main__":
    main()
