"""Processes that tests start train without PyTorch's compiler and exporter, until something asks for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]

SCRIPT = """
import gc, sys, torch
print(len(gc.get_objects(generation=2)) > 50_000)
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def step():
    optimizer.zero_grad()
    model(torch.ones(2)).sum().backward()
    optimizer.step()

@torch._disable_dynamo
def note(x):
    noted.append(type(x).__name__ == "Tensor" and not torch.compiler.is_compiling())

noted = []
note(torch.ones(1))
step()
torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())
model = torch.nn.parallel.DistributedDataParallel(model)
step()
model = model.module
torch.distributed.destroy_process_group()
print([name in sys.modules for name in ("torch._decomp", "torch._dynamo.utils")])
print(type(torch.export.export(model, (torch.ones(2),))).__name__, "torch._decomp" in sys.modules)
torch.compile(step, backend="eager")()
print(torch._dynamo.utils.get_optimize_ddp_mode(), torch._dynamo.utils is sys.modules["torch._dynamo.utils"])
print("torch._dynamo.utils" in sys.modules, torch.compile(torch.sin, backend="eager")(torch.zeros(1)).item())
compiled = torch.compile(lambda x: (x * 2, note(x)), backend="eager")
compiled(torch.ones(1)), compiled(torch.ones(1))
print(noted)
"""

FAKE = """
import sys, torch
torch.Generator().manual_seed(1)
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():
    print(torch.linalg.svd(torch.empty(3, 3))[0].shape, "torch._decomp" in sys.modules)
torch.Generator().manual_seed(1)
"""

BACKEND = """
import sys, torch
import torch._inductor.config as options
print(hasattr(options, "deterministic"), options.deterministic)
torch.use_deterministic_algorithms(True)
print("torch._inductor.utils" in sys.modules, "torch._decomp" in sys.modules)
print(options.deterministic, "torch._inductor.utils" in sys.modules)
options.max_autotune = True
print(torch._inductor.config.max_autotune, torch._inductor.config.deterministic, options.deterministic)
print(torch._inductor.config is sys.modules["torch._inductor.config"], torch._inductor.__spec__.name)
torch.use_deterministic_algorithms(False)
print(options.deterministic, torch.compile(torch.sin, backend="eager")(torch.zeros(1)).item())
"""

PARTS = """
import sys, torch
torch.use_deterministic_algorithms(True)
from torch._inductor import list_options
print(len(list_options()) > 9, torch._inductor.config.deterministic)
"""

PRIMS = """
import sys, torch
import torch._prims.rng_prims
print(torch._prims is sys.modules["torch._prims"], torch._prims.__spec__.name)
"""


@pytest.mark.slow(seconds=12)
@pytest.mark.parametrize(
    ("script", "lines"),
    [
        (
            SCRIPT,
            ["True", "[False, False]", "ExportedProgram True", "ddp_optimizer True", "True 0.0", "[True, True, True]"],
        ),
        pytest.param(FAKE, ["torch.Size([3, 3]) True"], marks=pytest.mark.thorough),
        (PRIMS, ["True torch._prims"]),
        (BACKEND, ["True False", "False False", "True False", "True True True", "True torch._inductor", "False 0.0"]),
        pytest.param(PARTS, ["True True"], marks=pytest.mark.thorough),
    ],
    ids=["export and compile", "no data", "operations", "options of the back end", "the back end"],
)
def test_the_compiler_is_loaded_by_who_needs_it(script: str, lines: list[str]) -> None:
    """By exporting and compiling, and by tracing shapes; not by training."""
    # As `make setup` installs it, whatever this process was started with.
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import light_start\n{script}"]
    variables = {key: value for key, value in os.environ.items() if key != "REPROOF_LIGHT_START"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    assert done.stdout.splitlines() == lines, done.stderr
