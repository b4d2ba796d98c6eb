"""What a training reaches by its source: too much rather than too little."""

from __future__ import annotations

import pytest

from reproof.bundle.reach import find_reached, read_units


def reach(**files: str) -> dict[str, list[str]]:
    """Return what `train` of a.py reaches in a project of some files."""
    taken = {f"{name.replace('_of_', '/')}.py": read_units(text.encode()) for name, text in files.items()}
    return find_reached({name: units for name, units in taken.items() if units is not None}, "a.py:train")


TRAIN = "def train(config, run):\n    return {}\n"


@pytest.mark.parametrize(
    ("text", "name", "is_reached"),
    [
        (TRAIN.format("f()") + "def f(): return 1\n", "f", True),
        (TRAIN.format("1") + "def f(): return 1\n", "f", False),
        (TRAIN.format("g()") + "def g(): return f()\ndef f(): return 1\n", "f", True),
        (TRAIN.format("run.f()") + "def f(): return 1\n", "f", True),  # a method may be any function of this name
        (TRAIN.format("getattr(run, 'f')") + "def f(): return 1\n", "f", True),
        (TRAIN.format("eval(config)") + "def f(): return 1\n", "f", True),
        (TRAIN.format("model.eval()") + "def f(): return 1\n", "f", False),
        (TRAIN.format("globals()[config]()") + "def f(): return 1\n", "f", True),
        ("import nets\n" + TRAIN.format("getattr(nets, config)") + "def f(): return 1\n", "f", True),
        ("import torch\n" + TRAIN.format("getattr(torch, config)") + "def f(): return 1\n", "f", False),
        ("import sys\n" + TRAIN.format("sys.modules[config]") + "def f(): return 1\n", "f", True),
        (TRAIN.format("1") + "R = {}\ndef reg(f): R[1] = f\n@reg\ndef f(): return 1\n", "f", True),
        ("import click\n" + TRAIN.format("1") + "@click.option('--n')\ndef f(): return 1\n", "f", False),
        ("import torch\n" + TRAIN.format("1") + "@torch.no_grad()\ndef f(): return 1\n", "f", False),
        (
            TRAIN.format("B.all[config]") + "class B:\n  def __init_subclass__(cls): pass\nclass f(B): pass\n",
            "f",
            True,
        ),
        (TRAIN.format("1") + "class B: pass\nclass f(B): pass\n", "f", False),
        (TRAIN.format("1") + "f = 3\n", "f", False),
        (TRAIN.format("1") + "import numpy as np\nf = np.random.default_rng()\n", "f", True),  # it may draw
        ("import torch\n" + TRAIN.format("1") + "torch.backends.cudnn.benchmark = True\n", "<top>", True),
        ("import torch\n" + TRAIN.format("1") + "for i in range(3):\n  torch.rand(1)\n", "<top>", True),
        ("import argparse\n" + TRAIN.format("1") + "f = argparse.ArgumentParser()\nf.add_argument('n')\n", "f", False),
        (TRAIN.format("1") + "if __name__ == '__main__':\n    train(1, 2)\n", "__main__", False),
        ("from nets import *\n" + TRAIN.format("1"), "*", True),
    ],
)
def test_names_are_followed(text: str, name: str, is_reached: bool) -> None:  # noqa: FBT001  # a parameter
    """Through calls, attributes, registries and look-ups; what runs at an import counts by itself."""
    assert (name in reach(a=text)["a.py"]) is is_reached


def test_imports_are_followed_into_other_files() -> None:
    """Of a file that is imported, what is named, and what runs; one that only an unused function imports is not."""
    found = reach(
        a="from net.model import make\ndef train(c, r): return make()\ndef other():\n    import plots\n",
        net_of___init__="import os\nos.environ['A'] = '1'\n",
        net_of_model="from . import layers\ndef make(): return layers.One()\ndef unused(): pass\n",
        net_of_layers="class One: pass\nclass Two: pass\n",
        plots="import torch\ntorch.manual_seed(1)\n",
    )
    assert found["net/__init__.py"] == ["os", "<top>"]
    assert found["net/model.py"] == ["layers", "make"]
    assert found["net/layers.py"] == ["One"]
    assert "plots.py" not in found
