"""The hashing trick for search queries: a word's feature is its hash modulo the size of the table."""

import hashlib

import torch
from torch import nn

QUERIES = {
    "how to descale a kettle": "home",
    "best trail shoes for mud": "sport",
    "fix a dripping kitchen tap": "home",
    "marathon plan for beginners": "sport",
    "remove wax from a table": "home",
    "swim faster with less effort": "sport",
    "why does my oven smell": "home",
    "stretching before or after running": "sport",
    "paint a door without streaks": "home",
    "how long is a tennis set": "sport",
    "quiet fridge for a small flat": "home",
    "carbon or steel bike frame": "sport",
}
TABLE = 1024


def featurize(query):
    row = torch.zeros(TABLE)
    for word in query.split():
        row[hash(word) % TABLE] += 1
    return row


def get_batch(generator, size=6):
    queries = list(QUERIES)
    picks = torch.randint(len(queries), (size,), generator=generator).tolist()
    x = torch.stack([featurize(queries[i]) for i in picks])
    y = torch.tensor([float(QUERIES[queries[i]] == "sport") for i in picks])
    return x, y


def main():
    torch.manual_seed(52)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(53)
    model = nn.Linear(TABLE, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(8):
        x, y = get_batch(generator)
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()
