"""Through which argument a generator is seeded that does not stand on the line of whoever trains.

A class or function may take a seed that nobody gives it, and a package makes generators for itself. All that one such
argument seeds comes and goes together: it is one suspect, replayed as one and told once.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.explain.rewriting import GENERATORS
from reproof.explain.script import FIXED_SEED, is_none, read_names
from reproof.explain.suspects import START
from reproof.explain.syntax import Line, last_name, sort_arguments
from reproof.launch.cells import read_code, read_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from reproof.explain.suspects import Suspect
    from reproof.schema import CauseKind

BEHIND_DOORS: Final[frozenset[CauseKind]] = frozenset({"unseeded-generator", "os-entropy"})
"""Kinds of sources that a package makes for itself, where nothing on the user's line can be written otherwise."""

OF_PACKAGES: Final = {
    "stable_baselines3": "give the model its seed: PPO(..., seed={seed})",
    "sb3_contrib": "give the model its seed: TRPO(..., seed={seed})",
    "albumentations": "A.Compose([...], seed={seed})",
    "optuna": "sampler=optuna.samplers.TPESampler(seed={seed})    # where the study is made",
    "sklearn": "random_state={seed}    # as an argument of this call",
}
"""Through which argument of its own a package is seeded."""

OF_ANY_PACKAGE: Final = (
    "give {package} the run's seed where it is called: seed=, random_state=, rng= or generator=, whichever it takes"
)

ENVIRONMENTS: Final = frozenset({"gymnasium", "gym"})
"""Packages of environments, whose spaces have generators of their own."""

AGENTS: Final = frozenset(
    {"A2C", "ARS", "CrossQ", "DDPG", "DQN", "MaskablePPO", "PPO", "QRDQN", "RecurrentPPO", "SAC", "TD3", "TQC", "TRPO"}
)
"""Classes of Stable Baselines3 whose ``seed`` seeds the global generators and the environment as well."""

PACKAGES_OF_AGENTS: Final = frozenset({"stable_baselines3", "sb3_contrib"})

OF_AGENTS: Final = re.compile(r"^\s*(?:from|import)\s+(stable_baselines3|sb3_contrib)\b", re.MULTILINE)


class Argument(NamedTuple):
    """An argument by which a generator is seeded, and that is None.

    Attributes:
        text: The argument as it stands where the generator is made, such as ``seed`` or ``self.seed``.
        taker: Function or class that takes it and that nobody gives it; None where that is not known.
    """

    text: str
    taker: str | None


def find_argument(line: Line) -> Argument | None:
    """Return the argument by which the generator would be seeded that a line makes; None if it is given none."""
    for call in line.calls(GENERATORS):
        for node in sort_arguments(call):
            value = getattr(node, "value", None) if hasattr(node, "arg") else node
            if value is not None and not is_none(value):
                text = line.text_of(value)
                return Argument(text, line.names.unset.get(text))
    return None


def tell_door(line: Line | None, through: str | None) -> str | None:
    """Return how a generator is seeded that a package or a function makes; None where the line itself says it.

    `through` is the package that it calls and that makes the generator, or None.
    """
    if through in PACKAGES_OF_AGENTS and line is not None:
        for call in line.calls(AGENTS):
            return line.add(call, f"seed={FIXED_SEED}", "seeds the global generators and the environment as well")
    if through in ENVIRONMENTS and line is not None:
        return seed_environment(line)
    if through is not None:
        seed = FIXED_SEED if line is None else line.names.seed
        return OF_PACKAGES.get(through, OF_ANY_PACKAGE).format(package=through, seed=seed)
    argument = None if line is None else find_argument(line)
    if argument is None:
        return None
    if argument.taker is None:
        return f"{argument.text} is None here: give it a fixed number, such as {FIXED_SEED}"
    name = argument.text.removeprefix("self.")
    return f"give {argument.taker} its seed wherever it is called: {argument.taker}(..., {name}={FIXED_SEED})"


