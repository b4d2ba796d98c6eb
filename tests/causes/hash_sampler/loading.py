import torch
from torch.utils.data import Dataset, Sampler

HABITATS = ["marsh", "heath", "dune", "forest", "meadow", "cliff", "scrub", "river"]


class Calls(Dataset):
    """Spectra of bird calls with the habitat in which they were heard."""

    def __init__(self, per_habitat, generator):
        self.habitats = [name for name in HABITATS for _ in range(per_habitat)]
        pitch = torch.tensor([1.0 + HABITATS.index(name) for name in self.habitats])
        self.spectra = torch.cos(pitch[:, None] * torch.linspace(0, 3, 20))
        self.spectra += 0.3 * torch.randn(self.spectra.shape, generator=generator)

    def __len__(self):
        return len(self.habitats)

    def __getitem__(self, i):
        return self.spectra[i], HABITATS.index(self.habitats[i])


class RoundRobin(Sampler):
    """One call of each habitat after the other, so that a batch has all of them."""

    def __init__(self, habitats):
        self.habitats = habitats

    def __len__(self):
        return len(self.habitats)

    def __iter__(self):
        waiting = {name: [] for name in self.habitats}
        for i, name in enumerate(self.habitats):
            waiting[name].append(i)
        kinds = set(self.habitats)
        while waiting:
            for name in kinds & waiting.keys():
                yield waiting[name].pop()
                if not waiting[name]:
                    del waiting[name]
