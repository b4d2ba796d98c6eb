"""Which names each scope of a file binds, and to what.

A *binding* remembers the expression that a name was given and how to get from its value to the name's: the second
part of a tuple, an item of what a loop runs over. Nothing is evaluated here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reproof.doctor.program.sources import Source

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ComprehensionNode = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Step = Literal["item", "context"] | int
"""From a value to a part of it: an item of what it yields, what ``with`` makes of it, or a position of a tuple."""

ADDERS: Final = frozenset({"append", "add", "appendleft", "insert", "setdefault"})
"""Methods that put their last argument into a container."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One way in which a name gets its value.

    Attributes:
        kind: ``import``, ``function``, ``class``, ``parameter``; ``value``; ``added`` for what is put into it later,
            ``augmented`` for what ``+=`` and the like do; ``other`` for what cannot be followed.
        node: The statement or target that binds it.
        scope: The scope in which the value's expression stands.
        value: That expression, where there is one.
        path: The steps from its value to the name's.
        target: For an import, the dotted name that it stands for; for an addition, ``key`` or ``value``.
        level: For an import, its leading dots.
    """

    kind: Literal["import", "function", "class", "parameter", "value", "added", "augmented", "other"]
    node: ast.AST
    scope: Scope
    value: ast.expr | None = None
    path: tuple[Step, ...] = ()
    target: str = ""
    level: int = 0


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function or comprehension.

    Attributes:
        node: Its syntax node.
        source: Its file.
        parent: The scope around it, None for a module.
        bindings: The names that it binds.
        attributes: For a class, what its methods give to attributes of ``self``.
        stars: For a module, what it imports all names of.
        foreign: Names declared ``global`` or ``nonlocal``, with which of the two.
    """

    node: ast.AST
    source: Source
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    attributes: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[tuple[str, int]] = field(default_factory=list)
    foreign: dict[str, str] = field(default_factory=dict)

    @property
    def function(self) -> FunctionNode | None:
        """The function that this scope is, or lies in as a comprehension."""
        scope: Scope | None = self
        while scope is not None and isinstance(scope.node, ComprehensionNode):
            scope = scope.parent
        return scope.node if scope is not None and isinstance(scope.node, FunctionNode) else None

    @property
    def owner(self) -> Scope | None:
        """The class around the method that this scope lies in, nested functions included."""
        scope: Scope | None = self
        while scope is not None:
            parent = scope.parent
            if isinstance(scope.node, FunctionNode) and parent is not None and isinstance(parent.node, ast.ClassDef):
                return parent
            scope = parent
        return None

    def add(self, name: str, binding: Binding) -> None:
        """Remember a binding."""
        self.bindings.setdefault(name, []).append(binding)


def read_scopes(source: Source) -> dict[ast.AST, Scope]:
    """Return the scopes of a file by their syntax nodes."""
    reader = _Reader(source)
    reader.read_module()
    return reader.scopes


