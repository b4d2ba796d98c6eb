import random
from concurrent.futures import ThreadPoolExecutor, as_completed


def pull(n):
    """Tide of planet n with up to four moons, from a generator of its own."""
    rnd = random.Random(n)
    moons = [(rnd.uniform(0.1, 1), rnd.uniform(1, 5)) for _ in range(rnd.randrange(1, 5))]
    return [len(moons), sum(mass for mass, _ in moons), sum(mass / far**3 for mass, far in moons)]


def tides(count):
    """Tides of all planets; results come in any order and are put where they belong."""
    rows = [None] * count
    with ThreadPoolExecutor(4) as pool:
        places = {pool.submit(pull, n): n for n in range(count)}
        for future in as_completed(places):
            rows[places[future]] = future.result()
        checked = list(pool.map(pull, range(count)))
    assert rows == checked
    return rows
