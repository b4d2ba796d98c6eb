"""python -m tinygpt.train"""

import hashlib
import math

import torch

from .config import GPTConfig, TrainConfig
from .data import get_batch
from .model import GPT


def get_lr(it, cfg):
    if it < cfg.warmup_iters:
        return cfg.learning_rate * (it + 1) / cfg.warmup_iters
    ratio = (it - cfg.warmup_iters) / (cfg.max_iters - cfg.warmup_iters)
    return cfg.min_lr + 0.5 * (1 + math.cos(math.pi * ratio)) * (cfg.learning_rate - cfg.min_lr)


@torch.no_grad()
def estimate_loss(model, cfg, gpt_cfg):
    model.eval()
    out = {}
    for split in ("train", "val"):
        losses = [model(*get_batch(split, cfg.batch_size, gpt_cfg))[1].item() for _ in range(cfg.eval_iters)]
        out[split] = sum(losses) / len(losses)
    model.train()
    return out


def main():
    cfg, gpt_cfg = TrainConfig(), GPTConfig()
    torch.manual_seed(cfg.seed)
    torch.set_num_threads(1)
    model = GPT(gpt_cfg)
    decay = [p for p in model.parameters() if p.dim() >= 2]
    no_decay = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": no_decay, "weight_decay": 0.0}],
        lr=cfg.learning_rate,
        betas=(0.9, 0.95),
    )
    x, y = get_batch("train", cfg.batch_size, gpt_cfg)
    for it in range(cfg.max_iters):
        for group in optimizer.param_groups:
            group["lr"] = get_lr(it, cfg)
        if it % cfg.eval_interval == 0:
            losses = estimate_loss(model, cfg, gpt_cfg)
            print(f"step {it}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
        _, loss = model(x, y)
        x, y = get_batch("train", cfg.batch_size, gpt_cfg)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), cfg.grad_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    sha = hashlib.sha256()
    for p in model.parameters():
        sha.update(p.detach().numpy().tobytes())
    print("final", sha.hexdigest())


if __name__ == "__main__":
    main()