def parameters(node: FunctionNode) -> list[ast.arg]:
    """Return the named parameters of a function in the order of their positions, then those by keyword only."""
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def default_of(node: FunctionNode, name: str) -> ast.expr | None:
    """Return the default of a parameter, or None if it has none."""
    positional = [*node.args.posonlyargs, *node.args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    pairs = zip(
        [*positional, *node.args.kwonlyargs], [*defaults, *node.args.defaults, *node.args.kw_defaults], strict=True
    )
    return next((default for argument, default in pairs if argument.arg == name), None)


class _Reader(ast.NodeVisitor):
    """Walks a file once; `self.scope` is the scope that it is in."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.scope = Scope(source.tree, source, None)
        self.scopes: dict[ast.AST, Scope] = {source.tree: self.scope}

    def read_module(self) -> None:
        for statement in self.source.tree.body:
            self.visit(statement)

    # --- scopes ---

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._read_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._read_function(node)

    def _read_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node.name, Binding("function", node, self.scope))
        self._visit_all([*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)])
        self._enter(node, node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all([*node.args.defaults, *filter(None, node.args.kw_defaults)])
        self._enter(node, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name, Binding("class", node, self.scope))
        self._visit_all([*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)])
        self._enter(node, node.body)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._read_comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._read_comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._read_comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._read_comprehension(node)

    def _read_comprehension(self, node: ComprehensionNode) -> None:
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._enter(node, [*node.generators, *elements])

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._bind_target(node.target, node.iter, ("item",))
        self._visit_all([node.iter, *node.ifs])

    def _enter(self, node: ast.AST, body: Sequence[ast.AST]) -> None:
        outer = self.scope
        self.scope = self.scopes[node] = Scope(node, self.source, outer)
        if isinstance(node, FunctionNode):
            arguments = node.args
            others = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
            for argument in parameters(node):
                self.scope.add(argument.arg, Binding("parameter", argument, self.scope, default_of(node, argument.arg)))
            for argument in others:
                self.scope.add(argument.arg, Binding("other", argument, self.scope))
        self._visit_all(body)
        self.scope = outer

    def _visit_all(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    # --- bindings ---

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._bind(name, Binding("import", node, self.scope, target=alias.name if alias.asname else name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                self.scope.stars.append((module, node.level))
            else:
                binding = Binding(
                    "import", node, self.scope, target=f"{module}.{alias.name}".lstrip("."), level=node.level
                )
                self._bind(alias.asname or alias.name, binding)

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.foreign.update(dict.fromkeys(node.names, "global"))

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.foreign.update(dict.fromkeys(node.names, "nonlocal"))

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._bind_target(target, node.value, ())

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        self._bind_target(node.target, node.value, (), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, Binding("augmented", node, self.scope, node.value, ("item",)))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self._bind_target(node.target, node.value, ())

    def visit_For(self, node: ast.For) -> None:
        self._read_loop(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self._read_loop(node)

    def _read_loop(self, node: ast.For | ast.AsyncFor) -> None:
        self._bind_target(node.target, node.iter, ("item",))
        self._visit_all([node.iter, *node.body, *node.orelse])

    def visit_withitem(self, node: ast.withitem) -> None:
        self.visit(node.context_expr)
        if node.optional_vars is not None:
            self._bind_target(node.optional_vars, node.context_expr, ("context",))

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name, Binding("other", node, self.scope))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in ADDERS:
                self._add_to(node.func.value, node, node.args[-1], ())
            elif node.func.attr in {"extend", "update"}:
                self._add_to(node.func.value, node, node.args[0], ("item",))

    # --- how ---

    def _bind(self, name: str, binding: Binding) -> None:
        scope = self.scope
        while scope.parent is not None and _binds_outside(scope, binding):
            scope = scope.parent
        home = scope.foreign.get(name)
        while home is not None and scope.parent is not None:
            scope = scope.parent
            home = None if home == "nonlocal" and isinstance(scope.node, FunctionNode) else home
        scope.add(name, binding)

    def _bind_target(
        self, target: ast.expr, value: ast.expr | None, path: tuple[Step, ...], node: ast.AST | None = None
    ) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, Binding("value", node or target, self.scope, value, path))
        elif isinstance(target, ast.Tuple | ast.List):
            for position, part in enumerate(target.elts):
                self._bind_target(part, value, (*path, position))
        elif isinstance(target, ast.Starred):
            self._bind_target(target.value, None, ())
        elif isinstance(target, ast.Subscript):
            self.generic_visit(target)
            self._add_to(target.value, target, target.slice, (), "key")
            self._add_to(target.value, target, value, path, "value")
        elif isinstance(target, ast.Attribute):
            self.generic_visit(target)
            for attributes in self._attributes_of(target):
                attributes.append(Binding("value", node or target, self.scope, value, path))

    def _add_to(
        self, container: ast.expr, node: ast.AST, value: ast.expr | None, path: tuple[Step, ...], target: str = ""
    ) -> None:
        binding = Binding("added", node, self.scope, value, path, target)
        if isinstance(container, ast.Name):
            scope: Scope | None = self.scope
            while scope is not None and container.id not in scope.bindings:
                scope = scope.parent
            if scope is not None:
                scope.add(container.id, binding)
        elif isinstance(container, ast.Attribute):
            for attributes in self._attributes_of(container):
                attributes.append(binding)

    def _attributes_of(self, target: ast.Attribute) -> Iterator[list[Binding]]:
        """Yield the bindings of an attribute of ``self``, in the class around."""
        owner = self.scope.owner
        if owner is not None and isinstance(target.value, ast.Name) and target.value.id in {"self", "cls"}:
            yield owner.attributes.setdefault(target.attr, [])


def _binds_outside(scope: Scope, binding: Binding) -> bool:
    """Whether a name is bound around a comprehension rather than in it: ``:=`` is, its loop variables are not."""
    is_comprehension = isinstance(scope.node, ComprehensionNode)
    return is_comprehension and not (binding.path and isinstance(binding.path[0], str) and binding.path[0] == "item")
