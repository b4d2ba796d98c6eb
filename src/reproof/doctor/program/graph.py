"""Where values go: a graph of what is made from what, and the search for a path from a source to a sink.

An edge is labelled with what happens to the value on the way, since the same step means different things for
different sources: sorting removes the order of a directory listing, and leaves a random number random. A search
follows one source. It remembers what is left of it, under which key or position of a container it lies, and which
call it entered, so that a value that goes into a function at one place does not come out at another.

Approximate on purpose: one level of containers, one level of calls.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import ast
    from collections.abc import Hashable

    from reproof.doctor.program.scopes import Scope

Key = str | int
Step = Literal[
    "copy",  # the same value
    "put",  # into a container, under a key
    "get",  # out of a container, from under a key
    "pick",  # one item at a fixed position, most often the only one
    "hold",  # as an item among others
    "iterate",  # the items, one after the other
    "derive",  # computed from it
    "enter",  # into a call
    "leave",  # out of a call
    "control",  # decides whether something happens
    "size",  # only how many there are, or of what type
    "fold",  # min, max, sum, set: does not depend on the order
    "sort",  # put in order
    "lookup",  # an item of a dictionary, by its key
    "store",  # put at a position that does not depend on the order
    "rank",  # the position in the order
    "read",  # what a file holds, by its name
    "text",  # written into a string
]


class Edge(NamedTuple):
    """A step from one node to another, with the key or call that it is about."""

    target: int
    step: Step
    key: Key | None = None


Form = Literal["value", "order", "text"]
"""What is left of a source: a value made from it, only its order, or a string that tells of it."""

Family = Literal["random", "outside", "order"]
"""Kinds of sources: random numbers; the outside world (clock, process); the order of something unordered."""

SinkKind = Literal["seed", "rate", "loss", "model", "data", "parameter"]


@dataclass(frozen=True, slots=True, eq=False)
class Sink:
    """A place where a value becomes part of the training.

    Attributes:
        kind: A seed; a rate or another setting of an optimizer; the loss; an input of a model; the data that is
            trained on; the value of a parameter.
        node: The syntax node.
        scope: The scope it stands in.
    """

    kind: SinkKind
    node: ast.AST
    scope: Scope


class _Position(NamedTuple):
    """Where a search is: at a node, with what is left of the source."""

    node: int
    form: Form
    key: Key | None
    call: int | None


_MAX_POSITIONS: Final = 200_000


class Graph:
    """Nodes are numbers; what they stand for is known by a key of whoever makes them."""

    def __init__(self) -> None:
        """Make an empty graph."""
        self._numbers: dict[Hashable, int] = {}
        self._edges: list[dict[Edge, None]] = []
        self._sinks: dict[int, list[Sink]] = {}
        self.sorted_nodes: set[int] = set()

    def node(self, key: Hashable) -> int:
        """Return the node of a key, made at the first time."""
        number = self._numbers.setdefault(key, len(self._edges))
        if number == len(self._edges):
            self._edges.append({})
        return number

    def connect(self, source: int, target: int, step: Step = "copy", key: Key | None = None) -> None:
        """Add an edge."""
        self._edges[source][Edge(target, step, key)] = None

    def add_sink(self, node: int, sink: Sink) -> None:
        """Make a node a sink."""
        sinks = self._sinks.setdefault(node, [])
        if all(known.node is not sink.node for known in sinks):
            sinks.append(sink)

    def find_sink(self, start: int, family: Family) -> Sink | None:
        """Return the nearest sink that a source of this family reaches, or None."""
        first = _Position(start, "order" if family == "order" else "value", None, None)
        seen, waiting = {first}, deque([first])
        while waiting and len(seen) < _MAX_POSITIONS:
            position = waiting.popleft()
            for sink in self._sinks.get(position.node, ()):
                if _takes(sink.kind, position.form, family):
                    return sink
            for edge in self._edges[position.node]:
                following = self._follow(position, edge, family)
                if following is not None and following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return None

    def _follow(self, position: _Position, edge: Edge, family: Family) -> _Position | None:
        if edge.target in self.sorted_nodes and position.form == "order":
            return None
        if edge.step in {"enter", "leave"}:
            return _cross_call(position, edge)
        if edge.step in {"put", "get", "pick"}:
            return _use_container(position, edge)
        form = _change_form(position.form, edge.step, family)
        if form is None:
            return None
        if edge.step == "rank":
            return position._replace(node=edge.target, form=form, key=edge.key)
        keeps_key = edge.step in {"copy", "hold", "iterate", "sort"}
        return position._replace(node=edge.target, form=form, key=position.key if keeps_key else None)


def _cross_call(position: _Position, edge: Edge) -> _Position | None:
    """Enter a call, or leave the one that was entered; where none was, any."""
    if edge.step == "enter":
        return position._replace(node=edge.target, call=edge.key if isinstance(edge.key, int) else None)
    return position._replace(node=edge.target, call=None) if position.call in {None, edge.key} else None


def _use_container(position: _Position, edge: Edge) -> _Position | None:
    if edge.step == "put":
        return position._replace(node=edge.target, key=edge.key)
    if position.key not in {None, edge.key}:
        return None
    is_dictionary_key = isinstance(edge.key, str) and not edge.key.startswith(".")
    if position.form == "order" and position.key is None and (is_dictionary_key or edge.step == "pick"):
        return None
    return position._replace(node=edge.target, key=None)


def _change_form(form: Form, step: Step, family: Family) -> Form | None:
    """Return what is left of a source after a step, or None if nothing is."""
    if step == "size" or (step == "control" and family != "random"):
        return None
    if form == "order":
        return None if step in {"fold", "sort", "lookup", "store"} else "value" if step == "rank" else "order"
    if step == "rank" or (step == "read" and (family == "outside" or form == "text")):
        return None  # the name of a file says nothing of what is in it
    return "text" if step == "text" and family != "order" else form


def _takes(kind: SinkKind, form: Form, family: Family) -> bool:
    """Whether a sink is one for what is left of a source."""
    if form == "text":
        return kind == "seed" or family == "random"  # a time in a string is a name or a message
    if form == "order":
        return kind not in {"seed", "model"}  # each file can go through a model in any order
    return True
