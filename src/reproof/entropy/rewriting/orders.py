"""Note or replay, line by line, the order in which sets are iterated and what `hash()` returns.

Both follow from the hash seed of the process, which tells nothing of the line. So in an experiment the user's modules
are compiled to pass their sets through here (`recompiling`). Experiments alone are compiled so, and they are compared
with the run that was not.

What lies in a set by its address (objects that define no hash, modules, tensors) cannot be replayed: no run has the
addresses of another. Nor can `id()`. Their lines are noted; their order can be changed (`Plan.perturbs`), to see
whether it matters, and addresses can be pinned (`addresses`).
"""

from __future__ import annotations

import builtins
import collections
import itertools
import secrets
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.rewriting.recompiling import CALL, FUNCTION, HASH, ORDER, POP, TEXT
from reproof.entropy.sites import site_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place
    from reproof.entropy.sites import Site
    from reproof.schema import CauseKind

HASHED: Final = "hash-order"
ADDRESSED: Final = "process-identity"

SETS: Final[tuple[type, ...]] = (set, frozenset)
NUMBERS: Final = frozenset({int, float, bool, complex})
"""Their hashes are the same in every process, and so is the order of a set of nothing else."""

ITERATED: Final = frozenset(
    {"builtins", "collections", "functools", "_functools", "itertools", "numpy", "_collections", "heapq", "_heapq"}
    | {"math", "statistics"}
)
"""Modules whose functions only iterate over a set that they get."""

MAX_ITEMS: Final = 200_000
"""Sets with more are left alone."""

MAX_RANKS: Final = 2_000_000
"""Elements of which the order is noted, in all sets on one line together."""


