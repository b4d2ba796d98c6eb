import torch
from torch.utils.data import IterableDataset, get_worker_info


class Orbits(IterableDataset):
    """Points of ellipses; worker k of n makes every n-th one, starting with the k-th."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        info = get_worker_info()
        first, stride = (0, 1) if info is None else (info.id, info.num_workers)
        for n in range(first, self.count, stride):
            eccentricity = (n % 90) / 100
            angle = torch.tensor(2.4 * n)
            radius = (1 - eccentricity**2) / (1 + eccentricity * torch.cos(angle))
            yield torch.stack([angle.cos(), angle.sin(), torch.tensor(eccentricity)]), radius
