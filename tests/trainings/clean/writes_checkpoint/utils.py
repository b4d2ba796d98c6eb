"""Seeds and files."""

import json
import os
import random

import numpy as np
import torch


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def save_checkpoint(folder, epoch, model, optimizer):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"epoch{epoch}.pt")
    torch.save({"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    return path


def append_log(folder, **entry):
    with open(os.path.join(folder, "log.jsonl"), "a") as log:
        log.write(json.dumps(entry) + "\n")
