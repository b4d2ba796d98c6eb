"""Tell by its text whether a line seems only to name a run, to print or log, or to sort what it reads.

This decides only which experiment is made first.
"""

from __future__ import annotations

import ast
import functools
from typing import TYPE_CHECKING, Final

from reproof.explain.syntax import last_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reproof.schema import CauseKind

TELLING: Final = frozenset(
    {"print", "info", "debug", "warning", "error", "log", "basicConfig", "strftime", "isoformat"}
)
"""Calls whose arguments are printed, logged or made into text."""

TEMPORARY: Final = frozenset({"TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile", "mkdtemp", "mkstemp"})
"""Calls that draw a name which only has to be new."""

ORDERING: Final = frozenset({"sorted", "len", "set", "frozenset", "sum", "max", "min", "any", "all"})
"""Calls whose result does not depend on the order of their argument, unless they have a key."""

LISTING: Final = frozenset({"listdir", "scandir", "glob", "iglob", "rglob", "iterdir", "walk"})
"""Calls that list folders, by `os.listdir` or `os.scandir`."""


def looks_harmless(path: Path, line: int, kind: CauseKind, source: str) -> bool:
    """Whether the value read on a line seems to be printed, to name something, or to lose its order.

    A file that cannot be read looks like any other. If the line (1-based) does not name the `source`, it is one of the
    innermost calls.
    """
    calls = list(find_calls(path, line))
    names = LISTING if kind == "listing-order" else {source.rpartition(".")[2]}
    inner = [call for call in calls if last_name(call.func) in names] or [
        call for call in calls if not any(other is not call and is_within(other, call) for other in calls)
    ]
    return bool(inner) and all(is_harmless(path, call, kind) for call in inner)


def find_calls(path: Path, line: int) -> Iterator[ast.Call]:
    """Yield the calls of which a part stands on a line."""
    for node in read_parents(path):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or node.lineno):
            yield node


def is_within(node: ast.AST, outer: ast.AST) -> bool:
    """Whether a node is a part of another."""
    return any(part is node for part in ast.walk(outer))


def is_harmless(path: Path, call: ast.Call, kind: CauseKind) -> bool:
    """Whether the value of a call goes into a text, is printed, or loses its order, within its statement."""
    parents = read_parents(path)
    node: ast.AST | None = call
    while node is not None and not isinstance(node, ast.stmt):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and is_harmless_call(node, kind)):
            return True
        node = parents.get(node)
    return False


def is_harmless_call(call: ast.Call, kind: CauseKind) -> bool:
    """Whether a call prints, names or sorts what it is given."""
    name = last_name(call.func)
    if kind == "listing-order":
        return name in ORDERING and not any(keyword.arg == "key" for keyword in call.keywords)
    return name in TELLING or name in TEMPORARY


@functools.lru_cache(maxsize=64)
def read_parents(path: Path) -> dict[ast.AST, ast.AST | None]:
    """Return the syntax of a file: each node, and what it is a part of."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    parents: dict[ast.AST, ast.AST | None] = {tree: None}
    for node in ast.walk(tree):
        parents.update(dict.fromkeys(ast.iter_child_nodes(node), node))
    return parents
