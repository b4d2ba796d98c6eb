from torch import nn


def block(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.SiLU())


class GaitAutoencoder(nn.Module):
    """Squeezes one gait cycle of 40 samples into four numbers."""

    def __init__(self, code=4):
        super().__init__()
        self.encoder = nn.Sequential(block(40, 16), nn.Linear(16, code))
        self.decoder = nn.Sequential(block(code, 16), nn.Linear(16, 40))

    def forward(self, cycle):
        return self.decoder(self.encoder(cycle))
