"""What a name stands for: something of a library, by its full dotted name, or a definition of the program's own.

``np.random.default_rng``, ``from numpy.random import default_rng as rng`` and a name of the user's own that was set to
either all stand for ``numpy.random.default_rng``.
"""

from __future__ import annotations

import ast
import builtins
import re
from typing import Final

from reproof.doctor.program.scopes import Binding, FunctionNode, Scope, read_scopes
from reproof.doctor.program.sources import Program, Source

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Symbol = str | Definition | Source
"""A dotted name of a library, a definition of the program, or one of its modules."""

_MAX_ALIASES: Final = 12
_HOMES: Final = (
    (re.compile(r"torch\.utils\.data\.(dataloader|dataset|sampler|distributed)\."), "torch.utils.data."),
    (re.compile(r"torch\.nn\.(modules\.(\w+\.)?|parameter\.)"), "torch.nn."),
    (re.compile(r"torch\.optim\.(?!lr_scheduler|swa_utils)[a-z_]\w*\.(?=[A-Z])"), "torch.optim."),
    (re.compile(r"torch\.random\."), "torch."),
    (re.compile(r"numpy\.random\.(mtrand|_generator|bit_generator)\."), "numpy.random."),
    (re.compile(r"multiprocessing\.pool\."), "multiprocessing."),
)
"""Modules whose names are also, and officially, names of the module above them."""


