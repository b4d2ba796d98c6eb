"""Digests of what source code does: comments, spacing and docstrings do not count."""

from __future__ import annotations

import ast
import hashlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEFT_OUT: Final = frozenset({"ctx", "kind", "type_comment"})


def digest_syntax(content: bytes) -> str:
    """Return a digest of what a source file does. For a file that is not Python it is the digest of its bytes."""
    tree = parse_source(content)
    return hashlib.sha256(content).hexdigest() if tree is None else digest_nodes([tree])


def parse_source(content: bytes) -> ast.Module | None:
    """Return the syntax of a source file, or None if it is not Python."""
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def digest_nodes(nodes: list[Any]) -> str:
    """Return a digest of parts of a syntax tree, in order."""
    digest = hashlib.sha256()
    for node in nodes:
        for part in _spell(node):
            digest.update(part.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _spell(node: object) -> Iterator[str]:
    """Yield a syntax tree as text that does not depend on the version of Python where the code does not."""
    pending: list[object] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.AST):
            yield f"({type(item).__name__}"
            pending.append(")")
            fields = [(name, value) for name, value in ast.iter_fields(item) if name not in _LEFT_OUT]
            for name, value in reversed(fields):
                kept = _without_docstring(value) if name == "body" and isinstance(value, list) else value
                if kept is not None and kept != []:
                    pending += [kept, f" {name}="]
        elif isinstance(item, list):
            yield "["
            pending += ["]", *reversed(item)]
        elif item in {")", "]"} or (isinstance(item, str) and item.endswith("=") and item.startswith(" ")):
            yield str(item)
        else:
            yield f"{type(item).__name__}:{item!r};"


def _without_docstring(body: list[Any]) -> list[Any]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body
