"""Stochastic gradient Langevin dynamics: a gradient step plus Gaussian noise of matching size."""

import numpy as np
import torch
from torch.optim import Optimizer


class SGLD(Optimizer):
    def __init__(self, params, lr=1e-3, temperature=1e-4):
        super().__init__(params, {"lr": lr, "temperature": temperature})
        self.rng = np.random.default_rng()

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            scale = (2 * group["lr"] * group["temperature"]) ** 0.5
            for p in group["params"]:
                if p.grad is None:
                    continue
                noise = torch.from_numpy(self.rng.standard_normal(tuple(p.shape))).to(p.dtype)
                p.add_(p.grad, alpha=-group["lr"]).add_(noise, alpha=scale)
        return loss
