"""What the builders of the graph share: the frame that they are in, what they note, and how values meet variables.

A variable is not one node: each assignment makes another, so that ``t`` can be a time at the top of a function and a
tensor below. What other functions see of a variable is all of its assignments together.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reproof.doctor.program.constants import Constants
from reproof.doctor.program.graph import Graph
from reproof.doctor.program.inference import Inference
from reproof.doctor.program.scopes import FunctionNode, Scope, parameters
from reproof.doctor.program.types import Table

if TYPE_CHECKING:
    from collections.abc import Hashable

    from reproof.doctor.program.graph import Key, Step
    from reproof.doctor.program.names import Definition, Names

Environment = dict[str, frozenset[int]]
Use = Literal["call", "data", "worker"]
"""How a function is used: called or handed on; called by a loader to fetch data; called in each of its workers."""

_DATA_METHODS = frozenset({"__getitem__", "__getitems__", "__iter__", "__next__", "__call__"})
_RESULT_METHODS = ("__call__", "forward", "__getitem__", "__iter__", "__next__")


@dataclass(frozen=True, slots=True, eq=False)
class CallSite:
    """A call that can happen.

    Attributes:
        call: Its syntax node.
        scope: The scope it stands in.
        name: The full dotted name of what is called, if a library's; for a method of an instance of a library's
            class, the class and the method; else empty.
        target: What is called, if the program's own.
        node: The node of its result.
        function: The function whose body it stands in, or the module.
    """

    call: ast.Call
    scope: Scope
    name: str
    target: Definition | None
    node: int
    function: ast.AST

    @property
    def method(self) -> str:
        """The last part of what is called, as it is written."""
        return self.call.func.attr if isinstance(self.call.func, ast.Attribute) else ""


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """A place where a set is walked whose order changes from run to run."""

    expression: ast.expr
    scope: Scope
    node: int


@dataclass(slots=True)
class Frame:
    """The function that is being read, and what its variables hold at this point.

    Attributes:
        scope: The innermost scope.
        function: The function, or the module.
        environment: The nodes of the values that each variable of the function may have here.
        controls: The conditions that decide whether this point is reached.
        loops: The nodes of what the loops around walk, with the containers that each of them fills.
        compared: The variables that the condition around compares: ``if x > best: best = x`` is a maximum.
    """

    scope: Scope
    function: ast.AST
    environment: Environment = field(default_factory=dict)
    controls: list[int] = field(default_factory=list)
    loops: list[tuple[int | None, frozenset[str]]] = field(default_factory=list)
    compared: frozenset[str] = frozenset()


class Flow(ast.NodeVisitor):
    """Base of the builders: names, notes, variables. Visiting an expression returns its node, or None."""

    def __init__(self, names: Names) -> None:
        """Prepare to read a program."""
        self.names = names
        self.inference = Inference(names)
        self.constants = Constants(self.inference, with_options=True)
        self.settings = Constants(self.inference, with_options=False)
        self.graph = Graph()
        self.frame = Frame(names.modules[names.program.main], names.program.main.tree)
        self.call_sites: dict[ast.Call, CallSite] = {}
        self.walks: dict[ast.expr, Walk] = {}
        self.statements: list[tuple[ast.stmt, Scope]] = []
        self.uses: dict[ast.AST, set[tuple[ast.AST, Use]]] = {}
        self.waiting: list[ast.AST] = []
        self._reached: set[ast.AST] = set()

    def evaluate(self, node: ast.AST) -> int | None:
        """Visit an expression and return the node of its value; None for a constant."""
        value: int | None = self.visit(node)
        return value

    # --- functions that are used ---

    def use(self, definition: Definition | ast.Lambda, how: Use = "call") -> None:
        """Note that a function or class of the program is used here, and read it in turn."""
        self.uses.setdefault(self.frame.function, set()).add((definition, how))
        if definition not in self._reached:
            self._reached.add(definition)
            if isinstance(definition, ast.ClassDef):
                self._use_class(definition)
            else:
                self.waiting.append(definition)

    def _use_class(self, definition: ast.ClassDef) -> None:
        """Use what is called without its name being said: special methods, and what a framework's class calls."""
        outer, self.frame.function = self.frame.function, definition
        ancestors = self.names.ancestors(definition)
        has_framework = any(not isinstance(base, ast.ClassDef) for base in ancestors)
        for base in ancestors:
            for method in base.body if isinstance(base, ast.ClassDef) else []:
                if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                if has_framework or method.name.startswith("__") or method.name == "forward":
                    self.use(method, "data" if method.name in _DATA_METHODS else "call")
        self.frame.function = outer

    def use_methods(self, name: str) -> None:
        """Use all methods of this name: whose it is cannot be told."""
        for method in self.names.methods.get(name, []):
            self.use(method)

    # --- nodes ---

    def connect(self, source: int | None, target: int | None, step: Step = "copy", key: Key | None = None) -> None:
        """Add an edge, unless one of its ends is a constant."""
        if source is not None and target is not None:
            self.graph.connect(source, target, step, key)

    def variable_node(self, scope: Scope, name: str) -> int:
        """Return the node of all values of a variable."""
        return self.graph.node(("variable", scope, name))

    def member_node(self, owner: ast.ClassDef, name: str) -> int:
        """Return the node of an attribute of all instances of a class and those related to it."""
        classes = [base for base in self.names.ancestors(owner) if isinstance(base, ast.ClassDef)]
        return self.graph.node(("member", classes[-1], name))

    def result_node(self, function: ast.AST) -> int:
        """Return the node of what a function returns or yields."""
        return self.graph.node(("result", function))

    def parameter_node(self, function: ast.AST, name: str) -> int:
        """Return the node of a parameter."""
        return self.graph.node(("parameter", function, name))

    def derived(self, key: Hashable, sources: list[int | None], step: Step = "derive") -> int:
        """Return a node that all of these go into."""
        node = self.graph.node(key)
        for source in sources:
            self.connect(source, node, step)
        return node

    def connect_instance(self, owner: ast.ClassDef, node: int) -> None:
        """Let an instance stand for what it gives when it is called, indexed or walked."""
        for name in _RESULT_METHODS:
            method = self.names.find_method(owner, name)
            if method is not None:
                self.connect(self.result_node(method), node, "derive")

    # --- variables ---

    def read_variable(self, node: ast.Name) -> int | None:
        """Return the node of what a variable holds here."""
        variable = self.names.variable(node, self.frame.scope)
        if variable is None:
            return None
        home, name = variable
        here = self.frame.environment.get(name) if home.function is self._function() else None
        if not here:
            return self.variable_node(home, name)
        if len(here) == 1:
            return next(iter(here))
        return self.derived(("read", node), list(here), "copy")

    def bind_name(self, name: str, key: ast.AST, value: int | None, step: Step = "copy") -> None:
        """Give a variable a value: what it held before is forgotten here."""
        home = self.names.lookup(name, self.frame.scope) or self.frame.scope
        node = self.graph.node(("bound", key))
        self.connect(value, node, "fold" if name in self.frame.compared else step)
        self._control(node)
        if isinstance(home.node, ast.ClassDef):
            self.connect(node, self.member_node(home.node, name))
        self.connect(node, self.variable_node(home, name))
        self.frame.environment[name] = frozenset({node})

    def bind(self, target: ast.expr, value: int | None, step: Step = "copy") -> None:
        """Give the target of an assignment, a loop or a ``with`` its value."""
        if isinstance(target, ast.Name):
            self.bind_name(target.id, target, value, step)
        elif isinstance(target, ast.Tuple | ast.List):
            whole = self.derived(("whole", target), [value], step)
            for position, part in enumerate(target.elts):
                taken = self.graph.node(("taken", part))
                self.connect(whole, taken, "get", position)
                self.bind(part, taken)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, value, "hold")
        else:
            self.store(target, self.derived(("stored", target), [value], step))

    def store(self, place: ast.expr, value: int | None, step: Step = "copy", key: Key | None = None) -> None:
        """Let a value go into what an expression stands for: a variable, an attribute, an item."""
        if isinstance(place, ast.Name):
            for node in self._places(place):
                self.connect(value, node, step, key)
                self._control(node)
        elif isinstance(place, ast.Attribute):
            self._store_attribute(place, self._via(place, value, step, key))
        elif isinstance(place, ast.Subscript):
            self._store_item(place, self._via(place, value, step, key))
        elif isinstance(place, ast.Call) and isinstance(place.func, ast.Attribute):
            self.store(place.func.value, self._via(place, value, step, key), "hold")

    def _via(self, place: ast.expr, value: int | None, step: Step, key: Key | None) -> int:
        node = self.graph.node(("via", place, step, key))
        self.connect(value, node, step, key)
        self._control(node)
        return node

    def _store_attribute(self, place: ast.Attribute, value: int) -> None:
        owner = self.inference.class_of(place.value, self.frame.scope)
        variable = self.names.variable(place, self.frame.scope)
        if owner is not None:
            self.connect(value, self.member_node(owner, place.attr))
        elif variable is not None:
            self.connect(value, self.variable_node(*variable))
        else:
            self.store(place.value, value, "put", f".{place.attr}")

    def _store_item(self, place: ast.Subscript, value: int) -> None:
        if isinstance(place.slice, ast.Constant) and isinstance(place.slice.value, str):
            self.store(place.value, value, "put", place.slice.value)
            return
        is_table = isinstance(self.inference.infer(place.value, self.frame.scope), Table)
        self.store(place.value, value, "hold" if is_table else "store")

    def _places(self, place: ast.Name) -> list[int]:
        """Return the nodes that a change of a variable's value goes into; a parameter's also goes to the caller."""
        variable = self.names.variable(place, self.frame.scope)
        if variable is None:
            return []
        home, name = variable
        here = self.frame.environment.get(name, frozenset()) if home.function is self._function() else frozenset()
        changed = [self.graph.node(("changed", function, name)) for function in self._parameter_of(home, name)]
        return [*here, self.variable_node(home, name), *changed]

    def _parameter_of(self, home: Scope, name: str) -> list[FunctionNode]:
        function = home.node
        is_parameter = isinstance(function, FunctionNode) and any(item.arg == name for item in parameters(function))
        return [function] if is_parameter and isinstance(function, FunctionNode) else []

    def _function(self) -> FunctionNode | None:
        return self.frame.scope.function

    def _control(self, node: int) -> None:
        """Let the conditions that this point depends on decide about a node."""
        for condition in self.frame.controls:
            self.connect(condition, node, "control")