class Names:
    """Resolves names of a program.

    Attributes:
        program: The program.
        modules: The scope of each of its files.
        scopes: All scopes by their syntax nodes.
        methods: All methods and functions in classes, by name.
    """

    def __init__(self, program: Program) -> None:
        """Read the scopes of all files of a program."""
        self.program = program
        self.scopes: dict[ast.AST, Scope] = {}
        for source in program.sources:
            self.scopes.update(read_scopes(source))
        self.modules = {source: self.scopes[source.tree] for source in program.sources}
        self._resolving: set[tuple[Scope, str]] = set()
        self.methods: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        for node, scope in self.scopes.items():
            is_in_class = scope.parent is not None and isinstance(scope.parent.node, ast.ClassDef)
            if is_in_class and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.methods.setdefault(node.name, []).append(node)

    def lookup(self, name: str, scope: Scope) -> Scope | None:
        """Return the scope that binds a name as seen from a scope, or None for builtins and unknown names."""
        current: Scope | None = scope
        while current is not None:
            is_visible = current is scope or not isinstance(current.node, ast.ClassDef)
            if is_visible and name in current.bindings:
                return current
            current = current.parent
        return None

    def resolve(self, node: ast.expr, scope: Scope, depth: int = 0) -> Symbol | None:
        """Return what a name or a dotted name stands for; None for a variable or another expression."""
        if depth > _MAX_ALIASES:
            return None
        if isinstance(node, ast.Name):
            return self._resolve_name(node.id, scope, depth)
        if not isinstance(node, ast.Attribute):
            return None
        owner = scope.owner
        if owner is not None and _is_self(node.value):
            return self.find_method(owner.node, node.attr)
        if owner is not None and _is_super(node.value):
            bases = self.bases(owner.node) if isinstance(owner.node, ast.ClassDef) else []
            methods = (self.find_method(base, node.attr) for base in bases if isinstance(base, ast.ClassDef))
            return next((method for method in methods if method is not None), None)
        return self._member(self.resolve(node.value, scope, depth + 1), node.attr, depth)

    def dotted(self, node: ast.expr, scope: Scope) -> str:
        """Return the full dotted name of something of a library, or an empty string."""
        symbol = self.resolve(node, scope)
        return symbol if isinstance(symbol, str) else ""

    def variable(self, node: ast.expr, scope: Scope, depth: int = 0) -> tuple[Scope, str] | None:
        """Return the scope and the name of the variable that a name or ``module.name`` reads, imports followed."""
        if isinstance(node, ast.Attribute):
            module = self.resolve(node.value, scope)
            home = self.modules.get(module) if isinstance(module, Source) else None
            return (home, node.attr) if home is not None and node.attr in home.bindings else None
        home = self.lookup(node.id, scope) if isinstance(node, ast.Name) else None
        if home is None or not isinstance(node, ast.Name):
            return None
        binding = home.bindings[node.id][0]
        if binding.kind != "import":
            return home, node.id
        parent, _, name = binding.target.rpartition(".")
        source = self.program.find(home.source, parent, binding.level) if depth < _MAX_ALIASES else None
        return None if source is None else self.variable(ast.Name(id=name), self.modules[source], depth + 1)

    def bases(self, node: ast.ClassDef) -> list[Symbol | None]:
        """Return what the bases of a class stand for; None for those that cannot be told."""
        scope = self.scopes[node].parent or self.scopes[node]
        bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]  # Dataset[T]
        return [self.resolve(base, scope) for base in bases]

    def ancestors(self, node: ast.ClassDef) -> list[Symbol | None]:
        """Return the class and all its bases, as far as they can be followed, nearest first."""
        found: list[Symbol | None] = [node]
        for symbol in found:
            if isinstance(symbol, ast.ClassDef):
                found += [base for base in self.bases(symbol) if base is None or base not in found]
        return found

    def find_method(self, node: ast.AST, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """Return the method of a class or of the nearest of its bases."""
        for symbol in self.ancestors(node) if isinstance(node, ast.ClassDef) else []:
            if isinstance(symbol, ast.ClassDef):
                for binding in self.scopes[symbol].bindings.get(name, []):
                    if isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
                        return binding.node
        return None

    def _resolve_name(self, name: str, scope: Scope, depth: int) -> Symbol | None:
        if (scope, name) in self._resolving:
            return None  # modules that import a name from each other
        self._resolving.add((scope, name))
        try:
            return self._resolve_free_name(name, scope, depth)
        finally:
            self._resolving.discard((scope, name))

    def _resolve_free_name(self, name: str, scope: Scope, depth: int) -> Symbol | None:
        home = self.lookup(name, scope)
        if home is None:
            return self._resolve_unbound(name, scope, depth)
        definitions = [binding for binding in home.bindings[name] if binding.kind in {"function", "class", "import"}]
        if definitions:
            return self._resolve_definition(definitions[0], depth)
        values = home.bindings[name]
        if len(values) == 1 and values[0].kind == "value" and values[0].value is not None and not values[0].path:
            return self.resolve(values[0].value, values[0].scope, depth + 1)
        return None

    def _resolve_definition(self, binding: Binding, depth: int) -> Symbol | None:
        if isinstance(binding.node, Definition):
            return binding.node
        return self._resolve_import(binding.scope.source, binding.target, binding.level, depth)

    def _resolve_import(self, importer: Source, target: str, level: int, depth: int) -> Symbol | None:
        """Return what a dotted name of an import leads to: a module, a name in one, or something of a library."""
        module = self.program.find(importer, target, level)
        if module is not None:
            return module
        parent, _, name = target.rpartition(".")
        home = self.program.find(importer, parent, level) if parent or level else None
        if home is not None:
            return self._member(home, name, depth)
        return None if level else canonical_name(target)

    def _resolve_unbound(self, name: str, scope: Scope, depth: int) -> Symbol | None:
        module = self.modules[scope.source]
        for target, level in module.stars:
            home = self.program.find(scope.source, target, level)
            found = None if home is None or depth > _MAX_ALIASES else self._member(home, name, depth + 1)
            if found is not None:
                return found
        if hasattr(builtins, name):
            return f"builtins.{name}"
        libraries = [target for target, level in module.stars if not level]
        return canonical_name(f"{libraries[0]}.{name}") if len(libraries) == 1 else None

    def _member(self, symbol: Symbol | None, name: str, depth: int) -> Symbol | None:
        if isinstance(symbol, str):
            importer = self.program.main
            own = self.program.find(importer, f"{symbol}.{name}") if symbol.partition(".")[0] != "builtins" else None
            return own if own is not None else canonical_name(f"{symbol}.{name}")
        if isinstance(symbol, ast.ClassDef):
            return self.find_method(symbol, name)
        if isinstance(symbol, Source):
            module = self.modules[symbol]
            if name in module.bindings or module.stars:
                return self._resolve_name(name, module, depth + 1)
            return self.program.find(symbol, name, 1) if symbol.path.name == "__init__.py" else None
        return None


def canonical_name(name: str) -> str:
    """Return the official one of several dotted names for the same thing of a library."""
    for pattern, home in _HOMES:
        name = pattern.sub(home, name, count=1) if pattern.match(name) else name
    return name


def is_method_of_instance(node: ast.AST) -> bool:
    """Whether a function takes an instance first: neither a static nor a class method."""
    decorators = getattr(node, "decorator_list", [])
    return not any(isinstance(item, ast.Name) and item.id in {"staticmethod", "classmethod"} for item in decorators)


def is_property(node: ast.AST) -> bool:
    """Whether a function is called by reading an attribute."""
    names = [item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "") for item in _decorators(node)]
    return any(name in {"property", "cached_property"} for name in names)


def _decorators(node: ast.AST) -> list[ast.expr]:
    return list(node.decorator_list) if isinstance(node, Definition) else []


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


__all__ = [
    "Definition",
    "FunctionNode",
    "Names",
    "Symbol",
    "canonical_name",
    "is_method_of_instance",
    "is_property",
]
