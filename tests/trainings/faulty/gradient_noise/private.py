"""Differentially private gradients: clip, then add Gaussian noise."""

import numpy as np
import torch


class GradientPrivacy:
    def __init__(self, parameters, clip, sigma):
        self.parameters = list(parameters)
        self.clip = clip
        self.sigma = sigma
        self.noise = np.random.RandomState()

    def __call__(self):
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        for p in self.parameters:
            sample = self.noise.normal(0.0, self.sigma * self.clip, size=tuple(p.shape))
            p.grad += torch.from_numpy(sample).to(p.grad.dtype)
