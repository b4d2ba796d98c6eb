import math

import torch


class Station:
    """A place where rain is measured."""

    def __init__(self, name, height):
        self.name, self.height = name, height

    def rows(self, days):
        return [[day / days, self.height] for day in range(days)]

    def rain(self, days):
        return [math.sin(6.2832 * day / days) + 0.5 * self.height for day in range(days)]


def measurements(days):
    """Rain at every station that is in use, one station after the other."""
    stations = [Station(f"S{n}", n / 30) for n in range(30)]
    inputs, outputs = [], []
    for station in frozenset(stations):
        inputs += station.rows(days)
        outputs += station.rain(days)
    return torch.tensor(inputs), torch.tensor(outputs).unsqueeze(1)