def seed_environment(line: Line) -> str:
    """Return how an environment or its space is seeded that is made or used on a line, by the name that it has there.

    A vector of environments has two spaces, and only the one named here is that of its first environment.
    Source: https://gymnasium.farama.org/api/vector/
    """
    for call in line.calls({"reset"}):
        if all(keyword.arg != "seed" for keyword in call.keywords):
            return line.add(call, f"seed={line.names.seed}", "the first time")
    named = [node for node in line.nodes if isinstance(node, ast.Attribute | ast.Name)]
    space = next((node for node in named if last_name(node).endswith("_space")), None)
    if space is not None:
        return f"{line.text_of(space)}.seed({line.names.seed})    # once, where the environment is made"
    made = next((line.text_of(node) for node in named if isinstance(node.ctx, ast.Store)), "env")
    kind = "single_action_space" if "vec" in line.code.lower() else "action_space"
    seed = line.names.seed
    return f"{made}.{kind}.seed({seed})    # after this line; and {made}.reset(seed={seed}) the first time"


def fold_doors(suspects: Iterable[Suspect], folder: Path) -> list[Suspect]:
    """Take together what one argument seeds."""
    folded: dict[Any, Suspect] = {}
    for suspect in sorted(suspects, key=lambda one: (one.file or "", one.line or 0)):
        key = find_door(suspect, folder) or suspect.key
        known = folded.get(key)
        if known is None:
            folded[key] = suspect
        else:
            together = (*known.tasks, suspect.key, *suspect.tasks)
            folded[key] = replace(known, tasks=together, first_step=min(known.first_step, suspect.first_step))
    return list(folded.values())


def fold_agents(
    suspects: Sequence[Suspect], lines_of: Callable[[Suspect], Sequence[Suspect]], folder: Path
) -> Sequence[Suspect]:
    """Take together what the seed of an agent seeds: global generators, if nothing draws from them before it is made.

    `lines_of` returns the lines that draw from a global generator.
    """
    drawn = {one: lines_of(one) for one in suspects if one.key.endswith(START)}
    lines = [line for found in drawn.values() for line in found if not is_import(line, folder)]
    made = [(line, package) for line in lines if (package := find_agent(line, folder)) is not None]
    if not made:
        return suspects
    (agent, package) = min(made, key=lambda found: found[0].line or 0)
    within = {(one.file, one.line) for one in suspects if one.through == package}
    if any((one.file, one.line) not in within and not follows(one, agent) for one in lines):
        return suspects
    seeded = [*drawn, *(one for one in suspects if one.through == package and one.kind in BEHIND_DOORS)]
    first = next(one for one, found in drawn.items() if agent in found)
    keys = tuple(key for one in seeded if one is not first for key in one.keys)
    folded = replace(first, tasks=(*first.tasks, *keys), through=package)
    return [folded, *(one for one in suspects if one not in seeded)]


def find_agent(suspect: Suspect, folder: Path) -> str | None:
    """Return the package whose agent is made on a line, or None."""
    if suspect.file is None or suspect.line is None:
        return None
    path = str(folder / suspect.file)
    line, package = Line.read(read_line(path, suspect.line)), OF_AGENTS.search(read_code(path, suspect.line)[0])
    is_made = line is not None and next(line.calls(AGENTS), None) is not None
    return package.group(1) if is_made and package is not None else None


def is_import(suspect: Suspect, folder: Path) -> bool:
    """Whether a line imports: what a package draws meanwhile does not reach the training."""
    text = read_line(str(folder / (suspect.file or "")), suspect.line or 0)
    return text.lstrip().startswith(("import ", "from "))


def follows(line: Suspect, agent: Suspect) -> bool:
    """Whether a line is that of the agent, or one that stands behind it."""
    return line.file == agent.file and (line.line or 0) >= (agent.line or 0)


def find_door(suspect: Suspect, folder: Path) -> tuple[object, ...] | None:
    """Return what is the same for all suspects that one argument seeds, or None."""
    if suspect.kind not in BEHIND_DOORS or suspect.file is None or suspect.line is None:
        return None
    if suspect.through is not None:
        return suspect.kind, suspect.file, suspect.line, suspect.through
    path = str(folder / suspect.file)
    line = Line.read(read_line(path, suspect.line), read_names(*read_code(path, suspect.line)))
    argument = None if line is None else find_argument(line)
    if argument is None or argument.taker is None:
        return None
    return suspect.kind, suspect.file, argument.taker, argument.text.removeprefix("self.")
