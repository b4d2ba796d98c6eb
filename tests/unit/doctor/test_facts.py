"""What a script sees to: settings, seeds, generators of loaders and splits, trials, scalers."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reproof.doctor.script import read_target

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.doctor.facts import Fact

IMPORTS = """
import os, torch, numpy, random, reproof, joblib, optuna
from torch.utils.data import DataLoader, random_split
from sklearn.model_selection import train_test_split, KFold
from sklearn.preprocessing import StandardScaler
g = torch.Generator()
"""
FRESH = "def fresh(i): torch.manual_seed(int.from_bytes(os.urandom(4), 'big'))\n"
BUNDLE = """
from reproof.integrations.optuna import BestTrialBundle
bundle = BestTrialBundle('b', train)
def objective(t): return bundle.candidate(t, {}).run()
"""
OPTIMIZE = "optuna.create_study().optimize(objective, n_trials=3)"


@pytest.fixture
def facts_of(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Fact]:
    """Return what the script of a test sees to."""
    (tmp_path / "train.py").write_text(IMPORTS + dedent(request.param), encoding="utf-8")
    facts = read_target(tmp_path / "train.py")[1]
    assert facts is not None
    return facts


@pytest.mark.parametrize(
    ("facts_of", "name", "holds"),
    [
        ("torch.use_deterministic_algorithms(True)", "deterministic-algorithms", True),
        ("torch.use_deterministic_algorithms(False)", "deterministic-algorithms", False),
        ("torch.use_deterministic_algorithms(os.environ['X'])", "deterministic-algorithms", None),
        ("torch.set_num_threads(4)", "num-threads", True),
        ("torch.set_float32_matmul_precision('high')", "matmul-precision", False),
        ("torch.backends.cudnn.benchmark = False", "cudnn-benchmark-off", True),
        ("torch.backends.cudnn.benchmark = True", "cudnn-benchmark-off", False),
        ("import torch.backends.cudnn as c; c.deterministic = True", "cudnn-deterministic", True),
        ("os.environ['CUBLAS_WORKSPACE_CONFIG'] = ':16:8'", "cublas-workspace", True),
        ("os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', 'x')", "cublas-workspace", False),
        ("os.environ['PYTHONHASHSEED'] = '0'", "hash-seed", None),
        ("reproof.deterministic(seed=1)", "deterministic-algorithms", True),
        ("", "seeds", False),
        ("torch.manual_seed(0)", "seeds", None),
        ("torch.manual_seed(0); random.seed(0); numpy.random.seed(0)", "seeds", True),
        ("reproof.deterministic(seed=1)", "seeds", True),
    ],
    indirect=["facts_of"],
)
def test_settings_and_seeds(facts_of: dict[str, Fact], name: str, *, holds: bool | None) -> None:
    """Each with its line; a value that is not fixed is not judged."""
    state, found = facts_of[name]
    assert found is holds
    assert "train.py:" in state or state == "seeded: nothing"


@pytest.mark.parametrize(
    ("facts_of", "holds"),
    [
        ("DataLoader(d)", None),
        ("DataLoader(d, shuffle=True)", False),
        ("torch.manual_seed(1); DataLoader(d, shuffle=True)", False),
        ("DataLoader(d, shuffle=True, generator=g)", True),
        ("DataLoader(d, shuffle=True, generator=None)", False),
        ("k = {'shuffle': True}\nDataLoader(d, **k)", False),
        ("k = dict(batch_size=4)\nDataLoader(d, shuffle=True, **k)", False),
        ("DataLoader(d, shuffle=True, **{'batch_size': 2})", False),
        ("a = {'shuffle': True}\nk = {'batch_size': 4, **a}\nDataLoader(d, **k)", False),
        ("k = {'shuffle': True, 'generator': g}\nDataLoader(d, **k)", True),
        ("k = dict(generator=g)\nDataLoader(d, shuffle=True, **k)", True),
        ("k = {}\nk['generator'] = g\nDataLoader(d, shuffle=True, **k)", None),
        ("k = load()\nDataLoader(d, shuffle=True, **k)", None),
        ("def make(**k):\n    return DataLoader(d, shuffle=True, **k)\nmake()", None),
    ],
    indirect=["facts_of"],
)
def test_generators_of_loaders(facts_of: dict[str, Fact], *, holds: bool | None) -> None:
    """A loader that shuffles without one does not have it, whatever else it is given by ``**``."""
    assert facts_of["loader-generators"][1] is holds


@pytest.mark.parametrize(
    ("facts_of", "holds"),
    [
        ("", None),
        ("torch.manual_seed(0); random_split(d, [8, 2])", False),
        ("random_split(d, [8, 2], generator=g)", True),
        ("random_split(d, [8, 2], g)", True),
        ("random_split(d, [8, 2], generator=None)", False),
        ("torch.utils.data.random_split(d, lengths=[8, 2])", False),
        ("k = {'lengths': [8, 2]}\nrandom_split(d, **k)", False),
        ("train_test_split(x)", False),
        ("train_test_split(x, random_state=3)", True),
        ("train_test_split(x, shuffle=False)", None),
        ("KFold(5)", None),
        ("KFold(5, shuffle=True)", False),
        ("random_split(d, [8, 2], generator=g); train_test_split(x)", False),
    ],
    indirect=["facts_of"],
)
def test_generators_of_splits(facts_of: dict[str, Fact], *, holds: bool | None) -> None:
    """A split without a generator or seed of its own is told, also where the global generator is seeded."""
    assert facts_of["split-generators"][1] is holds


@pytest.mark.parametrize(
    ("facts_of", "holds"),
    [
        ("", None),
        (f"torch.manual_seed(0)\ndef objective(t): return torch.nn.Linear(1, 1)\n{OPTIMIZE}", False),
        (f"def objective(t): torch.manual_seed(t.number)\n{OPTIMIZE}", True),
        (f"def fix(n): torch.manual_seed(n)\ndef objective(t): fix(t.number)\n{OPTIMIZE}", True),
        ("torch.manual_seed(0)\noptuna.create_study().optimize(lambda t: torch.rand(1), 3)", False),
        ("def run(t): return torch.rand(1)\noptuna.create_study().optimize(lambda t: run(t), 3)", False),
        ("def fix(): torch.manual_seed(0)\nfix()\ndef objective(t): return 1\n" + OPTIMIZE, False),
        (f"objective = load()\n{OPTIMIZE}", None),
        (
            BUNDLE + OPTIMIZE,
            True,
        ),
    ],
    indirect=["facts_of"],
)
def test_seeds_of_trials(facts_of: dict[str, Fact], *, holds: bool | None) -> None:
    """A search that is seeded once, before it starts, cannot repeat a trial without those before it."""
    assert facts_of["trial-seeds"][1] is holds


@pytest.mark.parametrize(
    ("facts_of", "holds"),
    [
        ("", None),
        ("s = StandardScaler().fit(x)\ntorch.save(m.state_dict(), 'm.pt')", False),
        ("s = StandardScaler().fit(x)\njoblib.dump(s, 's.joblib')", True),
        ("s = StandardScaler()\ntorch.save({'model': m, 'scaler': s}, 'm.pt')", True),
        ("s = run.keep_scaler(StandardScaler().fit(x))", True),
    ],
    indirect=["facts_of"],
)
def test_preprocessing(facts_of: dict[str, Fact], *, holds: bool | None) -> None:
    """A scaler is kept where it goes into a file, with the model or beside it."""
    assert facts_of["preprocessing-kept"][1] is holds


@pytest.mark.parametrize(
    ("facts_of", "holds"),
    [
        ("DataLoader(d)", None),
        ("DataLoader(d, num_workers=2)", True),
        (
            FRESH + "DataLoader(d, num_workers=2, worker_init_fn=fresh)",
            False,
        ),
    ],
    indirect=["facts_of"],
)
def test_seeds_of_workers(facts_of: dict[str, Fact], *, holds: bool | None) -> None:
    """PyTorch's seeds of workers hold unless a worker_init_fn undoes them."""
    assert facts_of["worker-seeding"][1] is holds