class OrderKeeper:
    """Notes or replays orders and hashes."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Note in the ledger of this interceptor."""
        self._interceptor = interceptor
        self._perturbed = frozenset(interceptor.plan.perturbs)
        self._positions: dict[str, int] = {}
        self._num_ranks: dict[str, int] = {}
        self._popped: tuple[Callable[[], Any], bool] = (lambda: None, False)
        self._mask = secrets.randbits(40) | 1 << 40
        interceptor.on_child.append(self._positions.clear)

    def install(self) -> None:
        """Provide what the user's modules call that are compiled to pass their sets through here.

        Effects: adds names to `builtins`.
        """
        vars(builtins).update(
            {
                ORDER: self.pass_ordered,
                CALL: self.pass_call,
                HASH: self.pass_hash,
                POP: self.pass_pop,
                TEXT: self.pass_text,
                FUNCTION: self.pass_function,
            }
        )

    def pass_ordered(self, value: Any) -> Any:
        """Return a set's elements as a list, in their own order or in the earlier one; all else as it is."""
        return self._arrange(list(value), site_of(sys._getframe(1))) if is_set(value) else value  # noqa: SLF001

    def pass_call(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that passes the sets among its arguments, if the one that is given iterates over them."""
        if not iterates(function):
            return function
        return self._order_arguments(function, site_of(sys._getframe(1)))  # noqa: SLF001

    def _order_arguments(self, function: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return a function that does the same with the sets among its arguments in their order."""

        def order(value: Any) -> Any:
            return self._arrange(list(value), site) if is_set(value) else value

        def call_ordered(*args: Any, **kwargs: Any) -> Any:
            ordered: Iterable[Any] = map(order, args)
            if flattens(function):
                ordered = (map(order, arg) for arg in ordered)
            return function(*ordered, **kwargs)

        return call_ordered

    def pass_text(self, value: Any) -> Any:
        """Return what has the text of a set in its own order or in the earlier one; all else as it is."""
        return self._write(value, site_of(sys._getframe(1)))  # noqa: SLF001

    def _write(self, value: Any, site: Site) -> Any:
        if tells_address(value):
            return self._tell_address(value, site)
        if type(value) not in SETS or not value:
            return value
        items = self._arrange(list(value), site)
        text = ", ".join(map(repr, items))
        return Text(f"{{{text}}}" if type(value) is set else f"frozenset({{{text}}})")

    def pass_pop(self, value: Any) -> Any:
        """Do what `value.pop()` does; of a set, take the element that was taken earlier."""
        if type(value) is not set or not value or self._is_unseeded(value):
            return value.pop()
        place = self._place_on("set.pop", HASHED, site_of(sys._getframe(1)))  # noqa: SLF001
        is_replayed, wanted = self._find(place)
        if is_replayed:
            for item in (wanted,) if isinstance(wanted, str) and wanted in value else value:
                if name_of(item) == wanted or item == wanted:
                    value.remove(item)
                    place.note(wanted)
                    return item
        item = value.pop()
        place.note(item if type(item) is str else name_of(item))
        return item

    def _is_unseeded(self, value: set[Any]) -> bool:
        """Whether the hash seed does not matter to a set; judged once for one that is emptied step by step."""
        popped, judged = self._popped
        if popped() is not value:
            judged = is_unseeded(value)
            self._popped = (weakref.ref(value), judged)
        return judged

    def pass_function(self, function: Any) -> Any:
        """Return what does the same as a built-in function, and notes what it returns or iterates over."""
        if function is not hash and function is not id and function is not repr:
            return self._pass_applied(function, site_of(sys._getframe(1)))  # noqa: SLF001
        site = site_of(sys._getframe(1))  # noqa: SLF001
        if function is repr:
            return lambda value: repr(self._tell_address(value, site) if tells_address(value) else value)
        passing = self._hash if function is hash else self._identify
        return lambda value: passing(value, site)

    def _pass_applied(self, function: Any, site: Site) -> Any:
        """Return a function that is handed one value after the other, of which some may be sets."""
        if function is str:
            return lambda *values: str(*(self._write(value, site) for value in values))
        return self._order_arguments(function, site) if is_applied(function) else function

    def _tell_address(self, value: Any, site: Site) -> Any:
        """Note that the address of an object becomes text; on a line that is perturbed, return another text."""
        place = self._place_on("id", ADDRESSED, site)
        place.note(None)
        if place.key not in self._perturbed:
            return value
        return Text(repr(value).replace(" at 0x", f" at 0x{self._mask:x}"))

    def pass_hash(self, value: Any) -> int:
        """Return the hash of a value, or the earlier one."""
        return self._hash(value, site_of(sys._getframe(1)))  # noqa: SLF001

    def _hash(self, value: Any, site: Site) -> int:
        result = hash(value)
        if is_number(value) or lies_by_address(value, result):
            return result
        place = self._place_on("hash", HASHED, site)
        is_replayed, recorded = self._find(place)
        if place.key in self._perturbed:
            result ^= self._mask
        elif is_replayed and isinstance(recorded, int):
            result = recorded
        place.note(result)
        return result

    def _identify(self, value: Any, site: Site) -> int:
        """Return the identity of an object; on a line that is perturbed, another that is as unique."""
        place = self._place_on("id", ADDRESSED, site)
        place.note(None)
        return id(value) ^ self._mask if place.key in self._perturbed else id(value)

    def _arrange(self, items: list[Any], site: Site) -> list[Any]:
        if len(items) < 2 or len(items) > MAX_ITEMS or is_unseeded(items):  # noqa: PLR2004  # nothing to order
            return items
        canonical = find_canonical_order(items)
        kind: CauseKind = ADDRESSED if canonical is None or any(has_address(item) for item in items) else HASHED
        place = self._place_on("set", kind, site)
        if place.key in self._perturbed:
            secrets.SystemRandom().shuffle(items)
        is_replayed, recorded = self._find(place)
        if canonical is None or kind == ADDRESSED or not self._has_room(place, len(items)):
            place.note(None)
        elif is_replayed and isinstance(recorded, list) and len(recorded) == len(items):
            items = [items[canonical[rank]] for rank in recorded]
            place.note(recorded)
        else:
            rank_of = {index: rank for rank, index in enumerate(canonical)}
            place.note([rank_of[index] for index in range(len(items))])
        return items

    def _has_room(self, place: Place, count: int) -> bool:
        total = self._num_ranks[place.key] = self._num_ranks.get(place.key, 0) + count
        return total <= MAX_RANKS

    def _place_on(self, source: str, kind: CauseKind, site: Site) -> Place:
        return self._interceptor.place_on(source, kind, site)

    def _find(self, place: Place) -> tuple[bool, Any]:
        """Return whether there is something to replay at a place, and what."""
        if not self._interceptor.plan.chooses(place.key) or place.key in self._perturbed:
            return False, None
        details = self._interceptor.details.get(self._interceptor.process, {}).get(place.key)
        position = self._positions.get(place.key, 0)
        self._positions[place.key] = position + 1
        if details is None or position >= len(details.values):
            return False, None
        return True, details.values[position]


def install(interceptor: Interceptor) -> None:
    """Note or replay orders, if the plan says so."""
    if interceptor.plan.watches_orders:
        OrderKeeper(interceptor).install()


class Text(str):
    """The text of a set, which is also what `repr` returns of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return it without quotation marks."""
        return str(self)


def is_set(value: Any) -> bool:
    """Whether something is a set that is iterated over as sets are."""
    kind: Any = type(value)
    return isinstance(value, SETS) and kind.__iter__ in {set.__iter__, frozenset.__iter__}


def iterates(function: Any) -> bool:
    """Whether a function or method of the standard library iterates over its arguments and does no more with them."""
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type | types.ModuleType):
        return isinstance(owner, list | dict | str | collections.deque)
    module = getattr(owner if isinstance(owner, type) else function, "__module__", None) or ""
    return module.partition(".")[0] in ITERATED


