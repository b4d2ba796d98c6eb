"""Build the graph of statements, branch by branch and loop by loop."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from reproof.doctor.program.calls import Calls
from reproof.doctor.program.flow import Environment, Frame
from reproof.doctor.program.graph import Sink
from reproof.doctor.program.scopes import ADDERS, default_of, parameters
from reproof.doctor.program.types import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.doctor.program.graph import SinkKind
    from reproof.doctor.program.sources import Source

_RATES: Final = frozenset({"lr", "momentum", "weight_decay", "betas", "eps", "initial_lr"})
_DATA_CLASSES: Final = ("torch.utils.data.", "torchvision.datasets.", "torch_geometric.data.", "datasets.")
_DATA_METHODS: Final = frozenset({"__getitem__", "__getitems__", "__iter__", "__next__"})
_STEP_METHODS: Final = frozenset({"training_step", "validation_step", "test_step"})


class Statements(Calls):
    """Visiting a statement adds what it does to the graph, and to the environment of the frame."""

    def read_module(self, source: Source) -> None:
        """Read what a file does when it is run or imported."""
        self.frame = Frame(self.names.modules[source], source.tree)
        self._visit_body(source.tree.body)

    def read_function(self, function: ast.AST) -> None:
        """Read the body of a function."""
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        self.frame = Frame(self.names.scopes[function], function)
        arguments = [*parameters(function), *filter(None, (function.args.vararg, function.args.kwarg))]
        for argument in arguments:
            self.bind_name(argument.arg, argument, self.parameter_node(function, argument.arg))
        self._visit_body(function.body)
        self._add_result_sinks(function)

    def _add_result_sinks(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Let what a data set, a sampler or a model hands out be part of the training."""
        parent = self.names.scopes[function].parent
        if parent is None or not isinstance(parent.node, ast.ClassDef):
            return
        result = self.result_node(function)
        sink = Sink("data", function, parent)
        if function.name in _DATA_METHODS and self.inference.derives_from(parent.node, *_DATA_CLASSES):
            self.graph.add_sink(result, sink)
        elif function.name == "forward" and self.inference.derives_from(parent.node, "torch.nn.", "lightning."):
            self.graph.add_sink(result, Sink("model", function, parent))
        elif function.name in _STEP_METHODS:
            self.graph.add_sink(result, Sink("loss", function, parent))

    def _visit_body(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.statements.append((statement, self.frame.scope))
            self.visit(statement)

    # --- definitions ---

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_definition_of(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_definition_of(node)

    def _visit_definition_of(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for argument in parameters(node):
            default = default_of(node, argument.arg)
            if default is not None:
                self.connect(self.evaluate(default), self.parameter_node(node, argument.arg))
        for decorator in node.decorator_list:
            self.evaluate(decorator)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer = self.frame
        self.frame = Frame(self.names.scopes[node], outer.function, dict(outer.environment))
        self._visit_body(node.body)
        self.frame = outer

    # --- assignments ---

    def visit_Assign(self, node: ast.Assign) -> None:
        value = self.evaluate(node.value)
        for target in node.targets:
            self._assign(target, value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, self.evaluate(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        value = self.evaluate(node.value)
        if isinstance(node.target, ast.Name):
            result = self.derived(("augmented", node), [value, self.read_variable(node.target)])
            for walked, _ in self.frame.loops:
                self.connect(walked, result, "rank")  # a counter tells the order of what it counts
            self.bind_name(node.target.id, node, result)
        else:
            self._assign(node.target, value)

    def _assign(self, target: ast.expr, value: int | None) -> None:
        self.bind(target, value)
        if isinstance(target, ast.Attribute) and target.attr in {"data", "grad"}:
            self._sink(target, value, "parameter")
        if not isinstance(target, ast.Subscript):
            return
        key = self.evaluate(target.slice)
        if isinstance(target.slice, ast.Constant) and target.slice.value in _RATES:
            self._sink(target, value, "rate")
        self.store(target.value, key, "hold" if self._is_table(target.value) else "store")

    def _sink(self, target: ast.expr, value: int | None, kind: SinkKind) -> None:
        """Let what is assigned to a target be a part of the training."""
        node = self.derived(("sink", target), [value], "copy")
        self.graph.add_sink(node, Sink(kind, target, self.frame.scope))

    def _is_table(self, node: ast.expr) -> bool:
        return isinstance(self.inference.infer(node, self.frame.scope), Table)

    def visit_Return(self, node: ast.Return) -> None:
        result = self.result_node(self.frame.function)
        if node.value is not None:
            self.connect(self.evaluate(node.value), result)
        self._control(result)

    def visit_Expr(self, node: ast.Expr) -> None:
        self.evaluate(node.value)

    # --- branches ---

    def visit_If(self, node: ast.If) -> None:
        if _is_main_guard(node.test) and not self.frame.scope.source.is_main:
            return
        test = self.evaluate(node.test)
        takes_body, takes_other = self.branches(node.test)
        before, compared = self.frame.environment, self.frame.compared
        self.frame.compared = compared | _compared_in(node.test)
        after = [self._visit_branch(node.body, before, test)] if takes_body else []
        self.frame.compared = compared
        after += [self._visit_branch(node.orelse, before, test)] if takes_other else []
        self.frame.environment = _merge(after or [before])
        if test is not None and _leaves(node.body):
            self.frame.controls.append(test)  # what follows happens only if the branch was not taken

    def _visit_branch(self, body: list[ast.stmt], before: Environment, test: int | None) -> Environment:
        controls = self.frame.controls
        self.frame.environment = dict(before)
        self.frame.controls = [*controls, *([] if test is None else [test])]
        self._visit_body(body)
        self.frame.controls = controls
        return self.frame.environment

    def visit_Match(self, node: ast.Match) -> None:
        subject, before = self.evaluate(node.subject), self.frame.environment
        after = [self._visit_branch(case.body, before, subject) for case in node.cases]
        self.frame.environment = _merge([before, *after])

    def visit_Try(self, node: ast.Try) -> None:
        before = dict(self.frame.environment)
        self._visit_body([*node.body, *node.orelse])
        after = [self.frame.environment]
        for handler in node.handlers:
            self.frame.environment = _merge([before, after[0]])
            self._visit_body(handler.body)
            after.append(self.frame.environment)
        self.frame.environment = _merge(after)
        self._visit_body(node.finalbody)

    def visit_TryStar(self, node: Any) -> None:
        self.visit_Try(node)  # new in Python 3.11, with the same fields

    def visit_With(self, node: ast.With) -> None:
        self._visit_with(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        self._visit_with(node)

    def _visit_with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.evaluate(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value)
        self._visit_body(node.body)

    # --- loops ---

    def visit_For(self, node: ast.For) -> None:
        self._visit_for(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self._visit_for(node)

    def _visit_for(self, node: ast.For | ast.AsyncFor) -> None:
        walked = self.walk_items(node.iter)
        self.frame.loops.append((walked, frozenset(_filled_in(node))))
        self._visit_loop(node, walked)
        self.frame.loops.pop()
        self._visit_body(node.orelse)

    def visit_While(self, node: ast.While) -> None:
        test, controls = self.evaluate(node.test), self.frame.controls
        self.frame.controls = controls if test is None else [*controls, test]
        self._visit_loop(node, None)
        self.frame.controls = controls
        self._visit_body(node.orelse)

    def _visit_loop(self, node: ast.For | ast.AsyncFor | ast.While, walked: int | None) -> None:
        """Read the body of a loop twice, so that what one turn leaves reaches the next."""
        before, controls = dict(self.frame.environment), self.frame.controls
        for _ in range(2):
            self.frame.controls = list(controls)
            if not isinstance(node, ast.While):
                self.bind(node.target, walked, "iterate")
            self._visit_body(node.body)
            self.frame.environment = _merge([before, self.frame.environment])
        self.frame.controls = controls


def _merge(environments: list[Environment]) -> Environment:
    """Return what variables may hold where branches meet."""
    merged: Environment = {}
    for environment in environments:
        for name, nodes in environment.items():
            merged[name] = merged.get(name, frozenset()) | nodes
    return merged


def _compared_in(test: ast.expr) -> frozenset[str]:
    """Return the variables that a condition asks to be smaller or larger than something."""
    comparisons = [node for node in ast.walk(test) if isinstance(node, ast.Compare)]
    ordering = [node for node in comparisons if isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)]
    return frozenset(name.id for node in ordering for name in ast.walk(node) if isinstance(name, ast.Name))


def _is_main_guard(test: ast.expr) -> bool:
    is_comparison = isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
    return is_comparison and isinstance(test.ops[0], ast.Eq)  # type: ignore[attr-defined]


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a branch ends the turn of its loop, or the function."""
    return any(isinstance(statement, ast.Continue | ast.Break | ast.Return) for statement in body)


def _filled_in(loop: ast.AST) -> Iterable[str]:
    """Yield the containers that the body of a loop fills, as they are written."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield ast.dump(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ADDERS:
            yield ast.dump(node.func.value)
