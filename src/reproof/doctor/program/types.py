"""What kind of value an expression has, as far as order and hashing care.

Few types, because few questions are asked: is it a set? does the hash of its items change from run to run? is it an
instance of a class of the program, or of a library? What cannot be told is None, and nobody is accused for it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Text:
    """A string, or bytes: its hash is random unless ``PYTHONHASHSEED`` is set."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a bool: its hash is its value."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list, an iterator, or anything else that is walked in an order of its own."""

    item: Type | None = None


@dataclass(frozen=True, slots=True)
class Hashed:
    """A set or frozenset: walked in the order of its items' hashes."""

    item: Type | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A tuple whose positions have types of their own."""

    items: tuple[Type | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A dictionary."""

    key: Type | None = None
    value: Type | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a class of the program."""

    node: ast.ClassDef


@dataclass(frozen=True, slots=True)
class Foreign:
    """An instance of a class of a library, by its dotted name."""

    name: str


Type = Text | Number | Items | Hashed | Row | Table | Instance | Foreign

TEXT: Final = Text()
NUMBER: Final = Number()
PATH: Final = Foreign("pathlib.Path")
FILE: Final = Foreign("io.TextIOWrapper")
PARAMETER: Final = Foreign("torch.nn.Parameter")

_ADDRESS_HASHED: Final = frozenset({"torch.nn.Parameter", "torch.Tensor", "builtins.object"})
"""Classes of libraries whose hash is the address of the object, which changes from run to run."""


def join(types: list[Type | None]) -> Type | None:
    """Return the type that all of these have; None if they differ or one of them is not known."""
    known = [kind for kind in types if kind not in {Items(), Table()}] or types
    if not known or any(kind is None for kind in known):
        return None
    first = known[0]
    return first if all(kind == first for kind in known[1:]) else _join_containers(known)


def _join_containers(types: list[Type | None]) -> Type | None:
    if all(isinstance(kind, Items | Row) for kind in types):
        return Items(join([item_of(kind) for kind in types]))
    if all(isinstance(kind, Hashed) for kind in types):
        return Hashed(join([item_of(kind) for kind in types]))
    return None


def item_of(container: Type | None) -> Type | None:
    """Return the type of what a loop over a value yields."""
    if isinstance(container, Items | Hashed):
        return container.item
    if isinstance(container, Table):
        return container.key
    if isinstance(container, Row):
        return join(list(container.items))
    return TEXT if container in {TEXT, FILE} else None


def part_of(container: Type | None, position: int) -> Type | None:
    """Return the type at a position of a tuple or list."""
    if isinstance(container, Row):
        return container.items[position] if -len(container.items) <= position < len(container.items) else None
    return item_of(container) if isinstance(container, Items | Text) else None


def has_random_hash(kind: Type | None) -> bool:
    """Whether the hash of such a value is another one in the next run, for certain."""
    if isinstance(kind, Row):
        return any(has_random_hash(item) for item in kind.items)
    if isinstance(kind, Foreign):
        return kind == PATH or kind.name in _ADDRESS_HASHED
    if isinstance(kind, Instance):
        return _hashes_by_address(kind.node)
    return isinstance(kind, Text)


def _hashes_by_address(node: ast.ClassDef) -> bool:
    """Whether a class leaves its hash to `object`: no base that could define one, no decorator, no method for it."""
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    return not (node.bases or node.keywords or node.decorator_list or methods & {"__hash__", "__eq__"})
