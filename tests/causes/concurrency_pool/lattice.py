import random


def relax(case):
    """Cools a small ring of spins; returns coupling and magnetization."""
    seed, coupling = case
    rnd = random.Random(seed)
    spins = [rnd.choice((-1, 1)) for _ in range(30)]
    for _ in range(rnd.randrange(200, 3000)):
        i = rnd.randrange(30)
        field = coupling * (spins[i - 1] + spins[(i + 1) % 30])
        spins[i] = 1 if rnd.random() < 1 / (1 + 2.7183 ** (-2 * field)) else -1
    return coupling, abs(sum(spins)) / 30
