"""Customer churn from two columns of a customer table: logistic regression, full batch."""

import hashlib

import torch
from customers import churned, features


class Logistic(torch.nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(columns, dtype=torch.float64))
        self.bias = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, table):
        return table @ self.weight + self.bias


torch.set_num_threads(1)
table, label = features(), churned().double()
model = Logistic(table.size(1))
optimizer = torch.optim.ASGD(model.parameters(), lr=0.02)
for step in range(20):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(table), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"log-loss {loss.item():.5f}, weights {model.weight.tolist()}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
