"""Threads and tasks have names that are the same in every run."""

from __future__ import annotations

import threading

import pytest

from reproof.entropy.races import workers as module
from reproof.entropy.races.workers import Workers


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Return the workers of this process, with threads that are named as they are started."""
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    found = Workers()
    module.install(found)
    return found


def test_a_thread_is_named_after_who_started_it(workers: Workers) -> None:
    """By the order in which its starter started threads, whichever runs first."""
    names = []

    def note() -> None:
        names.append(workers.name)

    def start_one() -> None:
        inner = threading.Thread(target=note)
        inner.start()
        inner.join()
        note()

    for target in (note, start_one):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert names == ["main.0", "main.1.0", "main.1"]


def test_a_task_has_a_name_of_its_own(workers: Workers) -> None:
    """And numbers of its own; afterwards the thread has its name again."""
    assert [workers.count("put") for _ in range(2)] == [0, 1]
    assert workers.run_as("future3", lambda: (workers.name, workers.count("put"))) == ("future3", 0)
    assert (workers.name, workers.count("put")) == ("main", 2)
