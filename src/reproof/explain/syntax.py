"""One line of a script: its code without the comment, its syntax, and itself with one part replaced.

A line is read by itself: it may be the head of a block, an argument, or a part of a statement without a syntax of its
own.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING, NamedTuple

from reproof.explain.script import SCRIPTLESS, Names

if TYPE_CHECKING:
    from collections.abc import Container, Iterator


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
        return cls(code, tuple(ast.walk(parse(code))), names) if code else None

    @property
    def statement(self) -> ast.AST | None:
        """The first statement on the line."""
        return self.nodes[1] if len(self.nodes) > 1 else None

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
        """Return the line with the seed of the script as the only argument of a call."""
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


def parse(code: str) -> ast.Module:
    """Return the syntax of one line, which may be the head of a block; nothing, if it is a part of a statement."""
    for candidate in (code, f"{code} pass", f"if 0: pass\n{code} pass", code.removesuffix(",")):
        try:
            return ast.parse(candidate)
        except (SyntaxError, ValueError):
            continue
    return ast.Module(body=[], type_ignores=[])


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
