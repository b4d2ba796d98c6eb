"""A hinge GAN that learns short sine snippets: two networks, two optimizers."""

import argparse
import hashlib
import math

import torch
from torch import nn


def real_waves(batch, length, generator):
    phase = torch.rand(batch, 1, generator=generator) * 2 * math.pi
    speed = 0.5 + torch.rand(batch, 1, generator=generator)
    return torch.sin(torch.arange(length) * speed * 0.4 + phase)


class Generator(nn.Module):
    def __init__(self, latent, length):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(latent, 48), nn.LeakyReLU(0.2), nn.Linear(48, length), nn.Tanh())

    def forward(self, z):
        return self.net(z)


class Critic(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.conv = nn.Conv1d(1, 12, 5, stride=2)
        self.head = nn.Linear(12 * ((length - 5) // 2 + 1), 1)

    def forward(self, wave):
        hidden = nn.functional.leaky_relu(self.conv(wave.unsqueeze(1)), 0.2)
        return self.head(hidden.flatten(1)).squeeze(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--latent", type=int, default=6)
    parser.add_argument("--critic-steps", type=int, default=2)
    parser.add_argument("--seed", type=int, default=21)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    data_generator = torch.Generator().manual_seed(args.seed + 1)
    generator, critic = Generator(args.latent, 24), Critic(24)
    opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    opt_c = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))

    for step in range(args.steps):
        for _ in range(args.critic_steps):
            real = real_waves(32, 24, data_generator)
            fake = generator(torch.randn(32, args.latent)).detach()
            loss_c = torch.relu(1 - critic(real)).mean() + torch.relu(1 + critic(fake)).mean()
            opt_c.zero_grad()
            loss_c.backward()
            opt_c.step()
        loss_g = -critic(generator(torch.randn(32, args.latent))).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
        print(f"{step}: critic {loss_c.item():+.4f} generator {loss_g.item():+.4f}")

    digest = hashlib.sha256()
    for network in (generator, critic):
        for tensor in network.state_dict().values():
            digest.update(tensor.numpy().tobytes())
    print("final", digest.hexdigest())


if __name__ == "__main__":
    main()
