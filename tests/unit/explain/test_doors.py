"""What one argument seeds is one suspect, and its fix names that argument."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from reproof.explain.doors import fold_agents, fold_doors
from reproof.explain.remedies import remedy_for
from reproof.explain.script import read_names
from reproof.explain.suspects import Suspect

if TYPE_CHECKING:
    from pathlib import Path

SIMULATOR: Final = """import random
import numpy as np

class Simulator:
    def __init__(self, scale, seed=None):
        self.seed = seed
        self.noise = np.random.default_rng(seed)
        self.order = random.Random(x=seed)
        self.own = np.random.default_rng()

    def legacy(self):
        return np.random.RandomState(self.seed)

def shuffled(items, *, state=None):
    return random.Random(state).sample(items, len(items))

def drawn(config, seed):
    return np.random.default_rng(config.seed), np.random.default_rng(seed)
"""


def made_on(line: int, through: str | None = None, source: str = "numpy.random.default_rng") -> Suspect:
    """Return a generator that is made on a line."""
    key = f"{source}@sim.py:{line}"
    return Suspect(key=key, kind="unseeded-generator", source=source, file="sim.py", line=line, through=through)


def test_what_one_argument_seeds_is_one_suspect(tmp_path: Path) -> None:
    """At its first line, wherever the others are; what is given no argument, or another one, is one of its own."""
    (tmp_path / "sim.py").write_text(SIMULATOR, encoding="utf-8")
    folded = fold_doors([made_on(line) for line in (12, 9, 8, 7, 15, 18)], tmp_path)
    assert [(one.line, one.tasks) for one in folded] == [
        (7, ("numpy.random.default_rng@sim.py:8", "numpy.random.default_rng@sim.py:12")),
        (9, ()),
        (15, ()),
        (18, ()),
    ]


def test_what_a_package_makes_on_one_line_is_one_suspect(tmp_path: Path) -> None:
    """It has an argument that seeds all of it; another kind of source on that line needs not."""
    several = [made_on(3, "simlib"), made_on(3, "simlib", "random.Random"), made_on(4, "simlib"), made_on(3)]
    folded = fold_doors(several, tmp_path)
    assert [(one.line, one.through, len(one.keys)) for one in folded] == [
        (3, "simlib", 2),
        (3, None, 1),
        (4, "simlib", 1),
    ]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (7, "give Simulator its seed wherever it is called: Simulator(..., seed=42)"),
        (12, "give Simulator its seed wherever it is called: Simulator(..., seed=42)"),
        (15, "give shuffled its seed wherever it is called: shuffled(..., state=42)"),
        (18, "config.seed is None here: give it a fixed number, such as 42"),
    ],
)
def test_the_fix_names_the_argument(line: int, fix: str) -> None:
    """And who takes it, where it can be left out: the line that makes the generator is right as it stands."""
    names = read_names(SIMULATOR, line)
    text = SIMULATOR.splitlines()[line - 1]
    assert remedy_for("unseeded-generator", "numpy.random.default_rng", text, names).fix == fix


AGENT: Final = """import gymnasium as gym
from stable_baselines3 import A2C
env = gym.make("CartPole-v1")
model = A2C("MlpPolicy", env)
model.learn(64)
"""


@pytest.mark.parametrize("is_drawn_before", [False, True])
def test_what_the_seed_of_an_agent_seeds_is_one_suspect(
    tmp_path: Path,
    is_drawn_before: bool,  # noqa: FBT001  # a case
) -> None:
    """Global generators too, unless something draws from them before the agent is made."""
    (tmp_path / "train.py").write_text(AGENT, encoding="utf-8")
    starts = [
        Suspect(key=f"{name}@start", kind="unseeded-rng", source=name) for name in ("numpy.random", "torch", "random")
    ]
    inside = Suspect(
        key="default_rng@train.py:5",
        kind="unseeded-generator",
        source="default_rng",
        file="train.py",
        line=5,
        through="stable_baselines3",
    )
    clock = Suspect(key="time.time@train.py:5", kind="wall-clock", source="time.time", file="train.py", line=5)
    drawn = {"random": [2], "numpy.random": [5], "torch": [3, 4] if is_drawn_before else [4, 5]}

    def lines_of(start: Suspect) -> list[Suspect]:
        lines = drawn[start.source]
        return [replace(start, key=f"{start.source}@train.py:{n}", file="train.py", line=n) for n in lines]

    folded = fold_agents([*starts, inside, clock], lines_of, tmp_path)
    if is_drawn_before:
        assert folded == [*starts, inside, clock]
    else:
        assert [one.key for one in folded] == ["torch@start", clock.key]
        assert set(folded[0].keys) == {"torch@start", "numpy.random@start", "random@start", inside.key}
        remedy = remedy_for("unseeded-rng", "torch", AGENT.splitlines()[3], through=folded[0].through)
        assert remedy.fix.startswith('model = A2C("MlpPolicy", env, seed=42)    # ')
