"""Threads and tasks have names that are the same in every run."""

from __future__ import annotations

import inspect
import threading

import pytest

from reproof.entropy.races import workers as module
from reproof.entropy.races.workers import Workers
from reproof.entropy.sites import Site


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


class TestSites:
    """The line of the user's for which a thread works."""

    def test_a_thread_works_for_the_line_that_started_it(self, workers: Workers) -> None:
        """Also one that was started by a thread without a line of the user's."""
        found = []
        thread = threading.Thread(target=lambda: found.append(workers.site))
        thread.start()
        line = _line() - 1
        thread.join()
        assert [(site.line, site.file.endswith("test_workers.py")) for site in found if site] == [(line, True)]

    def test_a_task_works_for_the_line_that_handed_it_in(self, workers: Workers) -> None:
        """And the thread for its own again afterwards."""
        site = Site("train.py", 3, "main")
        assert workers.site is None
        assert workers.run_as("future0", lambda: workers.site, site) == site
        assert workers.site is None


def _line() -> int:
    """Return the line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno
