"""Build the graph of expressions other than calls."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from reproof.doctor.program.catalogue import SIZE_ATTRIBUTES
from reproof.doctor.program.constants import UNKNOWN
from reproof.doctor.program.flow import Flow, Frame, Walk
from reproof.doctor.program.names import Definition, is_property
from reproof.doctor.program.scopes import parameters
from reproof.doctor.program.types import PATH, TEXT, Hashed, Table, has_random_hash

if TYPE_CHECKING:
    from reproof.doctor.program.scopes import ComprehensionNode


class Expressions(Flow):
    """Visiting an expression returns its node, or None for a constant."""

    def walk_items(self, node: ast.expr) -> int | None:
        """Visit an expression that is walked in its order; note it if the order changes from run to run."""
        value = self.evaluate(node)
        kind = self.inference.infer(node, self.frame.scope)
        if not isinstance(kind, Hashed) or not has_random_hash(kind.item):
            return value
        walked = self.derived(("walked", node), [value], "copy")
        self.walks[node] = Walk(node, self.frame.scope, walked)
        return walked

    def generic_visit(self, node: ast.AST) -> int | None:
        """Visit any other expression: it is computed from its parts."""
        parts = [self.evaluate(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        return self.derived(node, parts) if any(part is not None for part in parts) else None

    def visit_Constant(self, _: ast.Constant) -> int | None:
        return None

    def visit_Name(self, node: ast.Name) -> int | None:
        symbol = self.names.resolve(node, self.frame.scope)
        if isinstance(symbol, Definition):
            return self._visit_definition(symbol, node)
        return None if symbol is not None else self.read_variable(node)

    def _visit_definition(self, symbol: Definition, node: ast.expr) -> int | None:
        """Visit a function that is handed on: it stands for what it returns."""
        self.use(symbol)
        return None if isinstance(symbol, ast.ClassDef) else self.derived(node, [self.result_node(symbol)])

    def visit_Attribute(self, node: ast.Attribute) -> int | None:
        owner = self.inference.class_of(node.value, self.frame.scope)
        symbol = self.names.resolve(node, self.frame.scope)
        if isinstance(symbol, Definition) and not is_property(symbol):
            self.evaluate(node.value)
            return self._visit_definition(symbol, node)
        if isinstance(symbol, str):
            return None
        if (variable := self.names.variable(node, self.frame.scope)) is not None:
            return self.variable_node(*variable)
        if owner is not None:
            return self._visit_member(owner, node)
        self.use_methods(node.attr)
        base, result = self.evaluate(node.value), self.graph.node(node)
        if node.attr in SIZE_ATTRIBUTES:
            self.connect(base, result, "size")
        else:
            self.connect(base, result, "get", f".{node.attr}")
        return result

    def _visit_member(self, owner: ast.ClassDef, node: ast.Attribute) -> int | None:
        """Visit an attribute of an instance of a class of the program."""
        self.evaluate(node.value)
        method = self.names.find_method(owner, node.attr)
        if method is None:
            return self.member_node(owner, node.attr)
        self.use(method)
        return self.derived(node, [self.result_node(method)])

    def visit_Subscript(self, node: ast.Subscript) -> int | None:
        base, index = self.evaluate(node.value), self.evaluate(node.slice)
        result = self.derived(node, [index])
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str | int):
            is_position = isinstance(node.slice.value, int)
            self.connect(base, result, "pick" if is_position else "get", node.slice.value)
            return result
        is_table = isinstance(self.inference.infer(node.value, self.frame.scope), Table)
        self.connect(base, result, "lookup" if is_table else "derive")
        return result

    def visit_BinOp(self, node: ast.BinOp) -> int | None:
        parts = [self.evaluate(node.left), self.evaluate(node.right)]
        kinds = {self.inference.infer(part, self.frame.scope) for part in (node.left, node.right)}
        return self.derived(node, parts, "text" if kinds & {TEXT, PATH} else "derive")

    def visit_Compare(self, node: ast.Compare) -> int | None:
        result = self.derived(node, [self.evaluate(node.left)])
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            is_membership = isinstance(operator, ast.In | ast.NotIn)
            self.connect(self.evaluate(comparator), result, "fold" if is_membership else "derive")
        return result

    def visit_BoolOp(self, node: ast.BoolOp) -> int | None:
        values = node.values
        if isinstance(node.op, ast.Or) and self._is_given(values[0]):
            values = values[:1]  # `seed or time()`, where there is a seed
        return self.derived(node, [self.evaluate(value) for value in values], "copy")

    def _is_given(self, node: ast.expr) -> bool:
        """Whether an alternative to an expression is not needed, or it is not certain that it is."""
        value = self.constants.evaluate(node, self.frame.scope)
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        return "seed" in name.lower() if value is UNKNOWN else bool(value)

    def visit_IfExp(self, node: ast.IfExp) -> int | None:
        test, (takes_body, takes_other) = self.evaluate(node.test), self.branches(node.test)
        values = [node.body] * takes_body + [node.orelse] * takes_other
        result = self.derived(node, [self.evaluate(value) for value in values], "copy")
        self.connect(test, result, "control")
        return result

    def branches(self, test: ast.expr) -> tuple[bool, bool]:
        """Return which branches to read: what is done in place of a missing value, only if it is missing.

        ``if seed is None: seed = time_ns()`` is read where the script leaves the seed out, and not where it cannot be
        told: whoever gives a seed is not to be accused of the time.
        """
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            takes_body, takes_other = self.branches(test.operand)
            is_fallback = isinstance(test.operand, ast.Name | ast.Attribute) and self._is_given(test.operand)
            return takes_other and not is_fallback, takes_body
        if isinstance(test, ast.Constant | ast.Name | ast.Attribute):
            value = self.settings.evaluate(test, self.frame.scope)
            return (True, True) if value is UNKNOWN else (bool(value), not value)
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Is | ast.IsNot):
            return True, True
        right = test.comparators[0]
        if len(test.ops) > 1 or not isinstance(right, ast.Constant) or right.value is not None:
            return True, True
        is_missing = self.constants.is_known_none(test.left, self.frame.scope)
        return (is_missing, True) if isinstance(test.ops[0], ast.Is) else (not is_missing, is_missing)

    # --- strings, containers ---

    def visit_JoinedStr(self, node: ast.JoinedStr) -> int | None:
        return self.derived(node, [self.evaluate(value) for value in node.values], "text")

    def visit_Tuple(self, node: ast.Tuple) -> int | None:
        result = self.graph.node(node)
        for position, item in enumerate(node.elts):
            if isinstance(item, ast.Starred):
                self.connect(self.walk_items(item.value), result, "hold")
            else:
                self.connect(self.evaluate(item), result, "put", position)
        return result

    def visit_List(self, node: ast.List) -> int | None:
        items = [self.walk_items(i.value) if isinstance(i, ast.Starred) else self.evaluate(i) for i in node.elts]
        return self.derived(node, items, "hold")

    def visit_Set(self, node: ast.Set) -> int | None:
        items = [self.evaluate(item.value if isinstance(item, ast.Starred) else item) for item in node.elts]
        return self.derived(node, items, "fold")

    def visit_Dict(self, node: ast.Dict) -> int | None:
        result = self.graph.node(node)
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.connect(self.evaluate(value), result, "put", key.value)
            elif key is None:
                self.connect(self.evaluate(value), result)
            else:
                self.derived(node, [self.evaluate(key), self.evaluate(value)], "hold")
        return result

    def visit_NamedExpr(self, node: ast.NamedExpr) -> int | None:
        value = self.evaluate(node.value)
        self.bind(node.target, value)
        return value

    def visit_Starred(self, node: ast.Starred) -> int | None:
        return self.walk_items(node.value)

    def visit_Yield(self, node: ast.Yield) -> int | None:
        if node.value is not None:
            self.connect(self.evaluate(node.value), self.result_node(self.frame.function), "hold")
        self._control(self.result_node(self.frame.function))
        return None

    def visit_YieldFrom(self, node: ast.YieldFrom) -> int | None:
        self.connect(self.walk_items(node.value), self.result_node(self.frame.function), "hold")
        return None

    # --- functions and comprehensions ---

    def visit_Lambda(self, node: ast.Lambda) -> int | None:
        outer = self.frame
        self.frame = Frame(self.names.scopes[node], outer.function, dict(outer.environment), outer.controls)
        for argument in parameters(node):
            self.bind_name(argument.arg, argument, self.parameter_node(node, argument.arg))
        self.connect(self.evaluate(node.body), self.result_node(node))
        self.frame = outer
        return self.derived(node, [self.result_node(node)])

    def visit_ListComp(self, node: ast.ListComp) -> int | None:
        return self._visit_comprehension(node, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> int | None:
        return self._visit_comprehension(node, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> int | None:
        return self._visit_comprehension(node, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> int | None:
        return self._visit_comprehension(node, [node.key, node.value])

    def _visit_comprehension(self, node: ComprehensionNode, elements: list[ast.expr]) -> int | None:
        outer, result = self.frame, self.graph.node(node)
        scope = self.names.scopes[node]
        self.frame = Frame(scope, outer.function, dict(outer.environment), outer.controls, outer.loops)
        for generator in node.generators:
            is_set = isinstance(node, ast.SetComp)
            walked = self.evaluate(generator.iter) if is_set else self.walk_items(generator.iter)
            self.bind(generator.target, walked, "iterate")
            for condition in generator.ifs:
                self.connect(self.evaluate(condition), result, "control")
        for element in elements:
            self.connect(self.evaluate(element), result, "fold" if isinstance(node, ast.SetComp) else "hold")
        self.frame = outer
        return result
