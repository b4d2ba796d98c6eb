"""Integrations with other libraries; each module needs the library that it is about.

- `optuna`: keep the best trial of a study as a bundle; `keeping` makes it, `verifying` trains it once more.
- `from_study`: a bundle of a trial of an old study, found by `stored_trials`.
- `search`: `reproof search`, in several processes and on several machines.
- `replicates`: `reproof replicate`, fresh-seed and perturbed runs of a bundle; `slurm`: start them as jobs.
- `trial_queue`: the queue of runs in a storage of Optuna that both use.
- `ipython`: magics for notebooks.
- `scalers`: a scaler of scikit-learn and tensors of PyTorch from a bundle.

Left out on purpose: nothing here is imported by the rest of reproof, except by the command line.
"""
