"""The lines of a script that are named, and those that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.doctor.conftest import Doctor

UNSEEDED = {
    "layers": """
        import torch.nn as nn
        model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))  # finds: unseeded-rng
        model(x).sum().backward()
        """,
    "only the GPU is seeded": """
        import torch
        torch.cuda.manual_seed_all(1)
        model = torch.nn.Linear(4, 1)  # finds: unseeded-rng
        model(x).sum().backward()
        """,
    "a shuffling loader": """
        from torch.utils.data import DataLoader as DL
        for x, y in DL(data, 32, shuffle=True):  # finds: unseeded-rng
            net(x).sum().backward()
        """,
    "a split": """
        from torch.utils import data as tud
        first, second = tud.random_split(everything, [8, 2])  # finds: unseeded-rng
        net(first).sum().backward()
        """,
    "weights by hand": """
        import torch
        w = torch.randn(4).mul(0.1).requires_grad_()  # finds: unseeded-rng
        (w * x).sum().backward()
        """,
    "dropout noise of a tensor's method": """
        import torch
        mask = torch.empty(4).bernoulli_(0.5)  # finds: unseeded-rng
        (mask * x).sum().backward()
        """,
    "numpy in a data set": """
        import torch
        import numpy as np
        torch.manual_seed(0)
        class Noisy(torch.utils.data.Dataset):
            def __getitem__(self, i):
                return self.x[i] + np.random.normal(size=3)  # finds: unseeded-rng
        for x in torch.utils.data.DataLoader(Noisy()):
            net(x).sum().backward()
        """,
    "python shuffles the samples": """
        import torch
        from random import shuffle
        torch.manual_seed(0)
        order = list(range(10))
        shuffle(order)  # finds: unseeded-rng
        net(x[order]).sum().backward()
        """,
    "a coin decides about an augmentation": """
        import random, torch
        torch.manual_seed(0)
        def augment(image):
            if random.random() < 0.5:  # finds: unseeded-rng
                image = image.flip(-1)
            return image
        net(augment(x)).sum().backward()
        """,
    "scikit-learn splits with numpy's": """
        import torch
        from sklearn.model_selection import train_test_split
        torch.manual_seed(0)
        a, b = train_test_split(x, test_size=0.2)  # finds: unseeded-rng
        net(a).sum().backward()
        """,
    "folds that shuffle": """
        import torch
        from sklearn.model_selection import KFold
        torch.manual_seed(0)
        for a, b in KFold(5, shuffle=True).split(x):  # finds: unseeded-rng
            net(x[a]).sum().backward()
        """,
    "rows of a table": """
        import torch
        import pandas as pd
        torch.manual_seed(0)
        rows = pd.read_csv("x.csv").sample(frac=1)  # finds: unseeded-rng
        net(torch.tensor(rows.values)).sum().backward()
        """,
    "a seed of None": """
        import torch
        import numpy as np
        torch.manual_seed(0)
        np.random.seed(None)
        noise = np.random.rand(3)  # finds: unseeded-rng
        net(noise).sum().backward()
        """,
    "seeds only in workers": """
        import torch, numpy as np
        torch.manual_seed(0)
        def seed_worker(worker_id):
            np.random.seed(torch.initial_seed() % 2**32)
        order = np.random.permutation(100)  # finds: unseeded-rng
        data = torch.utils.data.Subset(everything, order)
        for x in torch.utils.data.DataLoader(data, num_workers=2, worker_init_fn=seed_worker):
            net(x).sum().backward()
        """,
    "a helper that nobody calls": """
        import torch
        def set_seed():
            torch.manual_seed(0)
        model = torch.nn.Linear(4, 1)  # finds: unseeded-rng
        model(x).sum().backward()
        """,
    "a new seed": """
        import torch
        torch.manual_seed(0)
        torch.seed()  # finds: unseeded-rng
        net(x).sum().backward()
        """,
}

SEEDED = {
    "seeded by functions that are passed on": """
        import random, numpy as np, torch
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(0)
        w = torch.randn(4, requires_grad=True)
        (w * x[np.random.permutation(4)] * random.random()).sum().backward()
        """,
    "all three": """
        import random, torch, numpy as np
        random.seed(0); np.random.seed(0); torch.manual_seed(0)
        x = torch.randn(3) + np.random.rand(3) + random.random()
        torch.nn.Linear(3, 1)(x).sum().backward()
        """,
    "lightning": """
        from lightning.pytorch import seed_everything
        import torch, numpy as np
        seed_everything(7, workers=True)
        torch.nn.Linear(3, 1)(torch.tensor(np.random.rand(3))).sum().backward()
        """,
    "pytorch_lightning under another name": """
        import pytorch_lightning as pl, torch
        pl.seed_everything(7)
        torch.nn.Linear(3, 1)(x).sum().backward()
        """,
    "transformers": """
        from transformers import set_seed
        import torch, random
        set_seed(3)
        torch.nn.Linear(3, 1)(torch.tensor([random.random()])).sum().backward()
        """,
    "accelerate": """
        from accelerate.utils import set_seed
        import torch
        set_seed(3)
        torch.nn.Linear(3, 1)(x).sum().backward()
        """,
    "monai": """
        import monai, torch
        monai.utils.set_determinism(seed=3)
        torch.nn.Linear(3, 1)(x).sum().backward()
        """,
    "reproof": """
        import reproof, torch
        with reproof.deterministic(seed=3):
            torch.nn.Linear(3, 1)(x).sum().backward()
        """,
    "a trainer that seeds by itself": """
        import torch
        from transformers import Trainer, TrainingArguments
        Trainer(model_init=lambda: torch.nn.Linear(3, 1), args=TrainingArguments("out")).train()
        """,
    "draws with generators of their own": """
        import torch
        from torch.utils.data import DataLoader, random_split
        a, b = random_split(data, [8, 2], generator=torch.Generator().manual_seed(1))
        for x in DataLoader(a, shuffle=True, generator=torch.Generator()):
            net(x).sum().backward()
        """,
    "numpy in workers, which PyTorch seeds": """
        import torch, numpy as np
        torch.manual_seed(0)
        class Noisy(torch.utils.data.Dataset):
            def __getitem__(self, i):
                return self.x[i] + np.random.normal(size=3)
        for x in torch.utils.data.DataLoader(Noisy(), shuffle=True, num_workers=4):
            net(x).sum().backward()
        """,
    "a number of workers that is not known": """
        import sys, torch, numpy as np
        torch.manual_seed(0)
        class Noisy(torch.utils.data.Dataset):
            def __getitem__(self, i):
                return self.x[i] + np.random.normal(size=3)
        for x in torch.utils.data.DataLoader(Noisy(), shuffle=True, num_workers=int(sys.argv[1])):
            net(x).sum().backward()
        """,
    "names of runs": """
        import random, torch, numpy as np
        torch.manual_seed(0)
        name = f"{random.choice(['calm', 'brisk'])}-{np.random.randint(1000)}"
        writer = SummaryWriter(f"runs/{name}")
        torch.nn.Linear(3, 1)(x).sum().backward()
        """,
    "a random sample to look at": """
        import random, torch
        torch.manual_seed(0)
        torch.nn.Linear(3, 1)(x).sum().backward()
        for row in random.sample(range(100), 3):
            print(texts[row], labels[row])
        """,
    "a scratch file with a random name": """
        import random, torch
        torch.manual_seed(0)
        path = f"scratch/{random.randrange(10**6)}.pt"
        torch.save(x, path)
        torch.nn.Linear(3, 1)(torch.load(path)).sum().backward()
        """,
    "no training": """
        import torch
        model = torch.nn.Linear(3, 1)
        model.load_state_dict(torch.load("model.pt"))
        print(model(x))
        """,
    "a splitter with its own seed": """
        import torch
        from sklearn.model_selection import KFold, train_test_split
        torch.manual_seed(0)
        a, b = train_test_split(x, random_state=3)
        for a, b in KFold(5).split(x):
            net(a).sum().backward()
        """,
    "a fallback for a seed that is given": """
        import random, torch
        def set_seed(seed=None):
            if seed is None:
                seed = random.randint(0, 10)
            torch.manual_seed(seed)
        set_seed(3)
        torch.nn.Linear(3, 1)(x).sum().backward()
        """,
    "an option with a default": """
        import argparse, torch
        parser = argparse.ArgumentParser()
        parser.add_argument("--seed", type=int, default=1)
        args = parser.parse_args()
        if args.seed is not None:
            torch.manual_seed(args.seed)
        torch.nn.Linear(3, 1)(x).sum().backward()
        """,
}

WORKERS = """
import random, numpy as np, torch
from torch.utils.data import DataLoader, Dataset
torch.manual_seed(0)
{helper}
class Noisy({base}):
    def __len__(self): return 64
    {method}
    def __getitem__(self, i): return torch.as_tensor({call}, dtype=torch.float32)
