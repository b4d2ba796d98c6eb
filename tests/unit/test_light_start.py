"""Processes that tests start train without PyTorch's compiler, until something is compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]

SCRIPT = """
import sys, torch
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def step():
    optimizer.zero_grad()
    model(torch.ones(2)).sum().backward()
    optimizer.step()

step()
print("torch._dynamo.utils" in sys.modules)
torch.compile(step, backend="eager")()
print("torch._dynamo.utils" in sys.modules, torch.compile(torch.sin, backend="eager")(torch.zeros(1)).item())
"""


@pytest.mark.slow(seconds=4)
def test_the_compiler_is_loaded_by_who_needs_it() -> None:
    """By compiling, not by training."""
    # As `make setup` installs it, whatever this process was started with.
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import light_start\n{SCRIPT}"]
    variables = {key: value for key, value in os.environ.items() if key != "REPROOF_LIGHT_START"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    assert done.stdout.splitlines() == ["False", "True 0.0"], done.stderr
