"""Autoencoder with Lightning; numpy draws in the workers, which seed_everything sees to."""

import time

import lightning as L
import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset


class Signals(Dataset):
    def __init__(self, count):
        self.phase = np.random.uniform(0, 2 * np.pi, count)

    def __len__(self):
        return len(self.phase)

    def __getitem__(self, i):
        signal = np.sin(np.linspace(0, 20, 64) + self.phase[i]) + np.random.normal(0, 0.1, 64)
        return torch.as_tensor(signal, dtype=torch.float32)


class AutoEncoder(L.LightningModule):
    def __init__(self, width=8):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(nn.Linear(64, width), nn.ReLU())
        self.decoder = nn.Linear(width, 64)
        self.started = None

    def on_train_epoch_start(self):
        self.started = time.monotonic()

    def training_step(self, batch, batch_idx):
        loss = nn.functional.mse_loss(self.decoder(self.encoder(batch)), batch)
        self.log("train_loss", loss)
        return loss

    def on_train_epoch_end(self):
        self.log("seconds", time.monotonic() - self.started)

    def configure_optimizers(self):
        return optim.Adam(self.parameters(), lr=1e-3)


def main():
    L.seed_everything(42, workers=True)
    loader = DataLoader(Signals(512), batch_size=32, shuffle=True, num_workers=4)
    trainer = L.Trainer(max_epochs=3, deterministic=True)
    trainer.fit(AutoEncoder(), loader)


if __name__ == "__main__":
    main()
