"""Infer the types of expressions from how they are made; what is not certain has no type."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.doctor.program.library_types import ITERATING, METHOD_TYPES, RESULT_TYPES, SAME_AS_RECEIVER, WRAPPERS
from reproof.doctor.program.names import Definition, Names, is_property
from reproof.doctor.program.scopes import Binding, FunctionNode, Scope
from reproof.doctor.program.types import (
    NUMBER,
    PARAMETER,
    PATH,
    TEXT,
    Foreign,
    Hashed,
    Instance,
    Items,
    Row,
    Table,
    Type,
    item_of,
    join,
    part_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_DEPTH: Final = 24
_PLAIN_TYPES: Final[dict[str, Type]] = {
    "builtins.str": TEXT,
    "builtins.bytes": TEXT,
    "builtins.int": NUMBER,
    "builtins.float": NUMBER,
    "builtins.bool": NUMBER,
}
_NO_EVIDENCE: Final = Items()
"""Stands for a value that tells nothing; `join` leaves it out."""


class Inference:
    """Infers types in a program, each expression once."""

    def __init__(self, names: Names) -> None:
        """Note all calls of the program's own functions, so that parameters get the types of their arguments."""
        self.names = names
        self._known: dict[ast.AST, Type | None] = {}
        self._depth = 0
        self.call_sites: dict[ast.AST, list[tuple[ast.Call, Scope]]] = {}
        for call, scope in _calls(names):
            symbol = names.resolve(call.func, scope)
            if isinstance(symbol, Definition):
                self.call_sites.setdefault(symbol, []).append((call, scope))

    def infer(self, node: ast.expr | None, scope: Scope) -> Type | None:
        """Return the type of an expression, or None if it is not certain."""
        if node is None:
            return None
        if node not in self._known and self._depth < _MAX_DEPTH:
            self._known[node] = _NO_EVIDENCE  # while it is being inferred: a value that is made from itself
            self._depth += 1
            self._known[node] = self._infer(node, scope)
            self._depth -= 1
        return self._known.get(node)

    def class_of(self, node: ast.expr, scope: Scope) -> ast.ClassDef | None:
        """Return the class of the program that an expression is an instance of."""
        if isinstance(node, ast.Name) and node.id == "self" and scope.owner is not None:
            owner = scope.owner.node
            return owner if isinstance(owner, ast.ClassDef) else None
        kind = self.infer(node, scope)
        return kind.node if isinstance(kind, Instance) else None

    def is_instance(self, node: ast.expr, scope: Scope, *bases: str) -> bool:
        """Whether an expression is an instance of a class of a library, or of one derived from it."""
        kind = self.infer(node, scope)
        if isinstance(kind, Foreign):
            return kind.name.startswith(bases)
        owner = self.class_of(node, scope)
        return owner is not None and self.derives_from(owner, *bases)

    def derives_from(self, node: ast.ClassDef, *bases: str) -> bool:
        """Whether a class of the program derives from a class whose dotted name begins with one of these."""
        return any(isinstance(base, str) and base.startswith(bases) for base in self.names.ancestors(node))

    # --- by kind of expression ---

    def _infer(self, node: ast.expr, scope: Scope) -> Type | None:
        rules: dict[type[ast.AST], Callable[..., Type | None]] = {
            ast.Constant: self._infer_constant,
            ast.JoinedStr: lambda *_: TEXT,
            ast.Name: self._infer_name,
            ast.Attribute: self._infer_attribute,
            ast.Subscript: self._infer_subscript,
            ast.Call: self._infer_call,
            ast.BinOp: self._infer_operation,
            ast.Compare: lambda *_: NUMBER,
            ast.BoolOp: lambda node, scope: join([self.infer(value, scope) for value in node.values]),
            ast.IfExp: lambda node, scope: join([self.infer(node.body, scope), self.infer(node.orelse, scope)]),
            ast.NamedExpr: lambda node, scope: self.infer(node.value, scope),
            ast.List: lambda node, scope: Items(self._infer_all(node.elts, scope)),
            ast.Tuple: lambda node, scope: Row(tuple(self.infer(item, scope) for item in node.elts)),
            ast.Set: lambda node, scope: Hashed(self._infer_all(node.elts, scope)),
            ast.Dict: self._infer_dict,
            ast.ListComp: lambda node, _: Items(self.infer(node.elt, self.names.scopes[node])),
            ast.GeneratorExp: lambda node, _: Items(self.infer(node.elt, self.names.scopes[node])),
            ast.SetComp: lambda node, _: Hashed(self.infer(node.elt, self.names.scopes[node])),
            ast.DictComp: self._infer_dict_comprehension,
        }
        rule = rules.get(type(node))
        return None if rule is None else rule(node, scope)

    def _infer_constant(self, node: ast.Constant, _: Scope) -> Type | None:
        if isinstance(node.value, str | bytes):
            return TEXT
        return NUMBER if isinstance(node.value, int | float) else None

    def _infer_all(self, nodes: list[ast.expr], scope: Scope) -> Type | None:
        starred = [item_of(self.infer(item.value, scope)) for item in nodes if isinstance(item, ast.Starred)]
        return join([*starred, *(self.infer(item, scope) for item in nodes if not isinstance(item, ast.Starred))])

    def _infer_dict(self, node: ast.Dict, scope: Scope) -> Type | None:
        keys = [self.infer(key, scope) for key in node.keys if key is not None]
        values = [
            self.infer(value, scope) for key, value in zip(node.keys, node.values, strict=True) if key is not None
        ]
        return Table(join(keys), join(values)) if len(keys) == len(node.keys) else Table(None, None)

    def _infer_dict_comprehension(self, node: ast.DictComp, _: Scope) -> Type | None:
        inner = self.names.scopes[node]
        return Table(self.infer(node.key, inner), self.infer(node.value, inner))

    def _infer_operation(self, node: ast.BinOp, scope: Scope) -> Type | None:
        left, right = self.infer(node.left, scope), self.infer(node.right, scope)
        if TEXT in {left, right} and isinstance(node.op, ast.Add | ast.Mod):
            return TEXT
        if PATH in {left, right} and isinstance(node.op, ast.Div):
            return PATH
        if isinstance(left, Hashed) and isinstance(right, Hashed | Table):
            return left if left.item is not None else right if isinstance(right, Hashed) else left
        if isinstance(left, Items) and isinstance(right, Items):
            return join([left, right])
        return NUMBER if left == right == NUMBER else None

    def _infer_subscript(self, node: ast.Subscript, scope: Scope) -> Type | None:
        container = self.infer(node.value, scope)
        if isinstance(node.slice, ast.Slice):
            return container
        if isinstance(container, Table):
            return container.value
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            return part_of(container, node.slice.value)
        return item_of(container) if isinstance(container, Items) or container == TEXT else None

    # --- names ---

    def _infer_name(self, node: ast.Name, scope: Scope) -> Type | None:
        if node.id == "self" and scope.owner is not None:
            owner = self.class_of(node, scope)
            return None if owner is None else Instance(owner)
        variable = self.names.variable(node, scope)
        if variable is None or isinstance(self.names.resolve(node, scope), Definition):
            return None
        home, name = variable
        return self._infer_bindings(home.bindings[name])

    def _infer_bindings(self, bindings: list[Binding]) -> Type | None:
        made = [self._infer_binding(binding) for binding in bindings if binding.kind not in {"added", "augmented"}]
        kind = join(made) if made else None
        added = [binding for binding in bindings if binding.kind in {"added", "augmented"}]
        return kind if not added or kind is None else self._with_additions(kind, added)

    def _with_additions(self, kind: Type, added: list[Binding]) -> Type:
        """Return the type of a container after what is put into it."""
        if isinstance(kind, Table):
            keys = [self._infer_binding(binding) for binding in added if binding.target == "key"]
            values = [self._infer_binding(binding) for binding in added if binding.target == "value"]
            return Table(kind.key if kind.key is not None else join(keys), kind.value or join(values))
        if not isinstance(kind, Items | Hashed) or kind.item is not None:
            return kind
        item = join([self._infer_binding(binding) for binding in added if binding.target != "key"])
        return Items(item) if isinstance(kind, Items) else Hashed(item)

    def _infer_binding(self, binding: Binding) -> Type | None:
        annotation = getattr(binding.node, "annotation", None)
        kind = self._infer_annotation(annotation, binding.scope) if annotation is not None else None
        if kind is not None:
            return kind
        if binding.kind == "parameter":
            return self._infer_parameter(binding)
        if isinstance(binding.value, ast.Constant) and binding.value.value is None:
            return _NO_EVIDENCE  # `x = None` says nothing of what x will be
        kind = self.infer(binding.value, binding.scope)
        for step in binding.path:
            if isinstance(step, int):
                kind = part_of(kind, step)
            elif step == "item":
                kind = item_of(kind)
        return kind

    def _infer_parameter(self, binding: Binding) -> Type | None:
        """Return the type that all known calls give to a parameter."""
        function = binding.scope.node
        if not isinstance(function, FunctionNode) or not isinstance(binding.node, ast.arg):
            return None
        arguments = [(argument_for(call, function, binding.node.arg), scope) for call, scope in self.sites_of(function)]
        return join([self.infer(node, scope) for node, scope in arguments if node is not None])

    def sites_of(self, function: ast.AST) -> list[tuple[ast.Call, Scope]]:
        """Return the calls of a function; those of its class for an ``__init__``."""
        parent = self.names.scopes[function].parent
        if getattr(function, "name", "") == "__init__" and parent is not None:
            return self.call_sites.get(parent.node, [])
        return self.call_sites.get(function, [])

    def _infer_annotation(self, node: ast.expr | None, scope: Scope) -> Type | None:
        if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and node.right.value is None:
            return self._infer_annotation(node.left, scope)  # X | None
        if isinstance(node, ast.Subscript):
            return self._infer_generic(node, scope)
        symbol = None if node is None else self.names.resolve(node, scope)
        if isinstance(symbol, ast.ClassDef):
            return Instance(symbol)
        if isinstance(symbol, str):
            is_class = symbol.rpartition(".")[2][:1].isupper()
            return _PLAIN_TYPES.get(symbol, Foreign(symbol) if is_class else None)
        return None

    def _infer_generic(self, node: ast.Subscript, scope: Scope) -> Type | None:
        name = self.names.dotted(node.value, scope).rpartition(".")[2].lower()
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        kinds = [self._infer_annotation(part, scope) for part in parts]
        if name in {"list", "sequence", "iterable", "iterator", "collection"}:
            return Items(kinds[0])
        if name in {"set", "frozenset", "abstractset"}:
            return Hashed(kinds[0])
        if name in {"dict", "mapping", "defaultdict"} and len(kinds) == 2:  # noqa: PLR2004  # key and value
            return Table(kinds[0], kinds[1])
        return Row(tuple(kinds)) if name == "tuple" else None

    # --- attributes and calls ---

    def _infer_attribute(self, node: ast.Attribute, scope: Scope) -> Type | None:
        owner = self.class_of(node.value, scope)
        if owner is not None:
            return self.infer_member(owner, node.attr)
        if isinstance(symbol := self.names.resolve(node, scope), str | Definition):
            return TEXT if symbol in {"string.ascii_letters", "string.ascii_lowercase", "string.printable"} else None
        if (variable := self.names.variable(node, scope)) is not None:
            return self._infer_bindings(variable[0].bindings[variable[1]])
        receiver = self.infer(node.value, scope)
        if receiver == PATH:
            return PATH if node.attr == "parent" else TEXT if node.attr in {"name", "stem", "suffix"} else None
        return None

    def infer_member(self, owner: ast.ClassDef, name: str) -> Type | None:
        """Return the type of an attribute of an instance of a class of the program."""
        method = self.names.find_method(owner, name)
        if method is not None:
            return self._infer_result(method) if is_property(method) else None
        return self._infer_bindings(self.member_bindings(owner, name))

    def member_bindings(self, owner: ast.ClassDef, name: str) -> list[Binding]:
        """Return what a class and its bases give to an attribute, in their bodies and through ``self``."""
        classes = [base for base in self.names.ancestors(owner) if isinstance(base, ast.ClassDef)]
        scopes = [self.names.scopes[base] for base in classes]
        return [item for scope in scopes for item in [*scope.bindings.get(name, []), *scope.attributes.get(name, [])]]

    def _infer_call(self, node: ast.Call, scope: Scope) -> Type | None:
        symbol = self.names.resolve(node.func, scope)
        if symbol is None:
            return self._infer_method_call(node, scope)
        if isinstance(symbol, ast.ClassDef):
            return Instance(symbol)
        if isinstance(symbol, str):
            return self._infer_library_call(symbol, node, scope)
        return self._infer_result(symbol) if isinstance(symbol, FunctionNode) else None

    def _infer_result(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Type | None:
        """Return the type of what a function of the program returns or yields."""
        annotated = self._infer_annotation(function.returns, self.names.scopes[function])
        if annotated is not None:
            return annotated
        results, yields = results_of(function)
        scope = self.names.scopes[function]
        if yields:
            return Items(join([self.infer(value, scope) for value in yields]))
        return join([self.infer(value, scope) for value in results]) if results else None

    def _infer_library_call(self, name: str, node: ast.Call, scope: Scope) -> Type | None:
        if name in RESULT_TYPES:
            return RESULT_TYPES[name]
        arguments = [self.infer(argument, scope) for argument in node.args]
        if name in ITERATING:
            return ITERATING[name](arguments)
        if name == "builtins.map" and len(node.args) > 1:
            return Items(self._infer_mapped(node.args[0], scope))
        if name in WRAPPERS and arguments:
            return arguments[0]
        if name.startswith("torch.func."):
            return Foreign(name)
        return Foreign(name) if name.rpartition(".")[2][:1].isupper() else self._infer_method_call(node, scope)

    def _infer_mapped(self, function: ast.expr, scope: Scope) -> Type | None:
        symbol = self.names.resolve(function, scope)
        if isinstance(symbol, str):
            return RESULT_TYPES.get(symbol)
        if isinstance(function, ast.Lambda):
            return self.infer(function.body, self.names.scopes[function])
        return self._infer_result(symbol) if isinstance(symbol, ast.FunctionDef) else None

    def _infer_method_call(self, node: ast.Call, scope: Scope) -> Type | None:
        if not isinstance(node.func, ast.Attribute):
            return None
        name = node.func.attr
        if name in {"choice", "sample", "choices"} and node.args:
            drawn = item_of(self.infer(node.args[0], scope))
            return drawn if name == "choice" else Items(drawn)
        receiver = self.infer(node.func.value, scope)
        if isinstance(receiver, Instance):
            method = self.names.find_method(receiver.node, name)
            if method is not None:
                return self._infer_result(method)
        if name in {"parameters", "named_parameters"}:
            return Items(PARAMETER if name == "parameters" else Row((TEXT, PARAMETER)))
        if name in SAME_AS_RECEIVER and isinstance(receiver, Instance | Foreign | Hashed):
            return receiver
        rule = METHOD_TYPES.get((type(receiver), name))
        return None if rule is None or receiver is None else rule(receiver)


def argument_for(call: ast.Call, function: FunctionNode, name: str) -> ast.expr | None:
    """Return what a call gives to a parameter, or None if it does not, or if that cannot be told."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    positional = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    if positional and positional[0] in {"self", "cls"}:
        positional = positional[1:]
    if name in positional and not any(isinstance(argument, ast.Starred) for argument in call.args):
        position = positional.index(name)
        return call.args[position] if position < len(call.args) else None
    return None


def results_of(function: FunctionNode) -> tuple[list[ast.expr], list[ast.expr]]:
    """Return the expressions that a function returns, and those that it yields."""
    if isinstance(function, ast.Lambda):
        return [function.body], []
    returned, yielded = [], []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Return) and node.value is not None:
            returned.append(node.value)
        elif isinstance(node, ast.Yield) and node.value is not None:
            yielded.append(node.value)
        if not isinstance(node, Definition | ast.Lambda):
            waiting = [*ast.iter_child_nodes(node), *waiting]
    return returned, yielded


def _calls(names: Names) -> list[tuple[ast.Call, Scope]]:
    """Return all calls of a program with the scopes they stand in."""
    found: list[tuple[ast.Call, Scope]] = []
    for source, module in names.modules.items():
        waiting: list[tuple[ast.AST, Scope]] = [(source.tree, module)]
        while waiting:
            node, scope = waiting.pop()
            if isinstance(node, ast.Call):
                found.append((node, scope))
            waiting += [(child, names.scopes.get(child, scope)) for child in ast.iter_child_nodes(node)]
    return found
