import torch
from torch.utils.data import Dataset


class Melodies(Dataset):
    """Melodies of unequal length, each at the end of a window of notes: pitch and duration."""

    WINDOW = 640

    def __init__(self, count):
        lengths = torch.randint(300, 640, (count,)).tolist()
        self.notes = [torch.stack([torch.randn(n).cumsum(0) / 12, torch.rand(n)], dim=1) for n in lengths]

    def __len__(self):
        return len(self.notes)

    def __getitem__(self, i):
        notes = self.notes[i]
        window = torch.empty(self.WINDOW, 2)
        window[-len(notes) :] = notes
        return window.nan_to_num().clamp(-4, 4), notes[-1, 0] - notes[0, 0]
