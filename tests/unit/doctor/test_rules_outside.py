"""Clocks, process ids, the system's entropy and hashes of strings: in the numbers, or only in messages."""

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
    "the time of day, by a detour": """
        from datetime import datetime
        import numpy as np
        now = datetime.now().microsecond  # finds: wall-clock
        seed = (now * 7) % 2**32
        rng = np.random.default_rng(seed)
        """,
    "a time in a string, hashed": """
        import hashlib, time, random
        text = f"{time.time_ns()}"  # finds: wall-clock
        random.seed(int(hashlib.md5(text.encode()).hexdigest(), 16))
        """,
    "a seed that is left out": """
        import time
        def fix(seed=None):
            if seed is None:
                seed = int(time.time())  # finds: wall-clock
            torch.manual_seed(seed)
        fix()
        """,
    "an option that is left out": """
        import argparse, time
        parser = argparse.ArgumentParser()
        parser.add_argument("--seed", type=int, default=None)
        args = parser.parse_args()
        torch.manual_seed(args.seed if args.seed is not None else int(time.time()))  # finds: wall-clock
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
    "as long as there is time": """
        import time
        start = time.time()
        while time.time() - start < 60:  # finds: wall-clock
            train(x, y)
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
    "entropy for a generator": """
        import os, numpy as np
        rng = np.random.RandomState(int.from_bytes(os.urandom(4), "big"))  # finds: os-entropy
        """,
    "a uuid": """
        import uuid, random
        random.seed(uuid.uuid4().int)  # finds: os-entropy
        """,
    "the system's generator": """
        from random import SystemRandom
        source = SystemRandom()  # finds: os-entropy
        rows = source.sample(range(100), 10)
        train(x[rows], y[rows])
        """,
    "secrets": """
        import secrets
        row = secrets.randbelow(100)  # finds: os-entropy
        train(x[row], y[row])
        """,
    "the hash of a name as a seed": """
        import numpy as np
        def stream(name):
            return np.random.default_rng(abs(hash(name)))  # finds: hash-order
        stream("noise")
        """,
    "hashes that split the data": """
        first = []
        for name in open("names.txt").read().split():
            if hash(name) % 10 < 8:  # finds: hash-order
                first.append(encode(name))
        train(torch.tensor(first), y)
        """,
    "sorted by address": """
        objects = sorted(load(), key=id)  # finds: process-identity
        train(torch.stack(objects), y)
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
}


@pytest.mark.parametrize("source", REACHING.values(), ids=REACHING)
def test_what_reaches_the_training_is_found(after_training: Doctor, source: str) -> None:
    """The line is named where the outside world is asked, with the kind of its answer."""
    answer = after_training(source)
    assert answer.found == answer.expected


@pytest.mark.parametrize("source", HARMLESS.values(), ids=HARMLESS)
def test_what_does_not_is_not(after_training: Doctor, source: str) -> None:
    """Clocks that measure, names that differ and what cannot be told are nobody's fault."""
    assert after_training(source).found == []
