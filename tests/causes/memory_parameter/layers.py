import torch
from torch import nn


class ScaledLinear(nn.Module):
    """A linear layer whose outputs have a learned scale."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_out, n_in))
        self.scale = nn.Parameter(torch.empty(n_out))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x):
        return (1 + self.scale) * (x @ self.weight.T) + self.bias
