"""Orders that nobody promised, and what makes them harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.doctor.conftest import Doctor

UNSTABLE = {
    "classes from a set of names": """
        names = [line.split()[0] for line in open("labels.txt")]
        index = {name: i for i, name in enumerate(set(names))}  # finds: hash-order
        train(x, torch.tensor([index[name] for name in names]))
        """,
    "a vocabulary that grows": """
        words = set()
        for line in open("text.txt"):
            words.update(line.lower().split())
        vocabulary = {}
        for word in words:  # finds: hash-order
            vocabulary[word] = len(vocabulary)
        train(torch.tensor([vocabulary[word] for word in open("text.txt").read().split()]), y)
        """,
    "the characters of a text": """
        text = open("text.txt").read()
        chars = list(set(text))  # finds: hash-order
        stoi = {c: i for i, c in enumerate(chars)}
        data = torch.tensor([stoi[c] for c in text])
        train(data[:-1], data[1:])
        """,
    "a counter beside the loop": """
        from pathlib import Path
        ids, position = {}, 0
        for name in {path.stem for path in Path("x").iterdir()}:  # finds: hash-order
            ids[name] = position
            position += 1
        train(x, torch.tensor([ids[name] for name in load()]))
        """,
    "samples in the order of a set": """
        def load_names() -> set[str]:
            return read()
        rows = []
        for name in load_names() - {"bad"}:  # finds: hash-order
            rows.append(encode(name))
        train(torch.stack(rows), y)
        """,
    "one layer per name": """
        kinds = frozenset(["user", "item", "tag"])
        tables = nn.ModuleDict({kind: nn.Embedding(9, 4) for kind in kinds})  # finds: hash-order
        """,
    "parameters from a set": """
        chosen = set(model.parameters())
        torch.optim.SGD(list(chosen), lr=0.1)  # finds: hash-order
        """,
    "any of a set": """
        pool = {"a", "b", "c"}
        torch.manual_seed(encode(pool.pop()))  # finds: hash-order
        """,
    "files as they are listed": """
        import os
        class Images(torch.utils.data.Dataset):
            def __init__(self, root):
                self.files = os.listdir(root)  # finds: listing-order
            def __getitem__(self, i):
                return load(self.files[i])
        for batch in torch.utils.data.DataLoader(Images("x")):
            train(batch, y)
        """,
    "files by a pattern": """
        from glob import glob
        for name in glob("shards/*.npy"):  # finds: listing-order
            train(torch.load(name), y)
        """,
    "paths, by a dictionary": """
        from pathlib import Path
        images = {path.stem: path for path in Path("x").glob("*.png")}  # finds: listing-order
        ids = list(images)
        batch = torch.stack([load(images[key]) for key in ids])
        train(batch, y)
        """,
    "a walk": """
        import os
        rows = []
        for folder, _, files in os.walk("x"):  # finds: listing-order
            for name in files:
                rows.append(load(os.path.join(folder, name)))
        train(torch.stack(rows), y)
        """,
    "classes as they are listed": """
        import os
        classes = [entry.name for entry in os.scandir("x") if entry.is_dir()]  # finds: listing-order
        train(x, torch.tensor([classes.index(name) for name in load()]))
        """,
    "as they are completed": """
        from concurrent.futures import ThreadPoolExecutor, as_completed
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(load, i) for i in range(9)]
            rows = [done.result() for done in as_completed(waiting)]  # finds: concurrency
        train(torch.stack(rows), y)
        """,
    "as a pool hands them out": """
        import multiprocessing
        rows = []
        with multiprocessing.Pool(4) as pool:
            for row in pool.imap_unordered(load, range(9)):  # finds: concurrency
                rows.append(row)
        train(torch.stack(rows), y)
        """,
    "as joblib hands them out": """
        from joblib import Parallel, delayed
        rows = list(Parallel(4, return_as="generator_unordered")(delayed(load)(i) for i in x))  # finds: concurrency
        train(torch.stack(rows), y)
        """,
}

STABLE = {
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
}


@pytest.mark.parametrize("source", UNSTABLE.values(), ids=UNSTABLE)
def test_an_unstable_order_that_reaches_the_training_is_found(after_training: Doctor, source: str) -> None:
    """It is named where the order is taken up: where a set is walked, a folder listed, a result waited for."""
    answer = after_training(source)
    assert answer.found == answer.expected


@pytest.mark.parametrize("source", STABLE.values(), ids=STABLE)
def test_what_does_not_depend_on_the_order_is_not(after_training: Doctor, source: str) -> None:
    """Sorting, counting, looking up and putting in place make any order harmless."""
    assert after_training(source).found == []
