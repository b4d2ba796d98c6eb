"""Maximum likelihood of a softmax regression with L-BFGS: the optimizer calls the closure as often as it likes."""

import hashlib

import torch

torch.set_num_threads(1)
torch.manual_seed(4)
torch.set_default_dtype(torch.float64)

centers = torch.tensor([[0.0, 2.0, -1.0], [2.0, -1.0, 0.5], [-2.0, -1.0, 1.5], [1.0, 1.0, -2.0]])
label = torch.arange(240) % 4
data = centers[label] + torch.randn(240, 3)

model = torch.nn.Linear(3, 4)
optimizer = torch.optim.LBFGS(model.parameters(), lr=1, max_iter=4, history_size=5, line_search_fn="strong_wolfe")
calls = 0


def closure():
    global calls
    calls += 1
    optimizer.zero_grad()
    nll = torch.nn.functional.cross_entropy(model(data), label)
    penalty = 1e-3 * sum(p.square().sum() for p in model.parameters())
    loss = nll + penalty
    loss.backward()
    return loss


for iteration in range(4):
    loss = optimizer.step(closure)
    print(f"iteration {iteration}: objective {loss.item():.8f} after {calls} evaluations")

flat = torch.cat([p.detach().flatten() for p in model.parameters()])
print("final", hashlib.sha256(flat.numpy().tobytes()).hexdigest())