def flattens(function: Any) -> bool:
    """Whether a function iterates over the elements of its argument as well."""
    return getattr(function, "__self__", None) is itertools.chain and function.__name__ == "from_iterable"


def is_applied(function: Any) -> bool:
    """Whether a function, handed a set by another one, gives what depends on its order."""
    if getattr(function, "__name__", None) in {"join", "fromkeys"}:
        return iterates(function)
    return any(function is one for one in (list, tuple, iter, enumerate, collections.Counter, collections.deque))


def is_number(value: Any) -> bool:
    """Whether the hash of something is the same in every process."""
    if type(value) is tuple:
        return all(map(is_number, value))
    return type(value) in NUMBERS


def is_unseeded(items: Any) -> bool:
    """Whether the order of a set of these is the same in every process."""
    return all(map(is_number, items))


def lies_by_address(item: Any, hashed: int) -> bool:
    """Whether the hash of an object is made of its address: as `object` does it, or plainly, as tensors do."""
    address = id(item)
    width = sys.maxsize.bit_length() + 1
    turned = (address >> 4) | (address << (width - 4)) & ((1 << width) - 1)
    signed = turned - (1 << width) if turned >> (width - 1) else turned
    return item is not None and hashed in {address, signed}


def has_address(item: Any) -> bool:
    """Whether an element lies in a set by an address: its own, or one of those that it consists of."""
    if type(item) in {tuple, frozenset}:
        return any(map(has_address, item))
    return type(item) is not str and lies_by_address(item, hash(item))


def tells_address(value: Any) -> bool:
    """Whether the text of something tells its address."""
    kind: Any = type(value)
    if isinstance(value, types.FunctionType | types.MethodType):
        return True
    return kind.__repr__ is object.__repr__ and kind.__str__ is object.__str__


def find_canonical_order(items: list[Any]) -> list[int] | None:
    """Return the positions of items in an order that is the same in every process; None if there is none."""
    if all(type(item) is str for item in items):
        return sorted(range(len(items)), key=items.__getitem__)
    names = [name_of(item) for item in items]
    if None in names or len(set(names)) < len(names):
        return None
    return sorted(range(len(items)), key=lambda i: str(names[i]))


def name_of(item: Any) -> str | None:
    """Return a text that is the same for the same element in every process; None if there is none."""
    if type(item) is frozenset:
        names = [name_of(one) for one in item]
        return None if None in names else f"frozenset:{sorted(map(str, names))}"
    if isinstance(item, types.FunctionType | types.BuiltinFunctionType | type):
        return f"{item.__module__}.{item.__qualname__}"
    if lies_by_address(item, hash(item)):
        return None
    text = repr(item)
    return None if " at 0x" in text else f"{type(item).__qualname__}:{text}"
