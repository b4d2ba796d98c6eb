import torch
from torch.utils.data import Dataset


class Plates(Dataset):
    """Gray rectangles under changing light; the light is drawn where the sample is made."""

    def __init__(self, count):
        n = torch.arange(count)
        self.width, self.height = 2 + n % 7, 2 + n % 5

    def __len__(self):
        return len(self.width)

    def __getitem__(self, n):
        plate = torch.zeros(10, 10)
        plate[: self.width[n], : self.height[n]] = 1.0
        light = 0.5 + torch.rand(1)
        return light * plate, (self.width[n] * self.height[n] / 40).float()
