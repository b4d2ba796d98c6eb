"""Compile the user's modules so that sets, hashes and identities pass through functions of ours.

The syntax tree is changed before it is compiled: each place where a set may be iterated over passes it through
`pass_ordered`, each `hash` that is called or passed on through `pass_function`, and so on. Lines and columns stay as
they are. Left out: code that is made of strings (`eval`), and sets that an installed package or compiled code iterates
over.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import CodeType

ORDER: Final = "__reproof_order__"
CALL: Final = "__reproof_call__"
HASH: Final = "__reproof_hash__"
POP: Final = "__reproof_pop__"
TEXT: Final = "__reproof_text__"
FUNCTION: Final = "__reproof_function__"

CONSUMERS: Final = frozenset(
    {list, tuple, enumerate, iter, zip, map, filter, sum, min, max, sorted, next, dict, reversed, any, all}
)
"""Built-in functions that iterate over their arguments; user's functions and compiled ones get the set itself."""

INDIFFERENT: Final = frozenset({"sorted", "min", "max"})
"""Those to which the order is all one, unless they have a key."""

CALLED: Final = frozenset(
    (
        "join",
        "extend",
        "extendleft",
        "fromkeys",
        "from_iterable",
        "writelines",
        "update",
        "Counter",
        "deque",
        "OrderedDict",
        "defaultdict",
        "reduce",
        "chain",
        "islice",
        "cycle",
        "accumulate",
        "product",
        "permutations",
        "combinations",
        "combinations_with_replacement",
        "zip_longest",
        "starmap",
        "takewhile",
        "dropwhile",
        "filterfalse",
        "groupby",
        "tee",
        "batched",
        "pairwise",
        "compress",
        "fromiter",
        "nlargest",
        "nsmallest",
        "merge",
        "mode",
        "multimode",
        "fsum",
        "fmean",
        "mean",
    )
)
"""Names under which functions and methods of the standard library that iterate over their arguments are called."""

PLAIN: Final = (ast.Constant, ast.JoinedStr, ast.List, ast.ListComp, ast.Tuple, ast.Dict, ast.DictComp, ast.Lambda)
"""Expressions that are no set for certain."""

COMPARING: Final = frozenset({"min", "max"})
"""Those that compare their arguments, if they get several, and return one of them as it is."""

ENCODERS: Final = frozenset({"dump", "dumps", "JSONEncoder"})
"""What calls the function that it is given as `default` with what it cannot encode: `json.dumps(s, default=list)`."""

PASSED: Final = frozenset({"hash", "id", "repr"})
"""Built-in functions that may be passed on to be called, as in `sorted(names, key=hash)`."""


