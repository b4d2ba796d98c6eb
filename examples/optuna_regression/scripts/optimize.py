"""Search: find a configuration by Optuna and keep its best trial as the bundle `optuna_best/`.

python scripts/optimize.py                      # 20 trials in this process
python scripts/optimize.py --workers 2          # the same study in two processes, on one journal file
python scripts/optimize.py training.epochs=60 data.path=mine.csv 'data.targets=[a,b]'
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import optuna
from omegaconf import OmegaConf
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from residual_regression.training import train  # noqa: E402  # found by the line above

from reproof.integrations.optuna import BestTrialBundle  # noqa: E402


def suggest(trial, base):
    """Return the configuration of a trial: every value, resolved."""
    chosen = {
        "model": {
            "hidden": trial.suggest_int("hidden", 32, 192, step=16),
            "dropout_rate": trial.suggest_float("dropout_rate", 0.0, 0.3),
            "use_residual": trial.suggest_categorical("use_residual", [True, False]),
        },
        "training": {
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 2e-2, log=True),
            "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64]),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        },
    }
    return OmegaConf.merge(base, chosen)


def search(arguments, base):
    """Run trials of the study in this process."""
    bundle = BestTrialBundle(arguments.bundle, train, project=PROJECT)
    study = optuna.create_study(
        study_name=arguments.study,
        storage=JournalStorage(JournalFileBackend(f"{arguments.study}.journal")),
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=arguments.sampler_seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5),
    )
    study.optimize(
        lambda trial: bundle.candidate(trial, suggest(trial, base)).run(), n_trials=arguments.trials, callbacks=[bundle]
    )
    return study


def search_in_processes(arguments):
    """Run the same command in several processes: threads of one would share its random generators."""
    shares = [arguments.trials // arguments.workers] * arguments.workers
    shares[0] += arguments.trials - sum(shares)
    common = [sys.executable, __file__, "--bundle", arguments.bundle, "--study", arguments.study, *arguments.overrides]
    optuna.create_study(
        study_name=arguments.study,
        storage=JournalStorage(JournalFileBackend(f"{arguments.study}.journal")),
        load_if_exists=True,
    )
    workers = [
        subprocess.Popen([*common, "--trials", str(share), "--sampler-seed", str(number), "--no-plots"])  # noqa: S603  # this script
        for number, share in enumerate(shares)
    ]
    codes = [worker.wait() for worker in workers]
    if any(codes):
        sys.exit("a worker of the search failed")
    return optuna.load_study(
        study_name=arguments.study, storage=JournalStorage(JournalFileBackend(f"{arguments.study}.journal"))
    )


def plot_study(study, folder):
    """Write Optuna's own plots."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as plots

    folder.mkdir(exist_ok=True)
    for name, draw in (("history", plots.plot_optimization_history), ("slices", plots.plot_slice)):
        draw(study)
        plt.savefig(folder / f"{name}.png", bbox_inches="tight")
        plt.close("all")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--study", default="regression")
    parser.add_argument("--bundle", default="optuna_best")
    parser.add_argument("--sampler-seed", type=int, default=0)
    parser.add_argument("--no-plots", action="store_true")
    parser.add_argument("overrides", nargs="*", help="values of config.yaml, such as training.epochs=60")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    base = OmegaConf.merge(OmegaConf.load(PROJECT / "config.yaml"), OmegaConf.from_dotlist(arguments.overrides))
    study = search_in_processes(arguments) if arguments.workers > 1 else search(arguments, base)
    if not arguments.no_plots:
        plot_study(study, Path("plots"))
        best = study.best_trial
        print(f"best of {len(study.trials)} trials: number {best.number}, validation loss {best.value!r}")
        print(f"next: reproof reproduce --project {PROJECT} {arguments.bundle}")


if __name__ == "__main__":
    main()
