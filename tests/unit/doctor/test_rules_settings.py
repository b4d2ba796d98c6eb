"""Loaders, flags and variables that a script sets wrongly; parameters that it leaves unset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.doctor.conftest import Doctor

WRONG = {
    "the hash seed, from inside": """
        import os
        os.environ["PYTHONHASHSEED"] = "0"  # finds: hash-order
        """,
    "the hash seed, by other ways": """
        import os
        os.environ.setdefault("PYTHONHASHSEED", "0")  # finds: hash-order
        os.environ.update(PYTHONHASHSEED="0")  # finds: hash-order
        os.environ.update({
            "PYTHONHASHSEED": "0",  # finds: hash-order
        })
        """,
    "the hash seed, in a helper": """
        from os import environ
        def fix(seed):
            environ["PYTHONHASHSEED"] = str(seed)  # finds: hash-order
        fix(3)
        """,
    "the workspace, after CUDA": """
        import os
        model = model.to("cuda")
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # finds: environment
        """,
    "benchmarking": """
        torch.backends.cudnn.benchmark = True  # finds: nondeterministic-op
        """,
    "benchmarking under another name": """
        import torch.backends.cudnn as cudnn
        cudnn.benchmark = True  # finds: nondeterministic-op
        """,
    "batches as they get ready": """
        loader = torch.utils.data.DataLoader(x, num_workers=2, in_order=False)  # finds: concurrency
        """,
    "epochs that persistent workers never see": """
        class Stream(torch.utils.data.IterableDataset):
            def set_epoch(self, epoch):
                self.epoch = epoch
        stream = Stream()
        loader = torch.utils.data.DataLoader(stream, num_workers=2, persistent_workers=True)
        for epoch in range(3):
            stream.set_epoch(epoch)  # finds: worker-count
            for batch in loader:
                train(batch, y)
        """,
    "a parameter that reset_parameters forgets": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(4, 4))
                self.gate = nn.Parameter(torch.empty(4))  # finds: uninitialized-memory
                self.reset_parameters()
            def reset_parameters(self):
                nn.init.xavier_uniform_(self.weight)
            def forward(self, x):
                return torch.sigmoid(self.gate) * nn.functional.linear(x, self.weight)
        Layer()
        """,
    "a parameter of the old constructor": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.FloatTensor(4))  # finds: uninitialized-memory
        Layer()
        """,
    "a buffer that is only added to": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("seen", torch.empty(4))  # finds: uninitialized-memory
            def forward(self, x):
                self.seen.add_(x)
                return x / self.seen
        Layer()
        """,
}

RIGHT = {
    "the hash seed of a new start": """
        import os, sys
        if os.environ.get("PYTHONHASHSEED") != "0":
            os.environ["PYTHONHASHSEED"] = "0"
            os.execv(sys.executable, [sys.executable, *sys.argv])
        """,
    "the hash seed of children": """
        import os, subprocess
        os.environ["PYTHONHASHSEED"] = "0"
        subprocess.run(["python", "worker.py"])
        """,
    "other variables": """
        import os
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        model = model.to("cuda")
        """,
    "no benchmarking": """
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        """,
    "benchmarking if asked for": """
        import sys
        torch.backends.cudnn.benchmark = "--fast" in sys.argv
        """,
    "benchmarking taken back": """
        torch.backends.cudnn.benchmark = True
        if deterministic():
            torch.backends.cudnn.benchmark = False
        """,
    "order kept": """
        loader = torch.utils.data.DataLoader(x, num_workers=2, in_order=True)
        other = torch.utils.data.DataLoader(x, in_order=False)
        """,
    "epochs of a sampler": """
        from torch.utils.data.distributed import DistributedSampler
        sampler = DistributedSampler(data)
        loader = torch.utils.data.DataLoader(data, sampler=sampler, num_workers=2, persistent_workers=True)
        for epoch in range(3):
            sampler.set_epoch(epoch)
            for batch in loader:
                train(batch, y)
        """,
    "an epoch in shared memory": """
        class Stream(torch.utils.data.IterableDataset):
            def __init__(self):
                self.epoch = torch.zeros(1).share_memory_()
            def set_epoch(self, epoch):
                self.epoch.fill_(epoch)
        stream = Stream()
        loader = torch.utils.data.DataLoader(stream, num_workers=2, persistent_workers=True)
        stream.set_epoch(1)
        """,
    "parameters that are filled": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.empty(4))
                self.b = nn.Parameter(torch.empty(4))
                self.c = nn.Parameter(torch.empty(4))
                self.d = nn.Parameter(torch.empty(4))
                self.e = nn.Parameter(torch.empty(4).normal_())
                self.f = nn.Parameter(torch.Tensor([1.0, 2.0]))
                self.register_buffer("queue", torch.empty(4))
                nn.init.zeros_(self.a)
                self.b.data.uniform_(-1, 1)
                with torch.no_grad():
                    self.c[:] = 1
                init_gate(self.d)
                self.queue[0:2] = 1
        Layer()
        """,
    "parameters that are filled in a loop": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(4))
                for parameter in self.parameters():
                    nn.init.uniform_(parameter)
        Layer()
        """,
    "parameters that are filled from outside": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(4))
        def init(module):
            if isinstance(module, Layer):
                nn.init.uniform_(module.weight)
        Layer().apply(init)
        """,
    "a module that is never made": """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(4))
        """,
}


@pytest.mark.parametrize("source", WRONG.values(), ids=WRONG)
def test_what_is_set_wrongly_is_found(after_training: Doctor, source: str) -> None:
    """Each place that has no effect, or a harmful one, is named."""
    answer = after_training(source)
    assert answer.found == answer.expected


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_what_is_set_rightly_or_perhaps_is_not(after_training: Doctor, source: str) -> None:
    """What has its effect, or may have it, is not named."""
    assert after_training(source).found == []
