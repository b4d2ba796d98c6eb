"""Which names a script has where a line is: a fix that names the script's seed must name one that exists.

Names are read from the text of one file. Left out: names that only exist in a class, and whether a name has its value
before the line is reached.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIXED_SEED: Final = "42"
"""What stands for the seed in a fix for a script that has none."""

SEED_NAME: Final = re.compile(r"(.*_)?seed", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that can be used on a line.

    Attributes:
        seed: What the script calls its seed, such as ``SEED`` or ``args.seed``; a number if it has none.
        visible: Names of variables, arguments and imports.
        unset: Arguments that are None unless whoever calls gives them, such as ``seed`` or ``self.seed``, each with the
            function or class that takes it.
        function: Name of the innermost function around the line; nothing outside of any.
    """

    seed: str
    visible: frozenset[str] = frozenset()
    unset: Mapping[str, str] = field(default_factory=dict)
    function: str = ""

    @property
    def advice(self) -> str:
        """What to do with the seed, as a comment."""
        return "a fixed seed, the same in each run" if self.seed == FIXED_SEED else "pass the run's seed"


SCRIPTLESS: Final = Names(seed="seed", visible=frozenset({"args"}))
"""Where no script is known: the names that most scripts have."""


def read_names(text: str, line: int) -> Names:
    """Return the names that can be used on a line of a script; what the line itself makes is not among them.

    A text that cannot be read counts as unknown.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return SCRIPTLESS
    if not tree.body:  # nor one that is not there
        return SCRIPTLESS
    around = [node for node in ast.walk(tree) if isinstance(node, Function) and spans(node, line)]
    nodes = [node for scope in (*reversed(around), tree) for node in walk_scope(scope) if not spans(node, line)]
    visible = frozenset(name for node in nodes for name in bound_names(node))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    seeds = [name for node in nodes for name in seed_names(node) if name.partition(".")[0] in visible]
    seeds = [name for name in seeds if name not in called]
    seeds.sort(key=lambda name: name.rpartition(".")[2].lower() != "seed")  # `seed` before `data_seed`
    names = [node.name for node in around if not isinstance(node, ast.Lambda)]
    return Names(
        seed=seeds[0] if seeds else FIXED_SEED,
        visible=visible,
        unset=find_unset(tree, line),
        function=names[-1] if names else "",
    )


def find_unset(tree: ast.Module, line: int) -> dict[str, str]:
    """Return the arguments that are None unless they are given, for a line; each with what takes it."""
    found: dict[str, str] = {}
    around = [node for node in ast.walk(tree) if isinstance(node, Named) and spans(node, line)]
    for node, outer in zip(around, [None, *around], strict=False):  # from the outside inwards
        if isinstance(node, ast.ClassDef):
            made = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and is_none(one.value)]
            taken = [*(name for one in made for name in none_arguments(one)), *(ast.unparse(f.target) for f in fields)]
            found |= {f"self.{name}": node.name for name in taken}
        else:
            is_made = isinstance(outer, ast.ClassDef) and node.name == "__init__"
            found |= dict.fromkeys(none_arguments(node), outer.name if outer is not None and is_made else node.name)
    return found


def none_arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of the arguments of a function whose default is None."""
    taken, given = function.args, function.args.defaults
    placed = [*taken.posonlyargs, *taken.args][-len(given) :] if given else []
    pairs = [*zip(placed, given, strict=True), *zip(taken.kwonlyargs, taken.kw_defaults, strict=True)]
    return [argument.arg for argument, default in pairs if is_none(default)]


def is_none(node: ast.AST | None) -> bool:
    """Whether a node is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def spans(node: ast.AST, line: int) -> bool:
    """Whether a line is one of those on which a node stands."""
    first: int | None = getattr(node, "lineno", None)
    return first is not None and first <= line <= (getattr(node, "end_lineno", None) or first)


def walk_scope(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module or a function in their order, without what is inside its functions and classes."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            yield from walk_scope(node)


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yield the name that a node gives to something."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]


def seed_names(node: ast.AST) -> Iterator[str]:
    """Yield what a node calls a seed: a variable, or a field such as ``args.seed``."""
    if isinstance(node, ast.Attribute) and SEED_NAME.fullmatch(node.attr):
        text = ast.unparse(node)
        yield from [text] if text.replace(".", "").isidentifier() else []
    yield from (name for name in bound_names(node) if SEED_NAME.fullmatch(name))
