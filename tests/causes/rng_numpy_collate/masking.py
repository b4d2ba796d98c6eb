import numpy as np
import torch

MASK, IGNORE = 1, -100


class MaskTokens:
    """Collates sequences and hides a share of their tokens, as in masked language modelling."""

    def __init__(self, share=0.2):
        self.share = share

    def __call__(self, sequences):
        tokens = np.stack(sequences)
        hidden = np.random.random(tokens.shape) < self.share
        targets = np.where(hidden, tokens, IGNORE)
        inputs = np.where(hidden, MASK, tokens)
        return {"input": torch.from_numpy(inputs), "target": torch.from_numpy(targets)}
