"""Second-order MAML on sine waves: the inner loop differentiates with torch.autograd.grad."""

import argparse
import hashlib
import math

import torch
import torch.nn.functional as F


def init_params(hidden=20):
    sizes = [(hidden, 1), (hidden,), (1, hidden), (1,)]
    return [(0.5 * torch.randn(size)).requires_grad_() for size in sizes]


def predict(params, x):
    w1, b1, w2, b2 = params
    return F.linear(torch.tanh(F.linear(x, w1, b1)), w2, b2)


def sample_task():
    amplitude, phase = 0.5 + 2 * torch.rand(1), math.pi * torch.rand(1)

    def draw(count):
        x = 8 * torch.rand(count, 1) - 4
        return x, amplitude * torch.sin(x + phase)

    return draw


def adapt(params, x, y, lr, steps):
    for _ in range(steps):
        loss = F.mse_loss(predict(params, x), y)
        grads = torch.autograd.grad(loss, params, create_graph=True)
        params = [p - lr * g for p, g in zip(params, grads)]
    return params


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--tasks", type=int, default=3)
    parser.add_argument("--inner-lr", type=float, default=0.02)
    parser.add_argument("--inner-steps", type=int, default=2)
    args = parser.parse_args()

    torch.manual_seed(31)
    torch.set_num_threads(1)
    params = init_params()
    outer = torch.optim.Adam(params, lr=5e-3)
    for iteration in range(args.iterations):
        outer.zero_grad()
        total = 0.0
        for _ in range(args.tasks):
            draw = sample_task()
            fast = adapt(params, *draw(10), args.inner_lr, args.inner_steps)
            x, y = draw(10)
            total = total + F.mse_loss(predict(fast, x), y)
        (total / args.tasks).backward()
        outer.step()
        print(f"iteration {iteration}: post-adaptation loss {total.item() / args.tasks:.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in params)).hexdigest())


if __name__ == "__main__":
    main()
