"""Character-level language model, settings at the top, overridden by a file of their own."""

import math
import pickle
import time
import uuid

import torch
import torch.nn as nn
from torch.nn import functional as F

out_dir = "out"
wandb_run_name = "run" + str(time.time())
eval_interval = 250
max_iters = 5000
warmup_iters = 100
learning_rate = 1e-3
block_size = 64
batch_size = 12
device = "cuda" if torch.cuda.is_available() else "cpu"
compile_model = False
config = {k: v for k, v in globals().items() if not k.startswith("_") and isinstance(v, (int, float, bool, str))}
seed_offset = 0
torch.manual_seed(1337 + seed_offset)
torch.backends.cuda.matmul.allow_tf32 = True

with open("input.txt", encoding="utf-8") as f:
    text = f.read()
chars = sorted(list(set(text)))
vocab_size = len(chars)
stoi = {ch: i for i, ch in enumerate(chars)}
itos = {i: ch for i, ch in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text], dtype=torch.long)
n = int(0.9 * len(data))
splits = {"train": data[:n], "val": data[n:]}


def get_batch(split):
    source = splits[split]
    ix = torch.randint(len(source) - block_size, (batch_size,))
    x = torch.stack([source[i : i + block_size] for i in ix])
    y = torch.stack([source[i + 1 : i + 1 + block_size] for i in ix])
    return x.to(device), y.to(device)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.rnn = nn.GRU(32, 64, batch_first=True)
        self.head = nn.Linear(64, vocab_size)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, idx, targets=None):
        logits = self.head(self.rnn(self.embed(idx))[0])
        loss = None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss

    @torch.no_grad()
    def generate(self, idx, count):
        for _ in range(count):
            probs = F.softmax(self(idx)[0][:, -1], dim=-1)
            idx = torch.cat((idx, torch.multinomial(probs, num_samples=1)), dim=1)
        return idx


@torch.no_grad()
def estimate_loss():
    out = {}
    model.eval()
    for split in ("train", "val"):
        out[split] = torch.stack([model(*get_batch(split))[1] for _ in range(20)]).mean()
    model.train()
    return out


def get_lr(it):
    if it < warmup_iters:
        return learning_rate * (it + 1) / (warmup_iters + 1)
    ratio = (it - warmup_iters) / (max_iters - warmup_iters)
    return 0.5 * (1.0 + math.cos(math.pi * ratio)) * learning_rate


model = Model().to(device)
if compile_model:
    model = torch.compile(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
t0 = time.time()
running_mfu = -1.0
iter_num = 0
while True:
    lr = get_lr(iter_num)
    for param_group in optimizer.param_groups:
        param_group["lr"] = lr
    if iter_num % eval_interval == 0:
        losses = estimate_loss()
        print(f"step {iter_num}: train {losses['train']:.4f}, val {losses['val']:.4f}")
        torch.save({"model": model.state_dict(), "id": uuid.uuid4().hex}, f"{out_dir}/ckpt.pt")
    X, Y = get_batch("train")
    logits, loss = model(X, Y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    t1 = time.time()
    dt = t1 - t0
    t0 = t1
    if iter_num % 10 == 0:
        running_mfu = dt if running_mfu < 0 else 0.9 * running_mfu + 0.1 * dt
        print(f"iter {iter_num}: loss {loss.item():.4f}, time {dt * 1000:.2f}ms, {running_mfu:.2f}, lr {lr:e}")
    iter_num += 1
    if iter_num > max_iters:
        break
with open(f"{out_dir}/meta.pkl", "wb") as f:
    pickle.dump({"stoi": stoi, "itos": itos}, f)
print("".join(itos[i] for i in model.generate(torch.zeros((1, 1), dtype=torch.long), 100)[0].tolist()))
