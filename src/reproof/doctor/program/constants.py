"""The value of an expression, where the script fixes it: a literal, a setting, the default of an option."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from reproof.doctor.program.inference import Inference, argument_for
from reproof.doctor.program.scopes import FunctionNode, default_of

if TYPE_CHECKING:
    from reproof.doctor.program.scopes import Binding, Scope
    from reproof.doctor.program.sources import Source

_MAX_DEPTH: Final = 12


class _Unknown:
    """The type of UNKNOWN."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""What cannot be told from the script."""


class Constants:
    """Evaluates what a script fixes."""

    def __init__(self, inference: Inference, *, with_options: bool) -> None:
        """Note the defaults of all options of the command line.

        Args:
            inference: The types of the program.
            with_options: Whether an option of `argparse` has the value of its default, as in a run without arguments.
        """
        self._inference = inference
        self._names = inference.names
        self._changes: dict[str, list[tuple[Source, int]]] = {}
        self._parameters: dict[Binding, Any] = {}
        self._options = self._read_options() if with_options else {}

    def evaluate(self, node: ast.expr | None, scope: Scope, depth: int = 0) -> Any:
        """Return the value of an expression, or UNKNOWN."""
        if node is None or depth > _MAX_DEPTH:
            return UNKNOWN
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            pass
        if isinstance(node, ast.Name):
            return self._evaluate_name(node, scope, depth)
        if isinstance(node, ast.Attribute):
            return self._evaluate_attribute(node, scope, depth)
        if isinstance(node, ast.Subscript):
            return self._evaluate_item(node, scope, depth)
        return UNKNOWN

    def argument(self, call: ast.Call, name: str, position: int | None, scope: Scope, *, default: Any) -> Any:
        """Return what a call gives to a parameter of a library's function, by name or position."""
        if any(keyword.arg is None for keyword in call.keywords):
            default = UNKNOWN  # **options may hold it
        for keyword in call.keywords:
            if keyword.arg == name:
                return self.evaluate(keyword.value, scope)
        if position is not None and position < len(call.args):
            has_star = any(isinstance(argument, ast.Starred) for argument in call.args[: position + 1])
            return UNKNOWN if has_star else self.evaluate(call.args[position], scope)
        return UNKNOWN if any(isinstance(argument, ast.Starred) for argument in call.args) else default

    def is_known_none(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an expression is None for certain, unless the command line says otherwise."""
        return self.evaluate(node, scope) is None

    def _evaluate_name(self, node: ast.Name, scope: Scope, depth: int) -> Any:
        symbol_scope = self._names.lookup(node.id, scope)
        if symbol_scope is None:
            return UNKNOWN
        bindings = [item for item in symbol_scope.bindings[node.id] if item.kind != "added"]
        if symbol_scope is scope:
            bindings = [item for item in bindings if _line_of(item.node) <= getattr(node, "lineno", 0)]
        return self._evaluate_binding(bindings[0], depth) if len(bindings) == 1 else UNKNOWN

    def _evaluate_binding(self, binding: Binding, depth: int) -> Any:
        if binding.kind == "parameter":
            if binding not in self._parameters:
                self._parameters[binding] = UNKNOWN  # while it is evaluated: a function that calls itself
                self._parameters[binding] = self._evaluate_parameter(binding, depth)
            return self._parameters[binding]
        if binding.kind == "import":
            return self._evaluate_import(binding, depth)
        if binding.kind == "value" and not binding.path:
            return self.evaluate(binding.value, binding.scope, depth + 1)
        return UNKNOWN

    def _evaluate_import(self, binding: Binding, depth: int) -> Any:
        module, _, name = binding.target.rpartition(".")
        home = self._names.program.find(binding.scope.source, module, binding.level)
        bindings = [] if home is None else self._names.modules[home].bindings.get(name, [])
        return self._evaluate_binding(bindings[0], depth + 1) if len(bindings) == 1 else UNKNOWN

    def _evaluate_parameter(self, binding: Binding, depth: int) -> Any:
        """Return what all calls agree on; with no call that is known, nothing is certain."""
        function = binding.scope.node
        if not isinstance(function, FunctionNode) or not isinstance(binding.node, ast.arg):
            return UNKNOWN
        name = binding.node.arg
        sites = self._inference.sites_of(function)
        values = []
        for call, scope in sites:
            given = argument_for(call, function, name)
            if given is None and not _may_hold_more(call):
                given, scope = default_of(function, name), binding.scope  # noqa: PLW2901  # where a default stands
            values.append(self.evaluate(given, scope, depth + 1))
        return values[0] if values and all(_is_same(value, values[0]) for value in values) else UNKNOWN

    def _evaluate_attribute(self, node: ast.Attribute, scope: Scope, depth: int) -> Any:
        owner = self._inference.class_of(node.value, scope)
        if owner is not None:
            bindings = [item for item in self._inference.member_bindings(owner, node.attr) if item.kind != "added"]
            return self._evaluate_field(owner, bindings, depth)
        module = self._names.resolve(node.value, scope)
        if module in self._names.modules:
            bindings = self._names.modules[module].bindings.get(node.attr, [])
            return self._evaluate_binding(bindings[0], depth) if len(bindings) == 1 else UNKNOWN
        changes = self._changes.get(node.attr, [])
        is_changed = any(source is not scope.source or line < node.lineno for source, line in changes)
        return UNKNOWN if isinstance(module, str) or is_changed else self._options.get(node.attr, UNKNOWN)

    def _evaluate_field(self, owner: ast.ClassDef, bindings: list[Binding], depth: int) -> Any:
        """Return the value of an attribute; for a field of a dataclass, if no call of the class gives another."""
        if len(bindings) != 1:
            return UNKNOWN
        is_field = isinstance(bindings[0].node, ast.AnnAssign) and bindings[0].scope.node is owner
        calls = self._inference.call_sites.get(owner, []) if is_field else []
        if any(call.args or call.keywords for call, _ in calls):
            return UNKNOWN
        return self._evaluate_binding(bindings[0], depth)

    def _evaluate_item(self, node: ast.Subscript, scope: Scope, depth: int) -> Any:
        container = self.evaluate(node.value, scope, depth + 1)
        key = self.evaluate(node.slice, scope, depth + 1)
        try:
            return container[key]
        except (TypeError, KeyError, IndexError):
            return UNKNOWN

    def _read_options(self) -> dict[str, Any]:
        """Return the default of each option of `argparse`, and note where attributes of its result may change.

        Options that are defined twice are left out.
        """
        options: dict[str, Any] = {}
        for source, scope in self._names.modules.items():
            for node in ast.walk(scope.node):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument" and node.args:
                    name, value = self._read_option(node, scope)
                    options[name] = value if name not in options else UNKNOWN
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    self._changes.setdefault(node.attr, []).append((source, node.lineno))
        return options

    def _read_option(self, node: ast.Call, scope: Scope) -> tuple[str, Any]:
        flags = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        long = [flag for flag in flags if flag.startswith("--")] or flags or [""]
        target = given.get("dest")
        is_named = isinstance(target, ast.Constant) and isinstance(target.value, str)
        name = str(target.value) if is_named else long[0].lstrip("-").replace("-", "_")  # type: ignore[union-attr]
        action = self.evaluate(given.get("action"), scope) if "action" in given else None
        if "default" in given:
            return name, self.evaluate(given["default"], scope)
        is_positional = not any(flag.startswith("-") for flag in flags)
        switches = {"store_true": False, "store_false": True}
        is_required = self.evaluate(given.get("required"), scope) is True
        return name, UNKNOWN if is_positional or is_required else switches.get(str(action))


def _line_of(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _may_hold_more(call: ast.Call) -> bool:
    has_star = any(isinstance(argument, ast.Starred) for argument in call.args)
    return has_star or any(keyword.arg is None for keyword in call.keywords)


def _is_same(first: Any, second: Any) -> bool:
    return first is not UNKNOWN and type(first) is type(second) and bool(first == second)
