"""Which parts of a project a training can reach: functions, classes and values of its modules, by their source.

A file is taken apart into units: each function, class, import and assignment at its top by its name, and whatever else
runs when it is imported. From the training on, a unit is reached if its name occurs in one that is reached, in whatever
file: too much rather than too little. What runs at an import counts always, unless it plainly leaves nothing to a
training, such as the options of a command line. Code that looks names up at run time reaches everything.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reproof.bundle.syntax import digest_nodes, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TOP: Final = "<top>"
MAIN: Final = "__main__"
"""Units without a name: statements that run at an import, and those that run in a script alone."""

_QUIET: Final = frozenset({
    "abc", "argparse", "click", "collections", "contextlib", "dataclasses", "datetime", "enum", "fire", "functools",
    "hydra", "json", "logging", "pathlib", "pytest", "re", "tqdm", "typer", "typing", "warnings",
})  # fmt: skip
"""Modules whose functions, called at an import, leave nothing that changes a training which does not use the result."""

_QUIET_TORCH: Final = frozenset({"no_grad", "inference_mode", "enable_grad", "compile", "jit"})
_LOOKS_UP: Final = frozenset({"eval", "exec", "globals", "vars", "__import__", "import_module"})
_WITHOUT_PROJECT: Final = frozenset({"torch", "torchvision", "numpy", "sklearn", "scipy", "math", "random"})
"""Modules in which no code of a project can be found."""

_BUILT_IN: Final = frozenset(dir(builtins)) - {"eval", "exec", "__import__", "open", "input", "setattr", "globals"}


@dataclass(slots=True)
class Unit:
    """A part of a file.

    Attributes:
        name: Its name, `TOP` or `MAIN`.
        nodes: Its statements, in order.
        names: Names that occur in it.
        always: Whether it counts although nothing names it.
        looks_up: Whether it finds things by names that only a run knows.
        bases: Names in the bases of a class.
        is_watching: Whether it is a class that may learn of the classes that are made of it.
    """

    name: str
    nodes: list[ast.stmt] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    always: bool = False
    looks_up: bool = False
    bases: set[str] = field(default_factory=set)
    is_watching: bool = False

    @property
    def digest(self) -> str:
        """Digest of what it does."""
        return digest_nodes(list(self.nodes))

    @property
    def lines(self) -> list[tuple[int, int]]:
        """First and last line of each statement, decorators included."""
        return [
            (min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))]), node.end_lineno or 0)
            for node in self.nodes
        ]


@dataclass(frozen=True, slots=True)
class SourceUnits:
    """A file, taken apart.

    Attributes:
        units: By name, in the order in which they begin.
        imports: Modules that it imports at its top, as written, without leading dots.
    """

    units: dict[str, Unit]
    imports: frozenset[str]


def read_units(content: bytes) -> SourceUnits | None:
    """Take a source file apart; None if it is not Python."""
    tree = parse_source(content)
    if tree is None:
        return None
    reader = _Reader(tree)
    for node in tree.body:
        reader.add(node)
    return SourceUnits(units=reader.units, imports=frozenset(find_imports(tree.body, deep=False)))


def find_reached(files: Mapping[str, SourceUnits], entry: str) -> dict[str, list[str]]:
    """Return the units that a training reaches, by file, in their order; a file that it imports has an entry.

    `entry` is the training, as ``path/to/file.py:function``.
    """
    start, _, function = entry.partition(":")
    active, names = ({start} & files.keys()), {function}
    reached: dict[str, set[str]] = {}
    watching = {unit.name for item in files.values() for unit in item.units.values() if unit.is_watching}
    while True:
        before = (len(active), sum(map(len, reached.values())), len(names))
        for file in sorted(active):
            active |= _resolve(files, files[file].imports)
            found = reached.setdefault(file, set())
            for unit in files[file].units.values():
                is_reached = unit.always or unit.name in names or bool(unit.bases & watching)
                if unit.name not in found and is_reached:
                    found.add(unit.name)
                    names |= unit.names
                    active |= _resolve(files, find_imports(unit.nodes, deep=True))
                    if unit.looks_up:
                        return {name: list(item.units) for name, item in files.items()}
        if before == (len(active), sum(map(len, reached.values())), len(names)):
            return {file: [name for name in files[file].units if name in found] for file, found in reached.items()}


def find_imports(nodes: Iterable[ast.AST], *, deep: bool) -> Iterator[str]:
    """Yield the modules that statements import, with dots; of ``from a import b`` both ``a`` and ``a.b``."""
    for node in (item for top in nodes for item in (ast.walk(top) if deep else _at_top(top))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (".".join(filter(None, (node.module, alias.name))) for alias in node.names)
            yield from filter(None, (node.module,))


def _at_top(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and those within it that run when it does."""
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _is_main(node):
        for child in ast.iter_child_nodes(node):
            yield from _at_top(child)


