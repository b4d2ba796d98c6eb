"""Kepler's equation with torch.func alone: parameters are a dictionary, gradients a function of it."""

import hashlib

import torch
from torch import nn
from torch.func import functional_call, grad_and_value

torch.set_num_threads(1)


def sample(generator, count=64):
    mean_anomaly = torch.rand(count, 1, generator=generator) * 6.2832
    eccentricity = 0.6 * torch.rand(count, 1, generator=generator)
    anomaly = mean_anomaly.clone()
    for _ in range(30):
        anomaly = mean_anomaly + eccentricity * torch.sin(anomaly)
    return torch.cat([mean_anomaly, eccentricity], dim=1), anomaly


def loss_fn(params, model, x, y):
    prediction = functional_call(model, params, (x,))
    return torch.mean((prediction - y) ** 2)


def sgd(params, grads, velocity, lr=0.02, momentum=0.8):
    velocity = {k: momentum * velocity[k] + grads[k] for k in params}
    return {k: params[k] - lr * velocity[k] for k in params}, velocity


def main():
    torch.manual_seed(15)
    generator = torch.Generator().manual_seed(16)
    model = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
    params = {k: v.detach().clone() for k, v in model.named_parameters()}
    velocity = {k: torch.zeros_like(v) for k, v in params.items()}
    step_fn = grad_and_value(loss_fn)
    for step in range(12):
        x, y = sample(generator)
        grads, loss = step_fn(params, model, x, y)
        params, velocity = sgd(params, grads, velocity)
        print(f"step {step:2d} loss {loss.item():.6f}")
    digest = hashlib.sha256()
    for name in params:
        digest.update(params[name].numpy().tobytes())
    print("final", digest.hexdigest())


if __name__ == "__main__":
    main()
