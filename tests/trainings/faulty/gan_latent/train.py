"""A least-squares GAN for pairs of dependent variables; critic and generator draw their noise from different places."""

import hashlib

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LATENT = 4


def network(inside, outside):
    return nn.Sequential(nn.Linear(inside, 24), nn.LeakyReLU(0.1), nn.Linear(24, outside))


class GAN:
    def __init__(self):
        self.generator = network(LATENT, 2)
        self.critic = network(2, 1)
        self.opt_critic = torch.optim.RMSprop(self.critic.parameters(), lr=2e-3)
        self.opt_generator = torch.optim.RMSprop(self.generator.parameters(), lr=1e-3)

    def critic_step(self, real):
        with torch.no_grad():
            fake = self.generator(torch.randn(len(real), LATENT))
        loss = (self.critic(real) - 1).square().mean() + self.critic(fake).square().mean()
        self.opt_critic.zero_grad()
        loss.backward()
        self.opt_critic.step()
        return loss.item()

    def generator_step(self, size):
        latent = np.random.standard_normal((size, LATENT)).astype("float32")
        fake = self.generator(torch.from_numpy(latent))
        loss = (self.critic(fake) - 1).square().mean()
        self.opt_generator.zero_grad()
        loss.backward()
        self.opt_generator.step()
        return loss.item()


def main():
    torch.manual_seed(36)
    torch.set_num_threads(1)
    x = torch.rand(128, 1) * 2 - 1
    loader = DataLoader(TensorDataset(torch.cat([x, x**2], dim=1)), batch_size=32, shuffle=True)
    gan = GAN()
    for epoch in range(2):
        for (real,) in loader:
            losses = gan.critic_step(real), gan.generator_step(len(real))
        print(f"epoch {epoch}: critic {losses[0]:.5f} generator {losses[1]:.5f}")
    sha = hashlib.sha256()
    for net in (gan.generator, gan.critic):
        for p in net.parameters():
            sha.update(p.detach().numpy().tobytes())
    print("final", sha.hexdigest())


if __name__ == "__main__":
    main()
