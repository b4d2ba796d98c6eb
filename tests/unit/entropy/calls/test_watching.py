"""What calls are given and return is noted in one run; in another, what differs is found and put in place."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.calls import watching
from reproof.entropy.calls.records import Finding, Spot, read_findings
from reproof.entropy.calls.watching import CallWatcher
from reproof.entropy.plan import Plan
from reproof.entropy.rewriting.hooking import Hooking
from reproof.entropy.rewriting.recompiling import compile_changed

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Runs:
    """Makes runs of one script: each notes, or is compared with an earlier one."""

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)

    def run(self, source: str, name: str, **plan: Any) -> dict[str, Any]:
        """Run a script and return its names."""
        folder = self.folder / name
        folder.mkdir()
        interceptor: Any = SimpleNamespace(
            plan=Plan(watches_calls=True, **plan),
            folder=folder,
            process="0",
            task=None,
            on_child=[],
            on_task=[],
            on_close=[],
            on_flush=[],
        )
        workers: Any = SimpleNamespace(name="main")
        watcher = CallWatcher(interceptor, workers)
        names = {"__name__": "module", **watcher.hooks(), **self.names}
        exec(compile_changed(source, "module.py", Hooking("module.py")), names)  # noqa: S102  # what is tested
        for action in interceptor.on_close:
            action()
        return names

    def compare(self, source: str, **plan: Any) -> tuple[dict[str, Any], dict[str, Any], list[Finding]]:
        """Run a script twice, then with the results of the first; return what both have, and the findings."""
        first = self.run(source, "first")
        second = self.run(source, "second", calls_of=str(self.folder / "first"), **plan)
        return first, second, read_findings(self.folder / "second")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Return runs in which `draw` gives other values each time, as compiled code may."""
    monkeypatch.setattr(watching, "is_watched", lambda function: function is not len)
    numbers = itertools.count(100)

    def draw(*_: Any, into: list[int] | None = None) -> int:
        if into is not None:
            into[:] = [next(numbers)]
        return next(numbers)

    return Runs(tmp_path, {"draw": draw, "echo": lambda *given: list(given), "make": lambda: lambda: next(numbers)})


def lines(findings: list[Finding]) -> list[tuple[int, bool, bool]]:
    """Return line, whether it is an origin, and whether it was healed."""
    return [(Spot.read(one.spot).line, one.is_origin, one.is_healed) for one in findings]


def test_a_result_that_differs_is_put_in_place_at_once(runs: Runs) -> None:
    """All that follows from it is then as in the earlier run, so that there is one finding."""
    first, second, findings = runs.compare("a = draw(1)\nb = echo(a, 2)\nc = [x for x in echo(b)]")
    assert [second[name] for name in "abc"] == [first[name] for name in "abc"]
    assert lines(findings) == [(1, True, True)]


def test_what_follows_is_no_origin_where_nothing_is_put_in_place(runs: Runs) -> None:
    """Its inputs differ."""
    first, second, findings = runs.compare("a = draw(1)\nb = echo(a, 2)", heals=())
    assert second["a"] != first["a"]
    assert lines(findings) == [(1, True, False), (2, False, False)]


def test_every_origin_is_found_in_one_run(runs: Runs) -> None:
    """And those that are chosen alone are put in place."""
    source = "a = draw(1)\nb = draw(2)"
    first, second, findings = runs.compare(source)
    assert [line for line, *_ in lines(findings)] == [1, 2]
    third = runs.run(source, "third", calls_of=str(runs.folder / "first"), heals=(findings[1].spot,))
    assert (third["a"] == first["a"], third["b"] == first["b"]) == (False, True)
    assert second["b"] == first["b"]


def test_what_a_call_changes_is_changed_again(runs: Runs) -> None:
    """The object stays the same one."""
    first, second, findings = runs.compare("box = [0]\nsame = box\ndraw(into=box)")
    assert second["box"] == first["box"]
    assert second["same"] is second["box"]
    assert lines(findings) == [(3, True, True)]


def test_a_number_that_is_given_and_returned_is_no_object(runs: Runs) -> None:
    """As the size of a buffer that was filled: it is one object by chance."""
    runs.names["fill"] = lambda box, size: runs.names["draw"](into=box) and size
    first, second, findings = runs.compare("box = [0]\nsize = 2\nfill(box, size)")
    assert second["box"] == first["box"]
    assert lines(findings) == [(3, True, True)]


def test_a_result_that_cannot_be_kept_is_told_and_what_it_gives_is_no_origin(runs: Runs) -> None:
    """A function that was made; what it returns later may differ for that reason alone."""
    _, _, findings = runs.compare("f = make()\na = f()\nb = f()")
    assert lines(findings) == [(2, True, True), (3, True, True)]  # functions of one code have one content
    assert all(one.problem == "" for one in findings)


def test_another_way_through_the_code_ends_the_comparison(runs: Runs) -> None:
    """What comes after cannot be set beside what the earlier run did."""
    source = "if is_first:\n    echo(1)\na = draw(1)"
    runs.names["is_first"] = True
    runs.run(source, "first")
    runs.names["is_first"] = False
    runs.run(source, "second", calls_of=str(runs.folder / "first"))
    assert read_findings(runs.folder / "second") == []


def test_calls_that_raise_leave_nothing_behind(runs: Runs) -> None:
    """The next result is that of its own call."""
    source = (
        "def fail(x):\n    raise ValueError\nfor i in range(3):\n    try:\n        echo(fail(draw(i)))\n"
        "    except ValueError:\n        pass\na = draw(5)"
    )
    first, second, findings = runs.compare(source)
    assert second["a"] == first["a"]
    assert [line for line, *_ in lines(findings)] == [5, 5, 5, 8]


def test_a_spot_is_left_alone_after_so_many_events(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both runs at the same event."""
    monkeypatch.setattr(watching, "MAX_EVENTS", 3)
    first, second, findings = runs.compare("a = [draw(i) for i in range(5)]")
    assert len(findings) == 3
    assert second["a"][:3] == first["a"][:3]
    assert second["a"][3:] != first["a"][3:]
