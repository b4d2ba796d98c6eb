"""Have what concurrent work brings come in the order of an earlier run: held back, or in sets that keep an order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reproof.entropy.ledger import Place


class Arrivals:
    """Numbered results that one line waits for: noted as they come, or held back until it is their turn.

    Attributes:
        lock: To be held by whoever uses it from several threads.
    """

    def __init__(self, place: Place) -> None:
        """Note results at this place."""
        self._place = place
        self._held: dict[int, Any] = {}
        self._wanted: int | None = None
        self._num_passed = 0
        self.lock = threading.RLock()

    def __contains__(self, number: int) -> bool:
        """Whether a result is held back."""
        return number in self._held

    def add(self, number: int, result: Any) -> list[tuple[int, Any]]:
        """Take a result, and return those whose turn it is."""
        self._held[number] = result
        return self._find_ready()

    def release(self, length: int | None) -> list[tuple[int, Any]]:
        """Return what is held back although all have come: the earlier run had other tasks.

        `length` is how many results there are in all, or None if that is not known yet.
        """
        if length is None or self._num_passed + len(self._held) < length:
            return []
        return [self._pass(number) for number in sorted(self._held)]

    def give_up(self) -> list[tuple[int, Any]]:
        """Return what is held back, and hold back nothing more: what the earlier run had does not come."""
        self._place.give_up()
        self._wanted = None
        return self._find_ready()

    def _find_ready(self) -> list[tuple[int, Any]]:
        ready = []
        while self._held:
            if self._wanted is None:
                is_replayed, wanted = self._place.take()
                self._wanted = wanted if is_replayed and isinstance(wanted, int) else next(iter(self._held))
            if self._wanted not in self._held:
                break
            ready.append(self._pass(self._wanted))
            self._wanted = None
        return ready

    def _pass(self, number: int) -> tuple[int, Any]:
        self._num_passed += 1
        self._place.note(number)
        return number, self._held.pop(number)


def is_partition(recorded: Any, ranked: dict[int, Any]) -> bool:
    """Whether two lists of an earlier run are about the same number of futures."""
    return (
        isinstance(recorded, list)
        and len(recorded) == 2  # noqa: PLR2004  # those that are done and those that are not
        and all(isinstance(part, list) for part in recorded)
        and sorted(recorded[0] + recorded[1]) == sorted(ranked)
    )


def rank_parts(found: Iterable[Iterable[Any]], ranked: dict[int, Any]) -> list[list[int]]:
    """Return the ranks of the futures in two sets, in the order in which these are iterated over."""
    rank_of = {id(future): rank for rank, future in ranked.items()}
    return [[rank_of[id(future)] for future in part] for part in found]


class KeptSet(set[Any]):
    """A set that is iterated over in a given order: futures lie in a set by their addresses."""

    def __init__(self, items: Iterable[Any]) -> None:
        """Hold these items, in this order."""
        self._items = list(items)
        super().__init__(self._items)

    def __iter__(self) -> Iterator[Any]:
        """Go through what is still in it in the order in which it came in."""
        kept = [item for item in self._items if item in self]
        known = set(map(id, kept))
        return iter(kept + [item for item in super().__iter__() if id(item) not in known])

    def pop(self) -> Any:
        """Remove and return the first item."""
        for item in self:
            self.remove(item)
            return item
        return super().pop()
