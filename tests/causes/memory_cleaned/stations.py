import random

import numpy as np


def parse(seed, days):
    """Return what each station has measured, day by day: temperature, wind, rain, pressure; some of it is missing."""
    rnd = random.Random(seed)
    return [
        [[rnd.gauss(0, 1) if rnd.random() < 0.8 else None for _ in range(4)] for _ in range(days)] for _ in range(12)
    ]


def tabulate(stations):
    """Return a row per station and day, without what is no number."""
    days = len(stations[0])
    table = np.empty((len(stations) * days, 4), dtype=np.float32)
    for s, station in enumerate(stations):
        for d, day in enumerate(station):
            for column, value in enumerate(day):
                if value is not None:
                    table[s * days + d, column] = value
    return np.nan_to_num(table).clip(-4, 4)


def label(stations):
    """Return the share of each day that was measured."""
    share = np.empty(len(stations) * len(stations[0]), dtype=np.float32)
    share[:] = [sum(value is not None for value in day) / 4 for station in stations for day in station]
    return share
