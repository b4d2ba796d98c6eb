from dataclasses import dataclass


@dataclass(frozen=True)
class GPTConfig:
    vocab_size: int = 128
    block_size: int = 24
    n_layer: int = 2
    n_head: int = 2
    n_embd: int = 32
    dropout: float = 0.1


@dataclass(frozen=True)
class TrainConfig:
    seed: int = 1337
    batch_size: int = 8
    max_iters: int = 10
    warmup_iters: int = 3
    eval_interval: int = 5
    eval_iters: int = 2
    learning_rate: float = 1e-3
    min_lr: float = 1e-4
    grad_clip: float = 1.0
