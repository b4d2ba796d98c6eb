"""A small search, as a user writes it: `python search.py [TRIALS] [JOURNAL]`."""

from __future__ import annotations

import os
import signal
import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from training import train

from reproof.integrations.optuna import BestTrialBundle

bundle = BestTrialBundle("optuna_best", train)


def objective(trial):
    if os.environ.get("FAIL_AT") == str(trial.number):
        raise ValueError("this trial fails")
    if os.environ.get("KILL_AT") == str(trial.number):
        os.kill(os.getpid(), signal.SIGKILL)
    config = {
        "split": 0.8,
        "training": {"seed": 11, "epochs": 4, "lr": trial.suggest_float("lr", 1e-4, 3e-2, log=True)},
    }
    return bundle.candidate(trial, config).run()


def main():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(sys.argv[2])) if len(sys.argv) > 2 else None
    study = optuna.create_study(
        study_name="small",
        storage=storage,
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(seed=os.getpid() if storage else 1),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
    )
    study.optimize(objective, n_trials=int(sys.argv[1]), callbacks=[bundle], catch=ValueError)
    best = study.best_trial
    print(best.number, best.value.hex(), *(trial.state.name for trial in study.trials))


if __name__ == "__main__":
    main()
