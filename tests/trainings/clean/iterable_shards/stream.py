"""Readings of weather stations as a stream; each loader worker reads its share of the stations."""

import random

import torch
from torch.utils.data import IterableDataset, get_worker_info


class StationStream(IterableDataset):
    def __init__(self, stations, readings, seed):
        self.stations = stations
        self.readings = readings
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def _station(self, station):
        rng = random.Random(f"{self.seed}/{self.epoch}/{station}")
        level = rng.uniform(-1, 1)
        for _ in range(self.readings):
            pressure, wind = rng.gauss(0, 1), rng.gauss(0, 1)
            rain = max(0.0, level - 0.7 * pressure + 0.2 * wind)
            yield torch.tensor([pressure, wind, station / self.stations]), torch.tensor([rain])

    def __iter__(self):
        worker = get_worker_info()
        first, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for station in range(first, self.stations, stride):
            yield from self._station(station)
