"""Rating prediction by matrix factorisation with Adagrad; Python's seeded `random` shuffles and splits."""

import hashlib
import random

import torch
from torch import nn

SEED = 17
USERS, FILMS, TASTES = 30, 40, 4


def make_ratings():
    taste = [[random.gauss(0, 1) for _ in range(TASTES)] for _ in range(USERS)]
    style = [[random.gauss(0, 1) for _ in range(TASTES)] for _ in range(FILMS)]
    ratings = []
    for user in range(USERS):
        for film in random.sample(range(FILMS), 8):
            score = sum(a * b for a, b in zip(taste[user], style[film]))
            ratings.append((user, film, max(1.0, min(5.0, 3 + score / 2))))
    return ratings


class Factors(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(USERS, TASTES)
        self.film = nn.Embedding(FILMS, TASTES)
        self.user_bias = nn.Embedding(USERS, 1)
        self.film_bias = nn.Embedding(FILMS, 1)

    def forward(self, user, film):
        dot = (self.user(user) * self.film(film)).sum(1)
        return 3 + dot + self.user_bias(user).squeeze(1) + self.film_bias(film).squeeze(1)


def batches(rows, size):
    random.shuffle(rows)
    for start in range(0, len(rows), size):
        user, film, score = zip(*rows[start : start + size])
        yield torch.tensor(user), torch.tensor(film), torch.tensor(score)


def rmse(model, rows):
    user, film, score = (torch.tensor(column) for column in zip(*rows))
    with torch.no_grad():
        return (model(user, film) - score).square().mean().sqrt().item()


def main():
    random.seed(SEED)
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    ratings = make_ratings()
    random.shuffle(ratings)
    test, train = ratings[:40], ratings[40:]
    model = Factors()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1, lr_decay=1e-3)
    for epoch in range(4):
        for user, film, score in batches(train, 40):
            loss = (model(user, film) - score).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: test rmse {rmse(model, test):.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()
