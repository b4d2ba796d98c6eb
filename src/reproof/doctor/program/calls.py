"""Build the graph of calls: into functions of the program and out again, through functions of libraries."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.doctor.program import catalogue
from reproof.doctor.program.catalogue import words
from reproof.doctor.program.expressions import Expressions
from reproof.doctor.program.flow import CallSite
from reproof.doctor.program.graph import Sink
from reproof.doctor.program.names import Definition, is_method_of_instance
from reproof.doctor.program.scopes import FunctionNode, parameters
from reproof.doctor.program.types import PARAMETER, Foreign

if TYPE_CHECKING:
    from reproof.doctor.program.graph import SinkKind

MODULES: Final = (
    "torch.nn.",
    "torch.func.",
    "torchvision.models.",
    "timm.",
    "transformers.",
    "lightning.",
    "pytorch_lightning.",
)
"""Beginnings of the names of what makes a model, or a function that stands for one."""

_FILLERS: Final = words(
    "append add appendleft insert push put put_nowait update extend extendleft setdefault add_scalar"
)
_SUBMITTERS: Final = words("submit map imap imap_unordered starmap apply_async map_async apply")
_PLAIN_METHODS: Final = words(
    "get items keys values pop copy split strip format read write close append add update extend step zero_grad "
    "backward eval train to cpu cuda item mean sum log forward"
)
"""Methods that everything has: a method of the program with such a name is not taken for one on sight."""

_MAX_CANDIDATES: Final = 3


class Calls(Expressions):
    """Visiting a call returns the node of its result."""

    def visit_Call(self, node: ast.Call) -> int | None:
        result = self.graph.node(node)
        target = self._find_target(node)
        name = target if isinstance(target, str) else self._name_foreign_method(node)
        site = CallSite(
            node,
            self.frame.scope,
            name,
            target if isinstance(target, Definition) else None,
            result,
            self.frame.function,
        )
        self.call_sites[node] = site
        if isinstance(target, ast.ClassDef):
            self._make_instance(site, target)
        elif isinstance(target, Definition):
            self._call_function(site, target)
        elif isinstance(target, str):
            self._call_library(site)
        else:
            self._call_method(site)
        return result

    def _find_target(self, node: ast.Call) -> str | Definition | None:
        """Return what is called: by its name, by the class of the method's instance, or by calling an instance."""
        scope = self.frame.scope
        symbol = self.names.resolve(node.func, scope)
        if symbol is None and isinstance(node.func, ast.Attribute):
            owner = self.inference.class_of(node.func.value, scope)
            symbol = None if owner is None else self.names.find_method(owner, node.func.attr)
        if symbol is None:
            owner = self.inference.class_of(node.func, scope)
            methods = [] if owner is None else [self.names.find_method(owner, name) for name in ("forward", "__call__")]
            symbol = next((method for method in methods if method is not None), None)
        return symbol if isinstance(symbol, str | Definition) else None

    def _name_foreign_method(self, node: ast.Call) -> str:
        if not isinstance(node.func, ast.Attribute):
            return ""
        kind = self.inference.infer(node.func.value, self.frame.scope)
        return f"{kind.name}.{node.func.attr}" if isinstance(kind, Foreign) else ""

    # --- functions and classes of the program ---

    def _call_function(self, site: CallSite, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.use(function)
        if isinstance(site.call.func, ast.Attribute):
            self.evaluate(site.call.func.value)
        else:
            self._use_callable(site.call.func)
        self._pass_arguments(site, function)
        self.connect(self.result_node(function), site.node, "leave", site.node)
        self._add_model_sink(site)

    def _use_callable(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Name):
            self.evaluate(node)

    def _make_instance(self, site: CallSite, owner: ast.ClassDef) -> None:
        self.use(owner)
        self.connect_instance(owner, site.node)
        constructor = self.names.find_method(owner, "__init__")
        if constructor is not None:
            self._pass_arguments(site, constructor)
        else:
            self._fill_fields(site, owner)

    def _fill_fields(self, site: CallSite, owner: ast.ClassDef) -> None:
        """Let the arguments of a dataclass, or of a class with a library's constructor, go where they are kept."""
        fields = [item.target.id for item in owner.body if _is_field(item)]  # type: ignore[attr-defined]
        for position, argument in enumerate(site.call.args):
            value = self.evaluate(argument)
            if position < len(fields):
                self.connect(value, self.member_node(owner, fields[position]))
            self.connect(value, site.node, "derive")
        for keyword in site.call.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None and keyword.arg in fields:
                self.connect(value, self.member_node(owner, keyword.arg))
            else:
                self.connect(value, site.node, "derive")

    def _pass_arguments(self, site: CallSite, function: FunctionNode) -> None:
        """Let each argument go into its parameter, and what the function does to it come back."""
        names = [argument.arg for argument in parameters(function)]
        positional = names[: len(function.args.posonlyargs) + len(function.args.args)]
        if positional and self._is_bound(site, function):
            positional = positional[1:]
        rest = function.args.vararg.arg if function.args.vararg is not None else None
        for position, argument in enumerate(site.call.args):
            name = positional[position] if position < len(positional) else rest
            is_starred = isinstance(argument, ast.Starred)
            self._pass(site, function, argument, rest if is_starred and rest else name, is_item=name == rest)
        others = function.args.kwarg.arg if function.args.kwarg is not None else None
        for keyword in site.call.keywords:
            self._pass(site, function, keyword.value, keyword.arg if keyword.arg in names else others)

    def _pass(
        self, site: CallSite, function: FunctionNode, argument: ast.expr, name: str | None, *, is_item: bool = False
    ) -> None:
        value = self.evaluate(argument)
        if name is None:
            return
        if is_item:
            value = self.derived(("rest", argument), [value], "hold")
        self.connect(value, self.parameter_node(function, name), "enter", site.node)
        if isinstance(argument, ast.Name | ast.Attribute):
            changed = self.graph.node(("returned", argument))
            self.connect(self.graph.node(("changed", function, name)), changed, "leave", site.node)
            self.store(argument, changed)

    def _is_bound(self, site: CallSite, function: FunctionNode) -> bool:
        """Whether a call gives the first parameter by itself: the instance that a method is called on."""
        scope = self.names.scopes[function]
        if scope.parent is None or not isinstance(scope.parent.node, ast.ClassDef):
            return False
        caller = site.call.func.value if isinstance(site.call.func, ast.Attribute) else None
        owner = None if caller is None else self.names.resolve(caller, self.frame.scope)
        is_given_instance = isinstance(owner, ast.ClassDef) and site.target is function  # Base.__init__(self, …)
        return _is_classmethod(function) or (is_method_of_instance(function) and not is_given_instance)

    # --- functions of libraries ---

    def _call_library(self, site: CallSite) -> None:
        if isinstance(site.call.func, ast.Attribute):
            self.evaluate(site.call.func.value)
        if site.name in {"builtins.enumerate", "builtins.zip"}:
            self._number_items(site)
            return
        step = catalogue.STEPS.get(site.name) or catalogue.METHOD_STEPS.get(site.method, "derive")
        sink = catalogue.sink_of(site.name)
        for value in self._visit_arguments(site):
            self.connect(value, site.node, step)
            self._add_sink(site, value, sink)
        self._rank_length(site)
        self._map(site)
        if (site.method == "shuffle" or site.name == "random.shuffle") and site.call.args:
            self.store(site.call.args[0], site.node, "hold")

    def _visit_arguments(self, site: CallSite) -> list[int | None]:
        """Visit the arguments; those of functions that keep the order of what they walk are walked."""
        is_walker = site.name in catalogue.WALKERS or site.method in {"join", "extend", "extendleft", "fromkeys"}
        visit = self.walk_items if is_walker else self.evaluate
        values = [visit(argument) for argument in site.call.args]
        for keyword in site.call.keywords:
            how = {"worker_init_fn": "worker", "collate_fn": "data"}.get(keyword.arg or "")
            values.append(self._visit_hook(keyword.value, how) if how else self.evaluate(keyword.value))
        return values

    def _visit_hook(self, node: ast.expr, how: str) -> int | None:
        """Visit a function that a loader calls: in its workers, or to make a batch."""
        symbol = self.names.resolve(node, self.frame.scope)
        if not isinstance(symbol, ast.FunctionDef):
            return self.evaluate(node)
        self.use(symbol, "worker" if how == "worker" else "data")
        return self.derived(node, [self.result_node(symbol)])

    def _number_items(self, site: CallSite) -> None:
        """Pair items with their numbers: the number of an item tells the order."""
        values = [self.walk_items(argument) for argument in site.call.args]
        if site.name == "builtins.enumerate":
            values, counters = [None, *values[:1]], [0]
        else:
            counters = [position for position, argument in enumerate(site.call.args) if self._counts(argument)]
        for position, value in enumerate(values):
            item = self.derived(("item", site.call, position), [value], "iterate")
            self.connect(item, site.node, "put", position)
            for counter in counters:
                self.connect(value, site.node, "rank", counter)

    def _counts(self, node: ast.expr) -> bool:
        """Whether an expression yields numbers that go up."""
        name = self.names.dotted(node.func, self.frame.scope) if isinstance(node, ast.Call) else ""
        return name in {"builtins.range", "itertools.count"}

    def _rank_length(self, site: CallSite) -> None:
        """In a loop, the length of what the loop fills tells how often it has run: a number for each item."""
        if site.name == "builtins.len" and site.call.args and self.frame.loops:
            container = ast.dump(site.call.args[0])
            for walked, filled in self.frame.loops:
                if container in filled:
                    self.connect(walked, site.node, "rank")

    def _map(self, site: CallSite) -> None:
        """Let the items that a function is mapped over go into its parameter."""
        method = site.method if site.name != "builtins.map" else "map"
        if method not in _SUBMITTERS or len(site.call.args) <= 1:
            return
        function = site.call.args[0]
        symbol = self.names.resolve(function, self.frame.scope) if not isinstance(function, ast.Lambda) else function
        if isinstance(symbol, FunctionNode):
            names = [argument.arg for argument in parameters(symbol) if argument.arg not in {"self", "cls"}]
            for name, argument in zip(names, site.call.args[1:], strict=False):
                value = self.derived(("mapped", argument), [self.evaluate(argument)], "iterate")
                self.connect(value, self.parameter_node(symbol, name), "enter", site.node)

    # --- methods of what is not known ---

    def _call_method(self, site: CallSite) -> None:
        function = site.call.func
        receiver = self.evaluate(function.value) if isinstance(function, ast.Attribute) else self.evaluate(function)
        values = self._visit_arguments(site)
        step = catalogue.METHOD_STEPS.get(site.method, "derive")
        for value in [receiver, *values]:
            self.connect(value, site.node, step)
        self._rank_length(site)
        self._map(site)
        if isinstance(function, ast.Attribute):
            self._change_receiver(site, function, values)
            self._add_method_sinks(site, receiver, values)
            self._call_candidates(site)
        self._add_model_sink(site)

    def _change_receiver(self, site: CallSite, function: ast.Attribute, values: list[int | None]) -> None:
        """Let arguments go into the container or tensor whose method is called."""
        name = function.attr
        if name == "sort":
            self._sort_in_place(function.value)
        elif name == "shuffle" and site.call.args:
            self.store(site.call.args[0], site.node, "hold")
        elif name in _FILLERS or (name.endswith("_") and not name.startswith("_")):
            for value in values:
                self.store(function.value, value, "hold")
        if name.endswith("_") and not name.startswith("_"):
            self.store(function.value, site.node, "derive")

    def _sort_in_place(self, place: ast.expr) -> None:
        if isinstance(place, ast.Name) and place.id in self.frame.environment:
            old = self.read_variable(place)
            self.bind_name(place.id, place, old, "sort")
            return
        node = self.evaluate(place)
        if node is not None:
            self.graph.sorted_nodes.add(node)

    def _call_candidates(self, site: CallSite) -> None:
        """Where it is not known whose method is called, take the few of the program that have its name."""
        methods = self.names.methods.get(site.method, [])
        is_library = bool(site.name)
        if is_library or site.method in _PLAIN_METHODS or not 0 < len(methods) <= _MAX_CANDIDATES:
            return
        for method in methods:
            self.use(method)
            self._pass_arguments(site, method)
            self.connect(self.result_node(method), site.node, "leave", site.node)

    # --- sinks ---

    def _add_sink(self, site: CallSite, value: int | None, kind: SinkKind | None) -> None:
        if kind is not None and value is not None:
            self.graph.add_sink(value_sink := self._sink_node(site, kind), Sink(kind, site.call, site.scope))
            self.connect(value, value_sink)

    def _sink_node(self, site: CallSite, kind: SinkKind) -> int:
        return self.graph.node(("sink", site.call, kind))

    def _add_method_sinks(self, site: CallSite, receiver: int | None, values: list[int | None]) -> None:
        if site.method == "backward":
            for value in [receiver, *values]:
                self._add_sink(site, value, "loss")
        elif site.method in {"manual_seed", "seed"} or catalogue.is_seeding_helper(site.method):
            for value in values:
                self._add_sink(site, value, "seed")
                self.connect(value, receiver, "derive")
        elif site.method == "register_buffer":
            for value in values[1:2]:
                self._add_sink(site, value, "parameter")
        elif self._changes_parameter(site):
            for value in values:
                self._add_sink(site, value, "parameter")

    def _changes_parameter(self, site: CallSite) -> bool:
        """Whether a call changes a parameter or its gradient in place, or is a step of an optimizer that does."""
        receiver = site.call.func.value if isinstance(site.call.func, ast.Attribute) else None
        if not site.method.endswith("_") or site.method.startswith("_"):
            return False
        owner = site.scope.owner.node if site.scope.owner is not None else None
        is_optimizer = isinstance(owner, ast.ClassDef) and self.inference.derives_from(owner, "torch.optim.")
        is_step = is_optimizer and getattr(site.function, "name", "") == "step"
        return is_step or _is_state(receiver) or self.inference.infer(receiver, site.scope) == PARAMETER

    def _add_model_sink(self, site: CallSite) -> None:
        """Let what a model is called on be an input of the training."""
        if not self.inference.is_instance(site.call.func, self.frame.scope, *MODULES):
            return
        for argument in [*site.call.args, *(keyword.value for keyword in site.call.keywords)]:
            self._add_sink(site, self.evaluate(argument), "model")


def _is_field(item: ast.stmt) -> bool:
    return isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)


def _is_classmethod(function: FunctionNode) -> bool:
    names = [getattr(item, "id", "") for item in getattr(function, "decorator_list", [])]
    return "classmethod" in names


def _is_state(node: ast.expr | None) -> bool:
    """Whether an expression is ``p.data`` or ``p.grad``: what an optimizer works on."""
    return isinstance(node, ast.Attribute) and node.attr in {"data", "grad"}
