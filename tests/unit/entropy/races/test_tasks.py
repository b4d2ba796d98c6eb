"""Tasks of pools are announced under names that do not depend on who does them."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from reproof.entropy.races.tasks import announce_tasks, name_call_item, name_pool_task, tap_joblib, tap_worker


class Announced:
    """Stands for the interceptor: keeps what it is told."""

    def __init__(self) -> None:
        """Start with no task."""
        self.task: str | None = None
        self.seen: list[str | None] = []

    def enter_task(self, name: str | None) -> None:
        """Keep the name."""
        self.task = name
        self.seen.append(name)


def queues(*tasks: Any) -> tuple[Any, Any, list[Any]]:
    """Return a queue that gives these tasks, one that takes results, and these."""
    waiting, results = list(tasks), []
    return (
        SimpleNamespace(get=lambda: waiting.pop(0)),
        SimpleNamespace(put=results.append, _reader="a pipe"),
        results,
    )


@pytest.mark.parametrize(
    ("task", "name"), [((3, 1, print, (), {}), "job3.task1"), (None, None), ((3, None, print, (), {}), None)]
)
def test_names_of_pool_tasks(task: Any, name: str | None) -> None:
    """Job and number within it; what ends a worker has none."""
    assert name_pool_task(task) == name


@pytest.mark.parametrize(("item", "name"), [(SimpleNamespace(work_id=7), "future7"), (None, None), (object(), None)])
def test_names_of_the_tasks_of_executors(item: Any, name: str | None) -> None:
    """The number of the future; what ends a worker has none."""
    assert name_call_item(item) == name


def test_each_task_is_announced_and_its_end() -> None:
    """The queues give and take what they did before."""
    heard: Any = Announced()
    tasks, results, put = queues((1, 0, "a"), (1, 1, "b"), None)
    announce_tasks(heard, tasks, results, name_pool_task)
    assert [tasks.get(), results.put("A"), tasks.get(), results.put("B"), tasks.get()][::2] == [
        (1, 0, "a"),
        (1, 1, "b"),
        None,
    ]
    assert put == ["A", "B"]
    assert heard.seen == ["job1.task0", None, "job1.task1", None, None]


def test_threads_of_a_pool_announce_nothing() -> None:
    """Their queues are no pipes: several of them are in one process."""
    heard: Any = Announced()
    module: Any = ModuleType("pools")
    module.worker = lambda tasks, results: results.put(tasks.get())
    tap_worker(heard, module, "worker", name_pool_task)
    tasks, results, put = queues((1, 0, "a"))
    del results._reader  # of the fake
    module.worker(tasks, results)
    assert (put, heard.seen) == ([(1, 0, "a")], [])


def test_the_calls_of_a_joblib_task_are_announced_one_by_one() -> None:
    """Outside of a worker they are called as they are; the items stay as they were."""

    class BatchedCalls:
        def __init__(self, items: list[Any]) -> None:
            self.items = items

        def __call__(self) -> list[Any]:
            return [function(*args, **kwargs) for function, args, kwargs in self.items]

    heard: Any = Announced()
    module: Any = SimpleNamespace(BatchedCalls=BatchedCalls)
    tap_joblib(heard, module)
    batch = BatchedCalls([(max, (1, 2), {}), (min, (1, 2), {})])
    assert batch() == [2, 1]
    assert heard.seen == []
    heard.task = "job3.task0"
    assert batch() == [2, 1]
    assert heard.seen == ["job3.task0.call0", "job3.task0.call1"]
    assert [item[0] for item in batch.items] == [max, min]
