"""What a script calls its seed, where the line is that a fix is for."""

from __future__ import annotations

import pytest

from reproof.explain.script import SCRIPTLESS, read_names

SEEDS = [
    ("SEED = 3\nrng = default_rng()  # here", "SEED"),
    ("from config import SEED\nrng = default_rng()  # here", "SEED"),
    ("args = parse()\ntorch.manual_seed(args.seed)\nrng = default_rng()  # here", "args.seed"),
    ("def make(run_seed):\n    return default_rng()  # here", "run_seed"),
    ("data_seed, seed = 1, 2\nrng = default_rng()  # here", "seed"),
    (
        "class Data:\n    def __init__(self):\n        print(self.seed)\n        self.rng = default_rng()  # here",
        "self.seed",
    ),
    ("SEED = 3\ndef make(seed):\n    return default_rng()  # here", "seed"),
    # nothing that can be named on the line
    ("def make(seed):\n    return seed\nrng = default_rng()  # here", "42"),
    ("def main(args):\n    print(args.seed)\ndef make():\n    return default_rng()  # here", "42"),
    ("import torch\nfrom random import seed\nseed(torch.initial_seed())\nrng = default_rng()  # here", "42"),
    ("import numpy as np\nnp.random.seed(3)\nrng = default_rng()  # here", "42"),
    ("seed = default_rng().integers(9)  # here", "42"),
    ("rng = default_rng()  # here", "42"),
    ("rng = default_rng(  # here", "seed"),
]


@pytest.mark.parametrize(("text", "seed"), SEEDS)
def test_the_seed_has_the_name_that_the_script_gives_it(text: str, seed: str) -> None:
    """A name that does not exist on the line would not run; a script that cannot be read counts as unknown."""
    line = next(number for number, code in enumerate(text.splitlines(), start=1) if code.endswith("# here"))
    assert read_names(text, line).seed == seed


def test_a_script_that_cannot_be_read_is_unknown() -> None:
    """Null bytes, or no Python at all."""
    assert read_names("a\0", 1) == SCRIPTLESS
    assert read_names("this is no Python", 1) == SCRIPTLESS
