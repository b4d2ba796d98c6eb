"""The names of a script: what each stands for, which call runs what, and what is reached from the first line.

Names are followed through imports, aliases, single assignments and the classes of instances. What cannot be followed
is None, and no line is accused because of it. Left out on purpose: types beyond the class that made an object.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from reproof.doctor.sources import Source, Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEFINITIONS: Final = (*FUNCTIONS, ast.ClassDef)
UNKNOWN: Final = object()  # a value or an argument that the script does not fix
_SHARED: Final = ast.expr_context | ast.operator | ast.unaryop | ast.cmpop | ast.boolop  # by Python, between all places
_Meaning: TypeAlias = str | ast.AST | None
MAX_DEPTH: Final = 8
_DATA_METHODS: Final = frozenset({"__getitem__", "__getitems__", "__iter__", "__next__", "__call__"})
_SAME_OBJECT: Final = frozenset({"to", "cuda", "cpu", "train", "eval", "manual_seed", "double", "float", "half"})


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class or function, with the nodes that bind each of its names."""

    node: ast.AST
    source: Source
    parent: Scope | None = None
    bindings: dict[str, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))


class Program:
    """A script with its modules, indexed.

    `parents` has the syntax node around each node, `scopes` the scope that it stands in, `inner` the scope that a
    definition or module opens. `main` are the functions and modules that the main process certainly runs, `live` also
    those that are handed on, `nodes` what lies in them. `calls` has the dotted name of what each call calls, if it is a
    library's, in the order of files and lines, and `callers` the calls that run each function.
    """

    def __init__(self, script: Path) -> None:
        """Read a script, or raise UsageError if it cannot be read."""
        self.sources = Sources(script)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.scopes: dict[ast.AST, Scope] = {}
        self.inner: dict[ast.AST, Scope] = {}
        self.stores: dict[str, list[ast.Attribute]] = defaultdict(list)
        self._resolved: dict[ast.AST, _Meaning] = {}
        modules = [source.tree for source in self.sources.files]
        for source in self.sources.files:
            self._index(source.tree, Scope(source.tree, source))
        self.main = self.reach(modules, handed=False)
        has_star = any("*" in self.inner[tree].bindings for tree in modules)  # by which anything may be reached
        self.live = self.reach(self.inner if has_star else modules, handed=True)
        nodes = [node for tree in modules for node in ast.walk(tree)]
        self.nodes = [node for node in nodes if node in self.scopes and self.function(node) in self.live]
        calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        calls.sort(key=lambda call: (modules.index(self.scopes[call].source.tree), call.lineno, call.col_offset))
        self.calls = {call: self.name(call) for call in calls}
        self.callers: dict[ast.AST, list[ast.Call]] = defaultdict(list)
        for call in self.calls:
            for target in self.targets(call):
                self.callers[target].append(call)

    def _index(self, tree: ast.Module, scope: Scope) -> None:
        self.inner[tree] = self.scopes[tree] = scope
        waiting: list[ast.AST] = [tree]
        while waiting:
            parent = waiting.pop()
            for child in ast.iter_child_nodes(parent):
                if not isinstance(child, _SHARED):
                    scope = self.inner.get(parent) or self.scopes[parent]
                    self.parents[child], self.scopes[child] = parent, scope
                    if isinstance(child, DEFINITIONS):
                        self.inner[child] = Scope(child, scope.source, scope)
                    for name in _bound_names(child):
                        scope.bindings[name].append(child)
                    if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
                        self.stores[child.attr].append(child)
                    waiting.append(child)

    def function(self, node: ast.AST) -> ast.AST:
        """Return the function whose body a node stands in, or the module; a class's body runs where it stands."""
        scope = self.scopes[node]
        while isinstance(scope.node, ast.ClassDef) and scope.parent is not None:
            scope = scope.parent
        return scope.node

    def variable(self, node: ast.Name) -> tuple[Scope | None, str]:
        """Return what tells a variable from all others: the scope that it is looked up in, and its name."""
        here = self.scopes[node]
        at: Scope | None = here
        while at is not None and (node.id not in at.bindings or (at is not here and isinstance(at.node, ast.ClassDef))):
            at = at.parent  # the names of a class are not seen from its methods
        return at, node.id

    def bindings(self, node: ast.Name) -> list[ast.AST]:
        """Return the nodes that give a variable its values."""
        home, name = self.variable(node)
        return home.bindings[name] if home is not None else []

    def resolve(self, node: ast.AST, depth: int = 0) -> _Meaning:
        """Return what an expression stands for: a library's full dotted name, a definition or a module's tree."""
        if depth > MAX_DEPTH:
            return None
        if node not in self._resolved:
            found: str | ast.AST | None = node if isinstance(node, ast.Lambda) else None
            if isinstance(node, ast.Name):
                home, name = self.variable(node)
                is_builtin = home is None and hasattr(builtins, name)
                found = f"builtins.{name}" if is_builtin else self._resolve_name(name, home, depth) if home else None
            elif isinstance(node, ast.Attribute):
                owner = self.resolve(node.value, depth + 1) or self.class_of(node.value, depth + 1)
                if isinstance(owner, ast.Module):
                    found = self._resolve_name(node.attr, self.inner[owner], depth)
                else:
                    found = f"{owner}.{node.attr}" if isinstance(owner, str) else self.method(owner, node.attr)
            self._resolved[node] = found
        return self._resolved[node]

    def _resolve_name(self, name: str, home: Scope, depth: int) -> _Meaning:
        binding = home.bindings[name][-1] if home.bindings[name] else None
        if isinstance(binding, ast.Import | ast.ImportFrom):
            return self._imported(binding, name, home.source, depth)
        if binding is None or isinstance(binding, DEFINITIONS):
            own = self.sources.find(home.source, name, 1) if binding is None else None
            return binding if own is None else own.tree  # a module of a package
        value = self.assigned(binding) if len(home.bindings[name]) == 1 else None
        return self.resolve(value, depth + 1) if isinstance(value, ast.Name | ast.Attribute | ast.Lambda) else None

    def _imported(self, node: ast.Import | ast.ImportFrom, name: str, source: Source, depth: int) -> _Meaning:
        level, module = (node.level, node.module or "") if isinstance(node, ast.ImportFrom) else (0, "")
        alias = next((item.name for item in node.names if name in {item.asname, item.name}), name)
        own = self.sources.find(source, module, level)
        if own is not None and alias in self.inner[own.tree].bindings and depth < MAX_DEPTH:
            return self._resolve_name(alias, self.inner[own.tree], depth + 1)
        dotted = f"{module}.{alias}".lstrip(".")
        found = self.sources.find(source, dotted, level)
        return found.tree if found is not None else None if level or own is not None else dotted

    def assigned(self, target: ast.AST) -> ast.expr | None:
        """Return the expression that a target is given as a whole."""
        parent = self.parents.get(target)
        if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            return parent.value
        statement = self.parents.get(parent) if isinstance(parent, ast.Tuple) else None
        values = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(parent, ast.Tuple) and isinstance(values, ast.Tuple) and len(values.elts) == len(parent.elts):
            return next(value for part, value in zip(parent.elts, values.elts, strict=True) if part is target)
        return parent.context_expr if isinstance(parent, ast.withitem) else None

    def class_of(self, node: ast.AST, depth: int = 0) -> ast.ClassDef | str | None:
        """Return the class of an instance: one of the program, or the dotted name of what made it."""
        targets: list[ast.AST] = []
        if depth > MAX_DEPTH:
            return None
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _SAME_OBJECT:
                return self.class_of(node.func.value, depth + 1)
            made = self.resolve(node.func, depth + 1)
            return made if isinstance(made, ast.ClassDef | str) else None
        if isinstance(node, ast.Name):
            targets = self.bindings(node)
            first = targets[0] if targets else None
            function = self.parents.get(self.parents[first]) if isinstance(first, ast.arg) else None
            if isinstance(function, ast.FunctionDef) and function.args.args[:1] == targets[:1]:
                owner = self.scopes[function].node  # the first parameter of a method is an instance of its class
                is_static = "staticmethod" in map(ast.unparse, function.decorator_list)
                return owner if isinstance(owner, ast.ClassDef) and not is_static else None
        elif isinstance(node, ast.Attribute) and (kind := self.class_of(node.value, depth + 1)) is not None:
            family = self.bases(kind)
            targets = [store for store in self.stores[node.attr] if self.class_of(store.value, depth + 1) in family]
        found = {self.class_of(value, depth + 1) if value else None for value in map(self.assigned, targets)}
        return found.pop() if len(found) == 1 else None

    def bases(self, owner: ast.AST | str | None) -> list[ast.ClassDef | str]:
        """Return a class and all that it derives from, those of libraries by their dotted names."""
        found = [owner] if isinstance(owner, ast.ClassDef | str) else []
        for item in found:
            for base in item.bases if isinstance(item, ast.ClassDef) and len(found) < MAX_DEPTH else []:
                kind = self.resolve(base)
                kind = kind if isinstance(kind, ast.ClassDef | str) else ast.unparse(base)
                found += [kind] if kind not in found else []
        return found

    def derives(self, owner: ast.AST | str | None, *words: str) -> bool:
        """Whether a class derives from a library's whose dotted name has one of these words."""
        return any(isinstance(base, str) and any(word in base for word in words) for base in self.bases(owner))

    def method(self, owner: ast.AST | str | None, name: str) -> ast.AST | None:
        """Return a method of a class or of what it derives from."""
        scopes = [self.inner[base] for base in self.bases(owner) if isinstance(base, ast.ClassDef)]
        found = [scope.bindings[name][-1] for scope in scopes if name in scope.bindings]
        return next((node for node in found if isinstance(node, FUNCTIONS)), None)

    def name(self, call: ast.Call) -> str:
        """Return the dotted name of the library's function that is called, or nothing."""
        found = self.resolve(call.func)
        return found if isinstance(found, str) else ""

    def targets(self, call: ast.Call) -> list[ast.AST]:
        """Return the functions of the program that a call runs."""
        found = self.resolve(call.func)
        if isinstance(found, FUNCTIONS):
            return [found]
        kind = self.class_of(call.func) if found is None else found
        names = ("__init__", "__post_init__") if isinstance(found, ast.ClassDef) else ("__call__", "forward")
        return [method for name in names if (method := self.method(kind, name)) is not None]

    def reach(self, roots: Iterable[ast.AST], *, handed: bool) -> set[ast.AST]:
        """Return the functions that these lead to by calls; with `handed`, also those that are passed on."""
        reached: set[ast.AST] = set()
        waiting: list[ast.AST] = list(roots)
        while waiting:
            owner = waiting.pop()
            if owner not in reached:
                reached.add(owner)
                waiting += self._led_to(owner, handed=handed)
        return reached

    def _led_to(self, owner: ast.AST, *, handed: bool) -> Iterator[ast.AST]:
        waiting = list(ast.iter_child_nodes(owner))
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from [node] if node.decorator_list and handed else []  # its decorator may register it
                waiting += [*node.decorator_list, *ast.iter_child_nodes(node.args)]
            elif not isinstance(node, ast.Lambda):
                waiting += ast.iter_child_nodes(node)
            found = self.resolve(node)
            parent = self.parents.get(node)
            if isinstance(found, ast.ClassDef):
                yield from self._methods(found, handed=handed)
            elif isinstance(parent, ast.Call) and parent.func is node:
                yield from self.targets(parent)
            elif isinstance(found, FUNCTIONS) and handed:
                yield found

    def _methods(self, owner: ast.ClassDef, *, handed: bool) -> Iterator[ast.AST]:
        """Yield the methods of a class; those of what may fetch data in a worker of a loader only if `handed`."""
        is_data = any(self.method(owner, name) for name in _DATA_METHODS) or self.derives(owner, "Dataset")
        is_data = is_data and not self.derives(owner, "Sampler", "torch.nn.")
        for base in self.bases(owner):
            for method in base.body if isinstance(base, ast.ClassDef) else []:
                if isinstance(method, FUNCTIONS) and (handed or not is_data or method.name == "__init__"):
                    yield method

    def constant(self, node: object, depth: int = 0) -> object:
        """Return the value that an expression has in each run, or UNKNOWN."""
        if isinstance(node, ast.Name) and depth < MAX_DEPTH:
            bindings = self.bindings(node)
            return self.constant(self.assigned(bindings[0]), depth + 1) if len(bindings) == 1 else UNKNOWN
        return node.value if isinstance(node, ast.Constant) else UNKNOWN

    def argument(self, call: ast.Call, name: str, position: int | None = None) -> object:
        """Return the expression that a call gives a parameter; None if it gives none, UNKNOWN if that is not seen."""
        given = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
        if given is not None:
            return given
        if position is not None and any(isinstance(item, ast.Starred) for item in call.args[: position + 1]):
            return UNKNOWN
        if position is not None and 0 <= position < len(call.args):
            return call.args[position]
        items = [self._item(keyword.value, name) for keyword in call.keywords if keyword.arg is None]
        return next((item for item in items if item is not None), None)

    def given(self, call: ast.Call, name: str, position: int | None = None, *, default: object = None) -> object:
        """Return the value of an argument in each run: its constant, the default if it is not given, or UNKNOWN."""
        node = self.argument(call, name, position)
        return default if node is None else self.constant(node)

    def _item(self, node: ast.AST, key: str) -> object:
        """Return the expression of an item of a ``**`` argument; None if it has none, UNKNOWN if that is not seen."""
        if isinstance(node, ast.Dict):
            for name, value in reversed(list(zip(node.keys, node.values, strict=True))):
                known = key if name is None else self.constant(name)
                if known in {key, UNKNOWN}:
                    return self._item(value, key) if name is None else value if known == key else UNKNOWN
            return None
        if isinstance(node, ast.Call) and self.name(node) == "builtins.dict" and not node.args:
            return self.argument(node, key)
        same = node.id if isinstance(node, ast.Name) else None
        uses = [use for use in self.scopes if isinstance(use, ast.Name) and use.id == same and use is not node]
        made = self.assigned(uses[0]) if len(uses) == 1 else None  # else something may be put into it
        return UNKNOWN if made is None else self._item(made, key)


def _bound_names(node: ast.AST) -> list[str]:
    """Return the names that a node binds in its scope."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        is_whole = isinstance(node, ast.ImportFrom)
        return [item.asname or (item.name if is_whole else item.name.partition(".")[0]) for item in node.names]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    is_target = isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    return [node.arg] if isinstance(node, ast.arg) else [node.id] if is_target else []  # type: ignore[attr-defined]
