"""A word model whose output layer is its embedding table: one parameter under two names."""

from torch import nn


class TiedModel(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.mix = nn.Sequential(nn.Linear(3 * width, width), nn.Tanh())
        self.decode = nn.Linear(width, vocabulary, bias=False)
        self.decode.weight = self.embed.weight

    def forward(self, context):
        return self.decode(self.mix(self.embed(context).flatten(1)))
