"""Note or replay, line by line, the order in which sets are iterated and what `hash()` returns.

Both follow from the hash seed of the process, which tells nothing of the line. So in an experiment the user's modules
are compiled from a changed syntax tree: each place where a set may be iterated over passes it through `pass_ordered`,
each `hash(x)` through `pass_hash`. Experiments alone are compiled so, and they are compared with the run that was not.

Left out: sets that compiled code iterates over.
"""

from __future__ import annotations

import ast
import builtins
import importlib.machinery
import sys
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.sites import USER, owner_of, site_of

if TYPE_CHECKING:
    from types import CodeType

    from reproof.entropy.interception import Interceptor

ORDER_NAME: Final = "__reproof_order__"
HASH_NAME: Final = "__reproof_hash__"
POP_NAME: Final = "__reproof_pop__"

KIND: Final = "hash-order"
SETS: Final[tuple[type, ...]] = (set, frozenset)

CONSUMERS: Final = frozenset(
    {list, tuple, enumerate, iter, zip, map, filter, sum, min, max, sorted, next, dict, reversed}
)
"""Built-in functions that iterate over their arguments; user's functions and compiled ones get the set itself."""

CONSUMER_METHODS: Final = frozenset({"join", "extend", "fromkeys", "from_iterable", "writelines"})
MAX_ITEMS: Final = 200_000


class Reordering(ast.NodeTransformer):
    """Passes what may be a set through our functions; positions in the source stay as they are."""

    def visit_For(self, node: ast.For) -> ast.AST:
        """Pass what a loop iterates over."""
        self.generic_visit(node)
        node.iter = wrap(ORDER_NAME, node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        """Pass what a comprehension iterates over."""
        self.generic_visit(node)
        node.iter = wrap(ORDER_NAME, node.iter)
        return node

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        """Pass what a star unpacks."""
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            node.value = wrap(ORDER_NAME, node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Pass the arguments of what iterates over them, and the calls of `hash` and `pop`."""
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr == "pop" and not node.args and not node.keywords:
            return ast.copy_location(ast.Call(func=name_node(POP_NAME, node), args=[function.value], keywords=[]), node)
        if isinstance(function, ast.Name) and function.id == "hash" and len(node.args) == 1:
            return ast.copy_location(ast.Call(func=name_node(HASH_NAME, node), args=node.args, keywords=[]), node)
        if is_consumer(function):
            node.args = [arg if isinstance(arg, ast.Starred) else wrap(ORDER_NAME, arg) for arg in node.args]
        return node


def is_consumer(function: ast.expr) -> bool:
    """Whether a call may be of a function that iterates over its arguments."""
    if isinstance(function, ast.Attribute):
        return function.attr in CONSUMER_METHODS
    return isinstance(function, ast.Name) and getattr(builtins, function.id, None) in CONSUMERS


def wrap(function: str, node: ast.expr) -> ast.expr:
    """Return a call of one of our functions with the expression as its argument."""
    return ast.copy_location(ast.Call(func=name_node(function, node), args=[node], keywords=[]), node)


def name_node(name: str, where: ast.AST) -> ast.Name:
    """Return a name at the position of another node."""
    return ast.copy_location(ast.Name(id=name, ctx=ast.Load()), where)


class OrderKeeper:
    """Notes or replays orders and hashes."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Note them in this ledger."""
        self._interceptor = interceptor
        self._positions: dict[str, int] = {}

    def install(self) -> None:
        """Have the user's modules compiled so that their sets pass through here.

        Effects: adds names to `builtins`, replaces the method by which source files are compiled.
        """
        vars(builtins).update({ORDER_NAME: self.pass_ordered, HASH_NAME: self.pass_hash, POP_NAME: self.pass_pop})
        loader = importlib.machinery.SourceFileLoader
        get_code = loader.get_code

        def get_code_reordered(self: Any, fullname: str) -> CodeType | None:
            path = self.get_filename(fullname)
            if owner_of(path) != USER:
                return get_code(self, fullname)
            return compile_reordered(self.get_data(path), path)

        loader.get_code = get_code_reordered  # type: ignore[method-assign]

    def pass_ordered(self, value: Any) -> Any:
        """Return a set's elements as a list, in their own order or in the earlier one; all else as it is."""
        if type(value) not in SETS:
            return value
        return self._arrange("set", list(value))

    def pass_pop(self, value: Any) -> Any:
        """Do what `value.pop()` does; of a set, take the element that was taken earlier."""
        if type(value) is not set or not value:
            return value.pop()
        place, recorded = self._find("set", depth=2)
        canonical = sorted(value, key=canonical_key)
        if isinstance(recorded, int) and recorded < len(canonical):
            taken = canonical[recorded]
            value.remove(taken)
        else:
            taken = value.pop()  # not the first that iterating gives: CPython goes on where it stopped
            recorded = next(rank for rank, item in enumerate(canonical) if item is taken)
        place.note(recorded)
        return taken

    def pass_hash(self, value: Any) -> int:
        """Return the hash of a value, or the earlier one."""
        key, recorded = self._find("hash", depth=2)
        result = recorded if isinstance(recorded, int) else hash(value)
        if key is not None:
            key.note(result)
        return result

    def _arrange(self, source: str, items: list[Any]) -> list[Any]:
        place, recorded = self._find(source, depth=3)
        if place is None or len(items) > MAX_ITEMS:
            return items
        canonical = sorted(range(len(items)), key=lambda i: canonical_key(items[i]))
        if isinstance(recorded, list) and len(recorded) == len(items):
            items = [items[canonical[rank]] for rank in recorded]
            place.note(recorded)
        else:
            rank_of = {index: rank for rank, index in enumerate(canonical)}
            place.note([rank_of[index] for index in range(len(items))])
        return items

    def _find(self, source: str, depth: int) -> tuple[Any, Any]:
        """Return the place of this call, so many frames above, and what is to be replayed there, or None."""
        site = site_of(sys._getframe(depth))  # noqa: SLF001  # the user's frame
        place = self._interceptor.place_on(source, KIND, site)
        if not self._interceptor.plan.chooses(place.key):
            return place, None
        details = self._interceptor.details.get(self._interceptor.process, {}).get(place.key)
        position = self._positions.get(place.key, 0)
        self._positions[place.key] = position + 1
        if details is None or position >= len(details.values):
            return place, None
        return place, details.values[position]


def canonical_key(item: Any) -> tuple[str, str]:
    """Return what orders the elements of a set alike in every process, unless they show their addresses."""
    return type(item).__name__, repr(item)


def compile_reordered(source: bytes | str, path: str) -> CodeType:
    """Compile a module of the user's so that its sets pass through the keeper."""
    tree = ast.fix_missing_locations(Reordering().visit(ast.parse(source, path)))
    return compile(tree, path, "exec", dont_inherit=True)
