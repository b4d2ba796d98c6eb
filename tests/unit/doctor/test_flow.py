"""What reaches the training, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.doctor.conftest import Doctor

REACHING = {
    "the time as a seed": """
        import time
        torch.manual_seed(int(time.time()))  # finds: wall-clock
        """,
    "a time in a string, hashed": """
        import hashlib, time, random
        text = f"{time.time_ns()}"  # finds: wall-clock
        random.seed(int(hashlib.md5(text.encode()).hexdigest(), 16))
        """,
    "a learning rate by the clock": """
        import time
        start = time.monotonic()
        for group in optimizer.param_groups:
            left = 1 - (time.monotonic() - start) / 60  # finds: wall-clock
            group["lr"] = 0.1 * left
        """,
    "a schedule by the clock": """
        import time
        def warm(step):
            return min(1.0, time.perf_counter() / 60)  # finds: wall-clock
        torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=warm)
        """,
    "the process id": """
        import os
        torch.manual_seed(1234 + os.getpid())  # finds: process-identity
        """,
    "the host's name": """
        import socket, zlib
        host = socket.gethostname()  # finds: process-identity
        torch.manual_seed(zlib.crc32(host.encode()))
        """,
    "a uuid": """
        import uuid, random
        random.seed(uuid.uuid4().int)  # finds: os-entropy
        """,
    "the system's generator": """
        from random import SystemRandom
        source = SystemRandom()  # finds: os-entropy
        rows = source.sample(range(100), 10)
        model(x[rows], y[rows])
        """,
    "secrets": """
        import secrets
        row = secrets.randbelow(100)  # finds: os-entropy
        model(x[row], y[row])
        """,
    "workers seeded with the time": """
        import time, numpy as np
        def start(worker_id):
            np.random.seed(int(time.time()) + worker_id)  # finds: worker-seeding
        torch.utils.data.DataLoader(data, num_workers=2, worker_init_fn=start)
        """,
    "workers seeded with nothing": """
        import numpy as np
        def start(worker_id):
            np.random.seed()  # finds: worker-seeding
        torch.utils.data.DataLoader(data, num_workers=2, worker_init_fn=start)
        """,
    "a study that is only made known to its storage": """
        import optuna
        optuna.create_study(study_name="s", storage="sqlite:///s.db")
        sampler = optuna.samplers.TPESampler(seed=1)
        optuna.create_study(study_name="s", sampler=sampler).optimize(train, 10)
        """,
    "default_rng": """
        from numpy.random import default_rng
        rng = default_rng()  # finds: unseeded-generator
        model(torch.tensor(rng.normal(size=4)), 1)
        """,
    "RandomState of None": """
        import numpy as np
        rng = np.random.RandomState(None)  # finds: unseeded-generator
        model(torch.tensor(rng.rand(4)), 1)
        """,
    "random.Random": """
        import random
        rng = random.Random()  # finds: unseeded-generator
        rows = list(range(9)); rng.shuffle(rows)
        model(x[rows], y[rows])
        """,
    "a sequence of seeds": """
        import numpy as np
        seeds = np.random.SeedSequence()  # finds: unseeded-generator
        rng = np.random.default_rng(seeds.spawn(1)[0])
        model(torch.tensor(rng.normal(size=4)), 1)
        """,
    "a bit generator": """
        import numpy as np
        rng = np.random.Generator(np.random.PCG64())  # finds: unseeded-generator
        model(torch.tensor(rng.normal(size=4)), 1)
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

