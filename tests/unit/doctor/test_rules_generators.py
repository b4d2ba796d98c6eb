"""Generators of a script's own, with and without a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.doctor.conftest import Doctor

UNSEEDED = {
    "a study that is only made known to its storage": """
        import optuna
        optuna.create_study(study_name="s", storage="sqlite:///s.db")
        sampler = optuna.samplers.TPESampler(seed=1)
        optuna.create_study(study_name="s", sampler=sampler).optimize(train, 10)
        """,
    "default_rng": """
        from numpy.random import default_rng
        rng = default_rng()  # finds: unseeded-generator
        train(torch.tensor(rng.normal(size=4)), 1)
        """,
    "RandomState of None": """
        import numpy as np
        rng = np.random.RandomState(None)  # finds: unseeded-generator
        train(torch.tensor(rng.rand(4)), 1)
        """,
    "random.Random": """
        import random
        rng = random.Random()  # finds: unseeded-generator
        rows = list(range(9)); rng.shuffle(rows)
        train(x[rows], y[rows])
        """,
    "a sequence of seeds": """
        import numpy as np
        seeds = np.random.SeedSequence()  # finds: unseeded-generator
        rng = np.random.default_rng(seeds.spawn(1)[0])
        train(torch.tensor(rng.normal(size=4)), 1)
        """,
    "a bit generator": """
        import numpy as np
        rng = np.random.Generator(np.random.PCG64())  # finds: unseeded-generator
        train(torch.tensor(rng.normal(size=4)), 1)
        """,
    "a parameter that nobody gives": """
        import numpy as np
        class Noise:
            def __init__(self, seed=None):
                self.rng = np.random.default_rng(seed)  # finds: unseeded-generator
            def draw(self):
                return torch.tensor(self.rng.normal(size=4))
        train(Noise().draw(), 1)
        """,
    "kept in a data set": """
        import numpy as np
        class Jitter(torch.utils.data.Dataset):
            def __init__(self, x):
                self.x, self.rng = x, np.random.default_rng()  # finds: unseeded-generator
            def __getitem__(self, i):
                return self.x[i] * self.rng.uniform(0.9, 1.1)
        for x in torch.utils.data.DataLoader(Jitter(1)):
            train(x, 1)
        """,
    "a generator of torch, seeded anew": """
        g = torch.Generator()
        g.seed()  # finds: unseeded-generator
        train(torch.randn(4, generator=g), 1)
        """,
    "a study": """
        import optuna
        def objective(trial):
            lr = trial.suggest_float("lr", 1e-4, 1e-1)
            return train(x, y)
        optuna.create_study(direction="minimize").optimize(objective, 10)  # finds: unseeded-generator
        """,
    "a study's sampler": """
        from optuna.samplers import TPESampler
        import optuna
        sampler = TPESampler(multivariate=True)  # finds: unseeded-generator
        optuna.create_study(sampler=sampler).optimize(train, 10)
        """,
}

SEEDED = {
    "a seed": """
        import numpy as np, random
        rng, other = np.random.default_rng(3), random.Random("name")
        train(torch.tensor(rng.normal(size=4)), other.random())
        """,
    "a seed by name": """
        import numpy as np
        rng = np.random.RandomState(seed=3)
        train(torch.tensor(rng.rand(4)), 1)
        """,
    "a seed that is not known": """
        import numpy as np, os
        rng = np.random.default_rng(os.environ.get("SEED"))
        train(torch.tensor(rng.normal(size=4)), 1)
        """,
    "a parameter that is given": """
        import numpy as np
        class Noise:
            def __init__(self, seed=None):
                self.rng = np.random.default_rng(seed)
        train(torch.tensor(Noise(4).rng.normal(size=4)), 1)
        """,
    "torch.Generator, whose seed is fixed": """
        g = torch.Generator()
        train(torch.randn(4, generator=g), 1)
        """,
    "only to choose what is printed": """
        import numpy as np
        rng = np.random.default_rng()
        train(x, y)
        print(texts[rng.integers(10)])
        """,
    "only in a name": """
        import random
        name = random.Random().choice(["otter", "lynx"])
        train(x, y)
        torch.save(model.state_dict(), f"runs/{name}.pt")
        """,
    "a study with a seed": """
        import optuna
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
        study.optimize(train, 10)
        """,
    "a grid": """
        import optuna
        study = optuna.create_study(sampler=optuna.samplers.GridSampler({"lr": [1, 2]}))
        study.optimize(train, 10)
        """,
}


@pytest.mark.parametrize("source", UNSEEDED.values(), ids=UNSEEDED)
def test_a_generator_without_a_seed_is_found(after_training: Doctor, source: str) -> None:
    """It is named where it is made, if its numbers reach the training."""
    answer = after_training(source)
    assert answer.found == answer.expected


@pytest.mark.parametrize("source", SEEDED.values(), ids=SEEDED)
def test_seeded_and_harmless_generators_are_not(after_training: Doctor, source: str) -> None:
    """A seed, known or not, is a seed; and what only names or shows something may be random."""
    assert after_training(source).found == []
