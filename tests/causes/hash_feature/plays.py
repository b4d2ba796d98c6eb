import random

TITLES = ["dawn", "ember", "fjord", "glacier", "harvest", "island", "juniper", "kestrel", "lagoon", "meadow"]
LISTENERS = [f"listener{n}" for n in range(40)]
TABLE = 97


def bucket(*parts):
    """Row of the embedding table for a crossed feature."""
    return hash(parts) % TABLE


def history(count, seed):
    rnd = random.Random(seed)
    rows = []
    for _ in range(count):
        who, what = rnd.randrange(len(LISTENERS)), rnd.randrange(len(TITLES))
        crossed = bucket(LISTENERS[who], TITLES[what])
        rows.append((who, what, crossed, float((who * 3 + what) % 4 == 0)))
    return rows