HARMLESS = {
    "elapsed time": """
        import time
        start = time.time()
        losses = {"loss": train(x, y), "seconds": time.time() - start}
        print(f"{time.time() - start:.1f}s", losses)
        """,
    "a time beside the loss": """
        import time
        def step():
            start = time.perf_counter()
            out = {"loss": model(x).sum(), "seconds": time.perf_counter() - start}
            return out
        out = step()
        out["loss"].backward()
        """,
    "a time returned with the loss": """
        import time
        def step():
            start = time.time()
            return model(x).sum(), time.time() - start
        loss, seconds = step()
        loss.backward()
        """,
    "one meter for times and losses": """
        import time
        class Meter:
            def __init__(self): self.sum, self.count = 0, 0
            def update(self, value): self.sum += value; self.count += 1
        batch_time, losses = Meter(), Meter()
        loss = model(x).sum()
        batch_time.update(time.time()); losses.update(loss.item())
        loss.backward()
        """,
    "a name used again": """
        import time
        t = time.time()
        print(t)
        t = torch.linspace(0, 1, 4)
        train(t, y)
        """,
    "one helper for times and tensors": """
        import time
        def identity(value):
            return value
        print(identity(time.time()))
        train(identity(x), y)
        """,
    "names, folders, temporary files": """
        import os, socket, tempfile, time, uuid
        from pathlib import Path
        folder = Path("runs") / f"{time.strftime('%H%M')}-{os.getpid()}-{uuid.uuid4().hex}-{socket.gethostname()}"
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, str(os.getpid()))
            torch.save(model.state_dict(), path)
            model.load_state_dict(torch.load(path))
        train(x, y)
        """,
    "a fallback that is not needed": """
        import time
        def fix(seed=None):
            if seed is None:
                seed = int(time.time())
            torch.manual_seed(seed)
        fix(seed=3)
        """,
    "a fallback that may not be needed": """
        import os, time
        seed = os.environ.get("SEED")
        if seed is None:
            seed = int(time.time())
        torch.manual_seed(int(seed))
        """,
    "waiting": """
        import time
        start = time.time()
        while time.time() - start < 5 and not ready():
            time.sleep(0.1)
        train(x, y)
        """,
    "a time at which to stop": """
        import time
        start = time.time()
        for step in range(1000):
            train(x, y)
            if time.time() - start > 3600:
                break
        """,
    "hashes of numbers": """
        rows = [row for row in range(100) if hash(row) % 10 < 8]
        train(x[rows], y[rows])
        """,
    "a hash of something unknown": """
        key = hash(load())
        torch.manual_seed(key % 100)
        """,
    "a stable hash": """
        import zlib
        torch.manual_seed(zlib.crc32(b"noise"))
        """,
    "parameters told apart by their addresses": """
        special = {id(p) for p in model.parameters()}
        rest = [p for p in everything() if id(p) not in special]
        torch.optim.SGD(rest, lr=0.1)
        """,
    "workers seeded as the manual says": """
        import random, numpy as np
        def seed_worker(worker_id):
            worker_seed = torch.initial_seed() % 2**32
            np.random.seed(worker_seed); random.seed(worker_seed)
        torch.utils.data.DataLoader(data, num_workers=2, worker_init_fn=seed_worker)
        """,
    "never called": """
        import time
        def unused():
            torch.manual_seed(int(time.time()))
        """,
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
    "sorted": """
        import os
        from pathlib import Path
        words = set(open("text.txt").read().split())
        index = {word: i for i, word in enumerate(sorted(words))}
        files = sorted(os.listdir("x")) + sorted(Path("x").glob("*"), key=lambda path: path.name)
        train(torch.tensor([index[word] for word in load()]), torch.stack([load(name) for name in files]))
        """,
    "sorted afterwards": """
        import os
        files = [name for name in os.listdir("x") if name.endswith(".png")]
        files.sort()
        words = list(set(open("text.txt").read().split()))
        words.sort()
        train(torch.stack([load(name) for name in files]), torch.tensor([encode(word) for word in words]))
        """,
    "sorted in an attribute": """
        import os
        class Images(torch.utils.data.Dataset):
            def __init__(self, root):
                self.files = os.listdir(root)
                self.files.sort()
            def __getitem__(self, i):
                return load(self.files[i])
        for batch in torch.utils.data.DataLoader(Images("x")):
            train(batch, y)
        """,
    "only counted or asked": """
        import os
        names = open("x").read().split()
        classes = set(names)
        keep = [i for i, name in enumerate(names) if name in classes]
        head = nn.Linear(4, len(classes))
        print(max(classes), len(os.listdir("x")), list(classes))
        train(x[keep], y[keep])
        """,
    "numbers, whose hashes are themselves": """
        labels = [int(line) for line in open("labels.txt")]
        rows = [first_of(label) for label in set(labels)]
        train(x[rows], y[rows])
        """,
    "items of unknown type": """
        for item in set(load()):
            train(item, y)
        """,
    "the newest checkpoint": """
        import glob, os
        checkpoints = glob.glob("runs/*.pt")
        if checkpoints:
            model.load_state_dict(torch.load(max(checkpoints, key=os.path.getmtime)))
        best = None
        for name in os.listdir("runs"):
            number = int(name)
            if best is None or number > best:
                best = number
        train(x, y + best)
        """,
    "files that are removed": """
        import os
        from pathlib import Path
        for name in os.listdir("old"):
            os.remove(name)
        for path in Path("old").iterdir():
            path.unlink()
        train(x, y)
        """,
    "numpy.unique sorts": """
        import numpy as np
        words = open("x").read().split()
        index = {word: i for i, word in enumerate(np.unique(list(set(words))))}
        train(x, torch.tensor([index[word] for word in words]))
        """,
    "put where it belongs": """
        from concurrent.futures import ThreadPoolExecutor, as_completed
        rows = [None] * 9
        with ThreadPoolExecutor() as pool:
            waiting = {pool.submit(load, i): i for i in range(9)}
            for done in as_completed(waiting):
                rows[waiting[done]] = done.result()
        train(torch.stack(rows), y)
        """,
    "looked up by name": """
        import os
        images = {}
        for name in os.listdir("x"):
            images[name] = load(name)
        batch = torch.stack([images[name] for name in ["a", "b"]])
        train(batch, y)
        """,
    "map keeps the order": """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor() as pool:
            rows = list(pool.map(load, range(9)))
        train(torch.stack(rows), y)
        """,
    "names and images in one order": """
        import os
        names, images = [], []
        for name in os.listdir("x"):
            names.append(name)
            images.append(load(name))
        pairs = sorted(zip(names, images), key=lambda pair: pair[0])
        train(torch.stack([image for _, image in pairs]), y)
        """,
    "the only file that fits": """
        import glob, os
        from pathlib import Path
        files = glob.glob("data/**/train.pt", recursive=True)
        assert len(files) == 1
        inputs, targets = torch.load(files[0]), torch.load(next(Path("data").rglob("targets.pt")))
        train(inputs, targets)
        """,
    "each file by itself": """
        import os
        train(x, y)
        for name in os.listdir("test"):
            print(name, model(load(name)))
        """,
    "the hash seed of a new start": """
        import os, sys
        if os.environ.get("PYTHONHASHSEED") != "0":
            os.environ["PYTHONHASHSEED"] = "0"
            os.execv(sys.executable, [sys.executable, *sys.argv])
        """,
    "the hash seed of children": """
        import os, subprocess
        os.environ["PYTHONHASHSEED"] = "0"
        subprocess.run(["python", "worker.py"])
        """,
    "other variables": """
        import os
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        model = model.to("cuda")
        """,
    "no benchmarking": """
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        """,
    "benchmarking if asked for": """
        import sys
        torch.backends.cudnn.benchmark = "--fast" in sys.argv
        """,
    "benchmarking taken back": """
        torch.backends.cudnn.benchmark = True
        if deterministic():
            torch.backends.cudnn.benchmark = False
        """,
    "order kept": """
        loader = torch.utils.data.DataLoader(x, num_workers=2, in_order=True)
        other = torch.utils.data.DataLoader(x, in_order=False)
        """,
    "epochs of a sampler": """
        from torch.utils.data.distributed import DistributedSampler
        sampler = DistributedSampler(data)
        loader = torch.utils.data.DataLoader(data, sampler=sampler, num_workers=2, persistent_workers=True)
        for epoch in range(3):
            sampler.set_epoch(epoch)
            for batch in loader:
                train(batch, y)
        """,
    "an epoch in shared memory": """
        class Stream(torch.utils.data.IterableDataset):
            def __init__(self):
                self.epoch = torch.zeros(1).share_memory_()
            def set_epoch(self, epoch):
                self.epoch.fill_(epoch)
        stream = Stream()
        loader = torch.utils.data.DataLoader(stream, num_workers=2, persistent_workers=True)
        stream.set_epoch(1)
        """,
    "parameters that are filled": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.empty(4))
                self.b = nn.Parameter(torch.empty(4))
                self.c = nn.Parameter(torch.empty(4))
                self.d = nn.Parameter(torch.empty(4))
                self.e = nn.Parameter(torch.empty(4).normal_())
                self.f = nn.Parameter(torch.Tensor([1.0, 2.0]))
                self.register_buffer("queue", torch.empty(4))
                nn.init.zeros_(self.a)
                self.b.data.uniform_(-1, 1)
                with torch.no_grad():
                    self.c[:] = 1
                init_gate(self.d)
                self.queue[0:2] = 1
        Layer()
        """,
    "parameters that are filled in a loop": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(4))
                for parameter in self.parameters():
                    nn.init.uniform_(parameter)
        Layer()
        """,
    "parameters that are filled from outside": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(4))
        def init(module):
            if isinstance(module, Layer):
                nn.init.uniform_(module.weight)
        Layer().apply(init)
        """,
    "a module that is never made": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(4))
        """,
}


@pytest.mark.parametrize("source", REACHING.values(), ids=REACHING)
def test_what_reaches_the_training_is_found(after_training: Doctor, source: str) -> None:
    """The line is named where the value comes from, with its kind."""
    answer = after_training(source)
    assert answer.found == answer.expected


@pytest.mark.parametrize("source", HARMLESS.values(), ids=HARMLESS)
def test_what_does_not_is_not(after_training: Doctor, source: str) -> None:
    """Clocks that measure, names that differ, what is sorted or seeded, and what cannot be told."""
    assert after_training(source).found == []