def _resolve(files: Mapping[str, SourceUnits], modules: Iterable[str]) -> set[str]:
    """Return the files that modules may be, with the packages that they are in."""
    ends = {
        f"/{'/'.join(parts[:count])}{suffix}"
        for parts in (module.split(".") for module in modules)
        for count in range(1, len(parts) + 1)
        for suffix in (".py", "/__init__.py")
    }
    return {file for file in files if any(f"/{file}".endswith(end) for end in ends)}


class _Reader:
    """Takes one file apart."""

    def __init__(self, tree: ast.Module) -> None:
        self.units: dict[str, Unit] = {}
        self._roots: dict[str, str] = {}
        for node in tree.body:
            if isinstance(node, ast.Import):
                self._roots |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                self._roots |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}

    def add(self, node: ast.stmt) -> None:
        """Put a statement into its unit."""
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._put(name, node, always=self._registers(node))
            case ast.ClassDef(name=name):
                self._put(name, node, always=self._registers(node))
                unit = self.units[name]
                unit.bases |= {part for base in node.bases for part in _names_in(base)}
                unit.is_watching |= bool(node.keywords) or "__init_subclass__" in _names_in(node, defined=True)
            case ast.Import() | ast.ImportFrom():
                self._add_import(node)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                target = _first_target(node)
                self._put(target or TOP, node, always=target is None or not self._is_quiet(node))
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr(value=ast.Call() as call) if self._is_quiet(node):
                self._put(_root(call) or TOP, node, always=False)
            case ast.If() if _is_main(node):
                self._put(MAIN, node, always=False)
            case _:
                self._put(TOP, node, always=True)

    def _add_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            bound = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
            single = type(node)(**{**{name: getattr(node, name) for name in node._fields}, "names": [alias]})
            self._put(bound, ast.copy_location(single, node), always=bound == "*")
            self.units[bound].names.add(alias.name)

    def _put(self, name: str, node: ast.stmt, *, always: bool) -> None:
        unit = self.units.setdefault(name, Unit(name))
        unit.nodes.append(node)
        unit.names |= _names_in(node)
        unit.always |= always
        unit.looks_up |= any(map(self._looks_up, ast.walk(node)))

    def _looks_up(self, node: ast.AST) -> bool:
        """Whether something is found by a name that only a run knows: in the interpreter, or in an imported module."""
        match node:
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
                return True
            case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id=owner), wanted, *_]):
                module = self._roots.get(owner, "torch").partition(".")[0]
                return module not in _WITHOUT_PROJECT and not isinstance(wanted, ast.Constant)
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr="import_module" as name)):
                return name in _LOOKS_UP
            case _:
                return False

    def _registers(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
        """Whether a decorator may make something known by another way than its name."""
        return not all(self._is_plain(decorator) for decorator in node.decorator_list)

    def _is_plain(self, decorator: ast.expr) -> bool:
        root, names = _root(decorator) or "", _names_in(decorator)
        module = self._roots.get(root, "").partition(".")[0]
        return root in _BUILT_IN or module in _QUIET or (module == "torch" and bool(names & _QUIET_TORCH))

    def _is_quiet(self, node: ast.AST) -> bool:
        """Whether everything that a statement calls leaves nothing behind; of what it calls, the names are at hand."""
        for call in ast.walk(node):
            if isinstance(call, ast.Call):
                root = _root(call) or ""
                module = self._roots.get(root, "").partition(".")[0]
                is_own = root in self.units and not self.units[root].always and _is_value(self.units[root])
                if not (root in _BUILT_IN or module in _QUIET or is_own):
                    return False
        return True


def _is_value(unit: Unit) -> bool:
    return all(isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr)) for node in unit.nodes)


def _names_in(node: ast.AST, *, defined: bool = False) -> set[str]:
    """Return the names that occur in a statement; or those of functions that are defined in it."""
    found: set[str] = set()
    for item in ast.walk(node):
        if defined:
            found |= {item.name} if isinstance(item, ast.FunctionDef) else set()
        elif isinstance(item, ast.Name):
            found.add(item.id)
        elif isinstance(item, ast.Attribute):
            found.add(item.attr)
        elif isinstance(item, ast.alias):
            found |= {item.name, item.name.rpartition(".")[2]}
        elif isinstance(item, ast.Constant) and isinstance(item.value, str) and item.value.isidentifier():
            found.add(item.value)  # getattr(models, "Net")
    return found


def _root(node: ast.AST) -> str | None:
    """Return the name that a chain of calls and attributes begins with."""
    while isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _first_target(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> str | None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else None


def _is_main(node: ast.AST) -> bool:
    """Whether a statement runs only in a script, or only for a type checker."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    names = _names_in(node.test)
    return names in ({"__name__", "__main__"}, {"TYPE_CHECKING"}, {"typing", "TYPE_CHECKING"})
