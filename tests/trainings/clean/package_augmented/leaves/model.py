from torch import nn


class SpeciesNet(nn.Module):
    def __init__(self, angles, species):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 5, padding=2, padding_mode="circular")
        self.norm = nn.GroupNorm(2, 8)
        self.out = nn.Linear(8 * angles // 4, species)

    def forward(self, outline):
        hidden = self.norm(self.conv(outline.unsqueeze(1))).relu()
        return self.out(nn.functional.max_pool1d(hidden, 4).flatten(1))