net = torch.nn.Linear(4, 1)
for x in DataLoader(Noisy(), 16, shuffle=True, num_workers={workers}{more}):
    net(x).sum().backward()
"""
FETCHES = {
    "a method": {"method": "def draw(self): return random.gauss(0, 1)", "call": "self.draw()"},
    "a function": {"helper": "def draw(): return np.random.rand()", "call": "draw()"},
    "a function of a function": {
        "helper": "def draw(): return np.random.rand()\ndef double(): return 2 * draw()",
        "call": "double()",
    },
    "a class without a base": {"method": "def draw(self): return random.random()", "call": "self.draw()", "base": ""},
    "the draw itself": {"call": "random.random()"},
    "an object that is called": {
        "helper": "class Noise:\n    def __call__(self): return random.random()\nnoise = Noise()",
        "call": "noise()",
    },
}
HOOK = """def seed(worker_id):
    value = torch.initial_seed() % 2**32
    np.random.seed(value); random.seed(value)
"""
SEARCH = """
import optuna, torch
{imports}
def train(config, run=None):
    model = torch.nn.Linear(4, 1)
    model(torch.randn(8, 4)).sum().backward()
    return 1.0
{objective}
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
study.optimize({given}, n_trials=3)
"""
BUNDLED = {
    "an objective": (
        "bundle = BestTrialBundle('best', train)\ndef objective(trial): return bundle.candidate(trial, {}).run()",
        "objective, callbacks=[bundle]",
    ),
    "a lambda": ("bundle = BestTrialBundle('best', train=train)", "lambda trial: bundle.candidate(trial, {}).run()"),
    "made in a function": (
        "def main():\n    bundle = BestTrialBundle('best', train)\n    return bundle\nbundle = main()",
        "lambda trial: bundle.candidate(trial, {}).run()",
    ),
}
LATE = {
    "before the trainer": """
        import torch
        from transformers import Trainer, TrainingArguments
        net = torch.nn.Linear(4, 1)  # finds: unseeded-rng
        args = TrainingArguments("out", seed=7)
        Trainer(model=net, args=args).train()
        """,
    "after the arguments": """
        import torch
        from transformers import Trainer, TrainingArguments
        args = TrainingArguments(output_dir="out", seed=7)
        net = torch.nn.Linear(4, 1)  # finds: unseeded-rng
        Trainer(net, args).train()
        """,
    "by a function": """
        import torch, transformers
        def build():
            return torch.nn.Sequential(torch.nn.Embedding(4, 4), torch.nn.ReLU())  # finds: unseeded-rng
        def main():
            net = build()
            trainer = transformers.Trainer(net, transformers.TrainingArguments("out", seed=7))
            trainer.train()
        main()
        """,
    "of a configuration": """
        from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainingArguments
        net = AutoModelForCausalLM.from_config(AutoConfig())  # finds: unseeded-rng
        Trainer(net, TrainingArguments("out", seed=7)).train()
        """,
    "in a subclass of the library": """
        import torch
        from trl import SFTTrainer
        net = torch.nn.Linear(4, 1)  # finds: unseeded-rng
        SFTTrainer(net).train()
        """,
}


@pytest.mark.parametrize("source", UNSEEDED.values(), ids=UNSEEDED)
def test_a_draw_without_a_seed_is_found(read: Doctor, source: str) -> None:
    """Where the training draws from a global generator that nothing has seeded, the first such line is named."""
    answer = read(source)
    assert answer.found == answer.expected


@pytest.mark.parametrize("source", SEEDED.values(), ids=SEEDED)
def test_seeded_and_harmless_draws_are_not(read: Doctor, source: str) -> None:
    """A seed of any common kind counts, and a draw that reaches no training is nobody's fault."""
    assert read(source).found == []


