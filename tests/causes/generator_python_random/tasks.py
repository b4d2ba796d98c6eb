import random

import torch


class TaskMixture:
    """Three arithmetic tasks; which one comes next is left to chance."""

    tasks = ("sum", "product", "difference")

    def __init__(self):
        self.choose = random.Random()

    def draw(self, generator, count=48):
        a, b = torch.rand(2, count, generator=generator)
        task = self.choose.choice(self.tasks)
        answer = {"sum": a + b, "product": a * b, "difference": a - b}[task]
        flag = torch.full_like(a, float(self.tasks.index(task)))
        return torch.stack([a, b, flag], dim=1), answer.unsqueeze(1)
