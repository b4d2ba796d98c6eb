"""One line of a script: its code without the comment, its syntax, and itself with one part replaced.

A line is read by itself: it may be the head of a block, an argument, or a part of a statement without a syntax of its
own.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.explain.script import SCRIPTLESS, Names

if TYPE_CHECKING:
    from collections.abc import Container, Iterator


CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
OPENING: Final = {")": "_(", "]": "[", "}": "{"}
"""What opens a bracket, so that anything may stand in it: arguments too, not only one expression."""

AROUND: Final = (("", ""), ("_(", ")"), ("{", "}"))
"""What may stand around a line without brackets of its own: arguments, items of a dictionary."""

STRING: Final = re.compile(r"""(["'])(?:\\.|(?!\1).)*\1""")

CARRIED_ON: Final = frozenset({"manual_seed", "spawn"})
"""Methods of a generator whose result is kept, and drawn from later."""

PER_SAMPLE: Final = frozenset({"__call__", "__getitem__", "__getitems__", "collate_fn", "forward", "training_step"})
"""Functions that are called once for each sample or batch."""


class Line(NamedTuple):
    """A line of a script.

    Attributes:
        code: The line without its indentation and its comment.
        nodes: Its syntax, outer nodes before inner ones; empty for a part of a longer statement.
        names: The names that the script has on this line.
    """

    code: str
    nodes: tuple[ast.AST, ...]
    names: Names

    @classmethod
    def read(cls, text: str, names: Names = SCRIPTLESS) -> Line | None:
        """Read a line; None if there is nothing on it."""
        code = cut_comment(text.strip())
        return cls(code, parse(code), names) if code else None

    @property
    def statement(self) -> ast.stmt | None:
        """The first statement on the line."""
        return next((node for node in self.nodes if isinstance(node, ast.stmt)), None)

    def calls(self, names: Container[str]) -> Iterator[ast.Call]:
        """Yield the calls of functions with these names, wherever they come from, the outer before the inner."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and last_name(node.func) in names:
                yield node

    def text_of(self, node: ast.AST | None) -> str:
        """Return the source text of a node."""
        return "" if node is None else self._bytes[node.col_offset : node.end_col_offset].decode()  # type: ignore[attr-defined]

    def replace(self, node: ast.AST, text: str, comment: str = "") -> str:
        """Return the line with another text in a node's place, and with a comment."""
        start, end = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        code = self._bytes[:start].decode() + text + self._bytes[end:].decode()
        return f"{code}    # {comment}" if comment else code

    def give(self, call: ast.Call, arguments: str, comment: str = "") -> str:
        """Return the line with other arguments in a call."""
        return self.replace(call, f"{self.text_of(call.func)}({arguments})", comment)

    def give_seed(self, call: ast.Call) -> str:
        """Return the line with a seed as the only argument of a call.

        It is that of the script, except where the line is run for each sample or call anew: the same seed would draw
        the same numbers each time.
        """
        drawn = (node for node in self.nodes if isinstance(node, ast.Attribute) and node.value is call)
        is_used_up = self.names.function and any(node.attr not in CARRIED_ON for node in drawn)
        if is_used_up or self.names.function in PER_SAMPLE:
            hint = "" if "torch" in self.names.visible else "; import torch"
            return self.give(call, "torch.randint(2**32, ()).item()", f"other numbers in each call, seeded once{hint}")
        return self.give(call, self.names.seed, self.names.advice)

    def add(self, call: ast.Call, argument: str, comment: str = "") -> str:
        """Return the line with one more argument in a call."""
        inside = ", ".join(self.text_of(node) for node in sort_arguments(call))
        return self.give(call, f"{inside}, {argument}" if inside else argument, comment)

    @property
    def _bytes(self) -> bytes:
        """The line in UTF-8, in whose bytes syntax nodes are placed."""
        return self.code.encode()


def cut_comment(text: str) -> str:
    """Return a line without its comment; a line that is part of a string keeps what looks like one."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                return text[: token.start[1]].rstrip()
    except (tokenize.TokenError, SyntaxError):
        pass
    return text


def parse(code: str) -> tuple[ast.AST, ...]:
    """Return the syntax of one line, outer nodes before inner ones; nothing, if it has none of its own.

    The line may be the head of a block or a part of a longer statement, such as ``for word in words}``: it is read
    between what it lacks, and of that no node is returned.
    """
    lacking, left_open = find_unmatched(code)
    parts = [(f"{left}{lacking}{first}\n", f"\n{left_open}{right}") for left, right in AROUND for first in ("", "_ ")]
    for before, after in (("", ""), ("", " pass"), ("if 0: pass\n", " pass"), *parts):
        try:
            tree = ast.parse(f"{before}{code}{after}")
        except (SyntaxError, ValueError):
            continue
        line = before.count("\n") + 1
        return tuple(node for node in ast.walk(tree) if is_within(node, line))
    return ()


def is_within(node: ast.AST, line: int) -> bool:
    """Whether all of a node stands on one line."""
    if hasattr(node, "lineno"):
        return node.lineno == line == node.end_lineno  # type: ignore[attr-defined,no-any-return]
    return all(is_within(child, line) for child in ast.iter_child_nodes(node))


def find_unmatched(code: str) -> tuple[str, str]:
    """Return the brackets that would have to stand before a line, and those after it, so that all are matched."""
    before, after = "", ""
    for bracket in re.sub(STRING, "", code):
        if bracket in CLOSING:
            after = CLOSING[bracket] + after
        elif after.startswith(bracket):
            after = after[1:]
        elif bracket in OPENING:
            before = OPENING[bracket] + before
    return before, after


def last_name(node: ast.AST) -> str:
    """Return the last part of a dotted name, or nothing."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def sort_arguments(call: ast.Call) -> list[ast.AST]:
    """Return the arguments of a call in the order in which they are written."""
    nodes: list[ast.AST] = [*call.args, *call.keywords]
    return sorted(nodes, key=lambda node: node.col_offset)  # type: ignore[attr-defined]


def contains(node: ast.AST, name: str) -> bool:
    """Whether a name is used somewhere in a node."""
    return any(last_name(child) == name for child in ast.walk(node))