@pytest.mark.parametrize("fetch", FETCHES.values(), ids=FETCHES)
@pytest.mark.parametrize("hook", ["", HOOK], ids=["PyTorch seeds", "a hook seeds"])
def test_draws_of_workers_are_seeded(read: Doctor, fetch: dict[str, str], hook: str) -> None:
    """By PyTorch or a worker_init_fn, also in what `__getitem__` calls; and whatever the number of workers is."""
    words = {"helper": "", "method": "", "base": "Dataset", "more": ", worker_init_fn=seed" if hook else "", **fetch}
    for workers in ("2", "int(__import__('os').environ['N'])"):
        assert read(hook + WORKERS.format(workers=workers, **words)).found == []


def test_draws_without_workers_are_not(read: Doctor) -> None:
    """They come from the generator of the main process, which nothing has seeded."""
    words = {"helper": "", "base": "Dataset", "more": "", **FETCHES["a method"]}
    answer = read(WORKERS.format(workers="0", **words))
    assert [kind for kind, _, _ in answer.found] == ["unseeded-rng"]
    assert "random.gauss" in answer.findings[0].text


@pytest.mark.parametrize(("objective", "given"), BUNDLED.values(), ids=BUNDLED)
def test_a_bundle_seeds_each_trial(read: Doctor, objective: str, given: str) -> None:
    """What only BestTrialBundle runs is seeded by it."""
    imports = "from reproof.integrations.optuna import BestTrialBundle"
    assert read(SEARCH.format(imports=imports, objective=objective, given=given)).found == []


