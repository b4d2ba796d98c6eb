"""Compile the user's modules so that what calls are given and return passes through functions of ours.

`f(x, k=y)` becomes `returned(n, entered(n, f)(passed(x), k=passed(y)))`: each of ours returns what it gets, and the
call itself stays in the user's frame, on its line, so that `super()`, `locals()` and whoever looks at the stack find
what they expect. What attributes, `await` and the items of loops give is passed on as well.

Left as they are: functions that a compiler reads (`numba.jit`, `torch.jit.script`, `torch.compile`), annotations and
patterns, what built-in functions only look at, and arguments within which a generator may be left.
"""

from __future__ import annotations

import ast
from typing import Final

from reproof.entropy.calls.records import Spot
from reproof.entropy.calls.watching import ENTERED, ITEMS, PASSED, RETURNED, VALUE
from reproof.entropy.rewriting.recompiling import call, fold_set, last_name

LOOKING: Final = frozenset(
    {"len", "isinstance", "issubclass", "range", "print", "int", "float", "bool", "abs", "round", "type", "super"}
    | {"locals", "globals", "vars", "dir", "enumerate", "zip", "map", "filter", "hasattr", "ord", "chr", "setattr"}
    | {"exec", "eval", "reversed", "slice", "property", "staticmethod", "classmethod", "callable", "breakpoint"}
    | {"input", "__import__", "iter", "any", "all"}
)
"""Built-in functions whose calls tell nothing by themselves, or must stand as they are."""

COMPILERS: Final = frozenset(
    {"jit", "njit", "vectorize", "guvectorize", "cfunc", "script", "compile", "overload", "kernel", "stencil", "trace"}
)
"""Last names of what compiles a function whose text it reads."""

LEAVING: Final = (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr)
"""Expressions within which a function may be left, or a name is bound."""

OWN: Final = "__reproof_"
MAX_TEXT: Final = 80


class Hooking(ast.NodeTransformer):
    """Passes calls, and other values that come from elsewhere, through our functions."""

    def __init__(self, file: str) -> None:
        """Name spots in this file."""
        self._file = file
        self._modules: set[str] = set()
        self._compiled: set[str] = set()

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Look for names, then change all."""
        self.read(node)
        return self.generic_visit(node)

    def read(self, node: ast.AST) -> None:
        """Look for the names of modules and of functions that are compiled."""
        for child in ast.walk(node):
            if isinstance(child, ast.Import):
                self._modules |= {(alias.asname or alias.name).partition(".")[0] for alias in child.names}
            elif isinstance(child, ast.Call) and last_name(child.func) in COMPILERS:
                self._compiled |= {name for given in child.args if (name := last_name(given)) is not None}
                self._compiled |= {"forward"} if child.args else set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Pass what is called, its arguments and its result."""
        text = ast.unparse(node.func)
        is_plain = not any(isinstance(child, LEAVING) for child in ast.walk(node))
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit(node.func.value)  # which method it is, is no event
        elif not isinstance(node.func, ast.Name):
            node.func = self.visit(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        if isinstance(node.func, ast.Name) and (node.func.id in LOOKING or node.func.id.startswith(OWN)):
            return node
        if not is_plain:
            return self._pass(VALUE, node, "value", text)
        node.args = [pass_argument(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = pass_argument(keyword.value)
        spot = self._name(node, "call", text)
        node.func = call(ENTERED, [constant(spot, node.func), node.func], node.func)
        return call(RETURNED, [constant(spot, node), node], node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Pass what an attribute holds, but for those of modules and of the object itself."""
        text = ast.unparse(node)
        base: ast.expr = node.value
        while isinstance(base, ast.Attribute):
            base = base.value
        self.generic_visit(node)
        is_own = isinstance(base, ast.Name) and (base.id in self._modules or base.id in {"self", "cls"})
        return node if is_own or not isinstance(node.ctx, ast.Load) else self._pass(VALUE, node, "value", text)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        """Pass what is waited for."""
        text = ast.unparse(node)
        self.generic_visit(node)
        return self._pass(VALUE, node, "value", text)

    def visit_For(self, node: ast.For) -> ast.AST:
        """Pass the items of a loop."""
        text = ast.unparse(node.iter)
        node.iter = fold_set(node.iter)
        self.generic_visit(node)
        node.iter = self._pass(ITEMS, node.iter, "item", text)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        """Pass the items that a comprehension goes through."""
        text = ast.unparse(node.iter)
        node.iter = fold_set(node.iter)
        self.generic_visit(node)
        if not node.is_async:
            node.iter = self._pass(ITEMS, node.iter, "item", text)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Change a function, unless a compiler reads it."""
        return self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Change a function, unless a compiler reads it."""
        return self._visit_function(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        names = {
            last_name(child) for one in node.decorator_list for child in ast.walk(one) if isinstance(child, ast.expr)
        }
        if names & COMPILERS or node.name in self._compiled:
            return node
        returns, node.returns = node.returns, None
        self.generic_visit(node)
        node.returns = returns
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Leave the annotation of an argument."""
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Leave the annotation of a variable."""
        node.target = self.visit(node.target)
        node.value = None if node.value is None else self.visit(node.value)
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        """Leave patterns."""
        node.guard = None if node.guard is None else self.visit(node.guard)
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def _pass(self, function: str, node: ast.expr, what: str, text: str) -> ast.Call:
        return call(function, [constant(self._name(node, what, text), node), node], node)

    def _name(self, node: ast.expr, what: str, text: str) -> str:
        short = " ".join(text.split())[:MAX_TEXT]
        return Spot(file=self._file, line=node.lineno, column=node.col_offset, what=what, text=short).name


def pass_argument(node: ast.expr) -> ast.expr:
    """Return an argument that is passed through ours, unless it is a constant."""
    if isinstance(node, ast.Constant):
        return node
    if isinstance(node, ast.Starred):
        node.value = call(PASSED, [node.value], node.value)
        return node
    return call(PASSED, [node], node)


def constant(text: str, where: ast.expr) -> ast.Constant:
    """Return a constant at the position of another node."""
    return ast.copy_location(ast.Constant(value=text), where)
