"""What comes too early is held back until it is its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.interception import Interceptor
from reproof.entropy.plan import Plan
from reproof.entropy.races.arrivals import Arrivals, KeptSet, is_partition, rank_parts

if TYPE_CHECKING:
    from reproof.entropy.ledger import Place


@pytest.fixture
def interceptor(tmp_path: Any) -> Interceptor:
    """Return one with a ledger of its own."""
    return Interceptor(tmp_path, "0", Plan())


def place(interceptor: Interceptor, values: list[Any] | None) -> Place:
    """Return a place with values to be replayed."""
    made = interceptor.add_place({"key": "as_completed@train.py:1", "kind": "concurrency", "source": "as_completed"})
    made.values = values
    return made


def test_without_an_earlier_run_all_pass_as_they_come(interceptor: Interceptor) -> None:
    """Each result is let go at once, and its number is noted."""
    where = place(interceptor, None)
    arrivals = Arrivals(where)
    assert [arrivals.add(number, str(number)) for number in (2, 0)] == [[(2, "2")], [(0, "0")]]
    assert where.num_reads == 2


def test_an_earlier_order_is_kept(interceptor: Interceptor) -> None:
    """A result that comes too early waits for those that came before it then."""
    arrivals = Arrivals(place(interceptor, [1, 0, 2]))
    assert arrivals.add(2, "c") == []
    assert 2 in arrivals
    assert arrivals.add(0, "a") == []
    assert arrivals.add(1, "b") == [(1, "b"), (0, "a"), (2, "c")]


def test_what_does_not_come_is_given_up(interceptor: Interceptor) -> None:
    """Then those that are held back pass in the order in which they came."""
    arrivals = Arrivals(place(interceptor, [7, 0, 1]))
    assert arrivals.add(1, "b") == arrivals.add(0, "a") == []
    assert arrivals.give_up() == [(1, "b"), (0, "a")]


def test_all_pass_when_all_have_come(interceptor: Interceptor) -> None:
    """If the earlier run had other tasks, nothing stays behind; until the number is known, it does."""
    arrivals = Arrivals(place(interceptor, [7]))
    assert arrivals.add(1, "b") == arrivals.add(0, "a") == []
    assert arrivals.release(None) == arrivals.release(3) == []
    assert arrivals.release(2) == [(0, "a"), (1, "b")]


def test_a_kept_set_keeps_its_order() -> None:
    """Also when something is taken out and put in: what is new comes last."""
    items = [object() for _ in range(20)]
    kept = KeptSet(items)
    assert list(kept) == items
    assert kept.pop() is items[0]
    kept.add(items[0])
    assert list(kept) == items


def test_parts_are_told_by_rank() -> None:
    """What is written of two sets is what `is_partition` takes for an earlier run of as many futures."""
    first, second, third = object(), object(), object()
    ranked = {0: first, 1: second, 2: third}
    parts = rank_parts(([third, first], [second]), ranked)
    assert parts == [[2, 0], [1]]
    assert is_partition(parts, ranked)
    assert not is_partition(parts, {0: first, 1: second})
    assert not is_partition([[0]], {0: first})