def test_a_search_without_any_seed_is_found(read: Doctor) -> None:
    """Without a bundle and without a seed the layer of the training is named."""
    answer = read(SEARCH.format(imports="", objective="", given="train"))
    assert [item.text for item in answer.findings] == ["model = torch.nn.Linear(4, 1)"]


@pytest.mark.parametrize("source", LATE.values(), ids=LATE)
def test_a_model_that_is_made_before_the_trainer_that_seeds(read: Doctor, source: str) -> None:
    """TrainingArguments only carry the seed: the trainer sets it when it is made."""
    answer = read(source)
    assert answer.found == answer.expected


class TestSeedsInOtherFiles:
    """A seed counts where it is called, and what it does is looked up."""

    @pytest.mark.parametrize(
        "line", ["from helpers import fix", "from helpers import *", "import helpers; fix = helpers.fix"]
    )
    def test_a_helper_in_a_module(self, read: Doctor, line: str) -> None:
        """What the helper seeds is read in its file: here all but NumPy."""
        answer = read(
            f"""
            import numpy as np, torch
            {line}
            fix(1)
            x = torch.randn(3) + torch.tensor(np.random.rand(3))  # finds: unseeded-rng
            x.sum().backward()
            """,
            helpers="""
            import random, torch
            def fix(seed):
                random.seed(seed)
                torch.manual_seed(seed)
            """,
        )
        assert answer.found == answer.expected

    def test_a_module_that_cannot_be_read(self, read: Doctor) -> None:
        """It may well seed, so nobody is accused."""
        answer = read("import torch, helpers\ntorch.nn.Linear(3, 1)(x).sum().backward()\n", helpers="def broken(:")
        assert answer.found == []


@pytest.mark.parametrize(
    "lines",
    [
        ["torch.manual_seed(0)", "net = torch.nn.Linear(4, 1)", "torch.manual_seed(1)"],
        ["if seed:", "    torch.manual_seed(0)", "net = torch.nn.Linear(4, 1)", "torch.manual_seed(1)"],
        ["net = torch.nn.Linear(4, 1)", "if again:", "    torch.manual_seed(1)"],
        ["net = torch.nn.Linear(4, 1)", "net.load_state_dict(torch.load('start.pt'))", "torch.manual_seed(1)"],
    ],
    ids=["seeded again", "seeded before, perhaps", "seeded after, perhaps", "weights from a file"],
)
def test_an_order_of_seeds_that_does_no_harm(read: Doctor, lines: list[str]) -> None:
    """Nothing is said unless the draw is the first and the seed certainly comes after it."""
    assert read("\n".join(["import torch", *lines, "net(x).sum().backward()"])).found == []