class Reordering(ast.NodeTransformer):
    """Passes what may be a set through our functions; positions in the source stay as they are."""

    def visit_For(self, node: ast.For) -> ast.AST:
        """Pass what a loop iterates over."""
        node.iter = fold_set(node.iter)
        return self._pass(node, "iter", ORDER)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        """Pass what a comprehension iterates over."""
        node.iter = fold_set(node.iter)
        return self.generic_visit(node) if node.is_async else self._pass(node, "iter", ORDER)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.AST:
        """Pass what a generator delegates to."""
        return self._pass(node, "value", ORDER)

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        """Pass what a star unpacks."""
        return self._pass(node, "value", ORDER) if isinstance(node.ctx, ast.Load) else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Pass what is unpacked into several targets, or put into a slice."""
        return self._pass(node, "value", ORDER) if any(map(is_unpacking, node.targets)) else self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Pass what is added to a list."""
        return self._pass(node, "value", ORDER) if isinstance(node.op, ast.Add) else self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        """Pass what becomes text."""
        is_plain = node.format_spec is None and node.conversion in {-1, ord("s"), ord("r")}
        return self._pass(node, "value", TEXT) if is_plain else self.generic_visit(node)

    def _pass(self, node: ast.AST, field: str, function: str) -> ast.AST:
        """Pass one expression of a node through a function of ours, once what lies below is changed."""
        self.generic_visit(node)
        setattr(node, field, wrap(function, getattr(node, field)))
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Pass the arguments of what iterates over them, and the calls of `hash`, `id` and `pop`."""
        self.generic_visit(node)
        node.args = [pass_function(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = pass_function(keyword.value)
        pass_applied(node)
        replaced = self._replace(node)
        if replaced is not None:
            return replaced
        function = node.func
        if is_consumer(function) and not is_indifferent(node):
            if any(isinstance(arg, ast.Starred) for arg in node.args):
                node.func = wrap(CALL, function)
            else:
                node.args = [wrap(ORDER, arg) for arg in node.args]
        elif last_name(function) in CALLED and not all(isinstance(arg, PLAIN) for arg in node.args):
            node.func = wrap(CALL, function)
        return node

    @staticmethod
    def _replace(node: ast.Call) -> ast.Call | None:
        """Return the call of ours that takes the place of a call, or None."""
        function, count = node.func, len(node.args)
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            return None
        if isinstance(function, ast.Attribute) and not count:
            name = {"pop": POP, "__hash__": HASH}.get(function.attr)
            is_super = isinstance(function.value, ast.Call) and last_name(function.value.func) == "super"
            return None if name is None or is_super else call(name, [function.value], node)
        if isinstance(function, ast.Name) and count == 1:
            if function.id in {"hash", "id"}:
                node.func = call(FUNCTION, [function], function)  # the name may be the user's own
            if function.id in {"str", "repr"}:
                node.args = [wrap(TEXT, node.args[0])]
        return None


def pass_function(argument: ast.expr) -> ast.expr:
    """Return an argument, passed through ours if it is a built-in function that may be called."""
    if isinstance(argument, ast.Name) and argument.id in PASSED:
        return call(FUNCTION, [argument], argument)
    return argument


def pass_applied(node: ast.Call) -> None:
    """Pass a function that a call hands sets to, one by one: by `map`, or to encode what JSON has no form for."""
    if isinstance(node.func, ast.Name) and node.func.id == "map" and node.args:
        node.args[0] = pass_named(node.args[0])
    if last_name(node.func) in ENCODERS:
        for keyword in node.keywords:
            if keyword.arg == "default":
                keyword.value = pass_named(keyword.value)


def pass_named(argument: ast.expr) -> ast.expr:
    """Return an argument, passed through ours if it is the name of a function or method."""
    return call(FUNCTION, [argument], argument) if isinstance(argument, ast.Name | ast.Attribute) else argument


def fold_set(iterated: ast.expr) -> ast.expr:
    """Return what is iterated over, a display of constants as the set that Python compiles it to where it stands.

    Passed through a function it would be filled in another way, and elements whose hashes collide change places.
    """
    if not isinstance(iterated, ast.Set):
        return iterated
    try:
        elements: Any = frozenset([ast.literal_eval(element) for element in iterated.elts])
        return ast.copy_location(ast.Constant(value=elements), iterated)
    except (ValueError, TypeError):  # computed, or nothing that a set may hold
        return iterated


def is_unpacking(target: ast.expr) -> bool:
    """Whether a target takes what is assigned apart."""
    return isinstance(target, (ast.Tuple, ast.List)) or (
        isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice)
    )


def is_consumer(function: ast.expr) -> bool:
    """Whether a call is of a built-in function that iterates over its arguments."""
    return isinstance(function, ast.Name) and getattr(builtins, function.id, None) in CONSUMERS


def is_indifferent(node: ast.Call) -> bool:
    """Whether what a call returns does not depend on the order of its arguments."""
    name = last_name(node.func)
    if name in COMPARING and (len(node.args) > 1 or any(isinstance(arg, ast.Starred) for arg in node.args)):
        return True
    return name in INDIFFERENT and not any(keyword.arg == "key" for keyword in node.keywords)


def last_name(function: ast.expr) -> str | None:
    """Return the name under which something is called, without what stands before the dot."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def wrap(function: str, node: ast.expr) -> ast.expr:
    """Return a call of one of our functions with the expression as its argument, unless that is no set for certain."""
    is_plain = isinstance(node, PLAIN) and not isinstance(getattr(node, "value", None), frozenset)
    return node if is_plain else call(function, [node], node)


def call(function: str, arguments: list[ast.expr], where: ast.expr) -> ast.Call:
    """Return a call of one of our functions at the position of another node."""
    name = ast.copy_location(ast.Name(id=function, ctx=ast.Load()), where)
    return ast.copy_location(ast.Call(func=name, args=arguments, keywords=[]), where)


def compile_changed(source: bytes | str, path: str, *changes: ast.NodeTransformer) -> CodeType:
    """Compile a module of the user's with a changed syntax tree."""
    tree: ast.AST = ast.parse(source, path)
    for change in changes:
        tree = change.visit(tree)
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)  # type: ignore[call-overload,no-any-return]
