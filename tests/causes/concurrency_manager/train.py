"""Worker processes tokenize text; a bag-of-words model trains on what arrives."""

import hashlib
import multiprocessing as mp

import numpy as np
import torch
from torch import nn

VOCAB = 50


def tokenize(queue, number, documents):
    for d in range(documents):
        rng = np.random.default_rng([number, d])
        words = rng.integers(0, VOCAB, 200)
        counts = np.bincount(words, minlength=VOCAB).astype(np.float32)
        for _ in range(50):
            counts = np.sort(counts)[np.argsort(np.argsort(counts))]
        queue.put((counts, int(words[0] % 3)))
    queue.put(None)


def main():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    manager = mp.Manager()
    queue = manager.Queue(maxsize=64)
    workers = [mp.Process(target=tokenize, args=(queue, n, 30)) for n in range(3)]
    for w in workers:
        w.start()
    finished, docs = 0, []
    while finished < len(workers):
        item = queue.get()
        if item is None:
            finished += 1
        else:
            docs.append(item)
    for w in workers:
        w.join()
    model = nn.Linear(VOCAB, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    for i in range(0, len(docs), 10):
        x = torch.from_numpy(np.stack([c for c, _ in docs[i : i + 10]]))
        y = torch.tensor([t for _, t in docs[i : i + 10]])
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
    print("norm", model.weight.norm().item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()
