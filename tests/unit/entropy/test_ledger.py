"""The ledger keeps what was read, in order and by step, and its reader survives whatever a file may hold."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproof.entropy import ledger as ledger_module
from reproof.entropy.handled import mark
from reproof.entropy.ledger import (
    Ledger,
    LedgerReader,
    Place,
    ledger_name,
    read_ledger,
    read_ledgers,
    read_process_numbers,
    read_written,
)

if TYPE_CHECKING:
    from pathlib import Path


def make_entry(key: str = "time.time@a.py:3") -> dict[str, Any]:
    """Return what is written of a place."""
    return {"key": key, "kind": "wall-clock", "source": "time.time", "file": "a.py", "line": 3, "function": "f"}


def make_place(ledger: Ledger, values: list[Any] | None = None, key: str = "time.time@a.py:3") -> Place:
    """Return a place of a ledger."""
    return Place(ledger, make_entry(key), values)


def test_values_come_back_in_order_with_their_steps(tmp_path: Path) -> None:
    """Two places of one process keep their own values; each value knows the step in which it was read."""
    ledger = Ledger(tmp_path, "0")
    first, second = make_place(ledger), make_place(ledger, key="os.urandom@b.py:1")
    first.note(1.5)
    ledger.begin_step(1)
    ledger.begin_step(2)
    second.note("ab")
    first.note([1, None])
    ledger.flush()
    found = read_ledger(tmp_path / ledger_name("0"))
    assert (found["time.time@a.py:3"].values, found["time.time@a.py:3"].steps) == ([1.5, [1, None]], [0, 2])
    assert (found["os.urandom@b.py:1"].values, found["os.urandom@b.py:1"].steps) == (["ab"], [2])


def test_the_first_read_of_a_place_is_written_at_once(tmp_path: Path) -> None:
    """A process that is killed right after it loses nothing."""
    make_place(Ledger(tmp_path, "0")).note(7)
    assert read_ledger(tmp_path / ledger_name("0"))["time.time@a.py:3"].values == [7]


def test_a_read_is_written_once_the_last_writing_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads that are far apart are not kept back until there are many."""
    now = [0.0]
    monkeypatch.setattr(ledger_module, "read_clock", lambda: now[0])
    place = make_place(Ledger(tmp_path, "0"))
    place.note(1)
    place.note(2)
    assert read_ledger(tmp_path / ledger_name("0"))[place.key].values == [1]
    now[0] = 2.0
    place.note(3)
    assert read_ledger(tmp_path / ledger_name("0"))[place.key].values == [1, 2, 3]


def test_only_the_number_of_later_values_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that reads a clock for ever does not fill the disk."""
    monkeypatch.setattr(ledger_module, "MAX_VALUES", 3)
    ledger = Ledger(tmp_path, "0")
    place = make_place(ledger)
    for number in range(5):
        place.note(number)
    ledger.flush()
    assert (place.num_reads, read_ledger(tmp_path / ledger_name("0"))[place.key].values) == (5, [0, 1, 2])


def test_a_value_that_json_lacks_is_a_problem_and_costs_no_other(tmp_path: Path) -> None:
    """The values around it are kept, its place stays in the order, and the reason is written down."""
    ledger = Ledger(tmp_path, "0")
    place = make_place(ledger)
    for value in (1, 2, object(), float("nan"), 5):
        place.note(value)
    ledger.flush()
    source = read_ledger(tmp_path / ledger_name("0"))[place.key]
    assert source.values[:3] == [1, 2, None]
    assert source.values[4] == 5
    assert "not JSON serializable" in source.notes[0]["reason"]
    assert "not JSON serializable" in ledger.problems[0]


def test_a_full_disk_is_a_problem_and_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is said once; the program goes on."""

    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    ledger = Ledger(tmp_path, "0")
    place = make_place(ledger)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        for number in range(1000):
            place.note(number)
    assert ledger.problems == ["the entropy of this run is not recorded whole: No space left on device"]


@pytest.mark.parametrize("function", ["write", "fstat"])
def test_an_error_of_a_handler_is_no_full_disk(function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `TimeoutError` is an `OSError`, too: one that a handler of the program's has raised is the program's."""
    late = TimeoutError("time is up")
    mark(late)

    def interrupt(*_: object) -> int:
        raise late

    place = make_place(Ledger(tmp_path, "0"))
    with monkeypatch.context() as patched:
        patched.setattr(os, function, interrupt)
        with pytest.raises(TimeoutError, match="time is up"):
            place.note(1)


def test_a_missing_folder_is_a_problem_and_not_an_error(tmp_path: Path) -> None:
    """Without its folder a ledger takes reads and writes nothing."""
    ledger = Ledger(tmp_path / "nowhere", "0")
    make_place(ledger).note(1)
    assert ledger.problems == ["the entropy of process 0 is not recorded: No such file or directory"]


def test_a_descriptor_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    """A program that closes all files gets none of our lines into its own, which have their numbers."""
    ledger = Ledger(tmp_path, "0")
    place = make_place(ledger)
    descriptor = ledger._descriptor
    assert descriptor is not None
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    os.dup2(other, descriptor)
    place.note(1)
    ledger.flush()
    os.close(other)
    os.close(descriptor)
    assert (tmp_path / "other").read_bytes() == b""
    assert "the program closed the file" in ledger.problems[0]


def test_values_are_replayed_one_after_the_other(tmp_path: Path) -> None:
    """A place hands out what it was given, then nothing; after giving up nothing at all."""
    ledger = Ledger(tmp_path, "0")
    place = make_place(ledger, ["a", "b"])
    assert (place.peek(), place.expects("b"), place.expects("c")) == ("a", True, False)
    assert [place.take() for _ in range(3)] == [(True, "a"), (True, "b"), (False, None)]
    place.move(ledger, ["x"])
    place.give_up()
    assert place.take() == (False, None)
    assert [note["note"] for note in read_ledger(tmp_path / ledger_name("0"))[place.key].notes] == ["given up"]
    assert ledger.problems == []


def test_a_torn_line_costs_what_was_in_it(tmp_path: Path) -> None:
    """Everything before the end that a kill tore off is read."""
    ledger = Ledger(tmp_path, "0")
    place = make_place(ledger)
    place.note(1)
    ledger.close()
    path = tmp_path / ledger_name("0")
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert read_ledger(path).get(place.key) is None or read_ledger(path)[place.key].values in ([], [1])


HOSTILE = [
    "null",
    "3",
    '"text"',
    "{}",
    "[[9, 1]]",
    "[[0]]",
    "[7]",
    "[[0, 1, 2]]",
    "[[-1, null]]",
    '[[-1, "x"]]',
    "[[[], 1]]",
    '{"place": 0}',
    '{"place": [], "key": "k", "kind": "k", "source": "s"}',
    '{"place": 1, "key": [], "kind": "k", "source": "s"}',
    '{"place": 1, "key": "k", "kind": "k", "source": "s", "line": "x"}',
    '{"place": 1, "key": "k", "kind": "k", "source": "s", "file": 3, "values": 4, "evil": 5}',
    '{"place": Infinity, "key": "k", "kind": "k", "source": "s"}',
    "[[-1,-5]]",
    "[[-1,true]]",
    '{"note": "unused", "key": []}',
    '{"note": "unused"}',
    "[" * 100_000,
    '{"a": 1e999999}',
    "9" * 10_000,
    "\ud800",
]


def test_hostile_lines_are_passed_over(tmp_path: Path) -> None:
    """No line of another form keeps the others from being read, or raises."""
    path = tmp_path / ledger_name("0")
    own = [json.dumps({"place": 0, **make_entry()}), "[[0,1],[-1,4],[0,2]]"]
    lines = [line for hostile in HOSTILE for line in (own[0], hostile)] + own
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n\xff\xfe\n")
    source = read_ledger(path)["time.time@a.py:3"]
    assert (source.values[-2:], source.steps[-1]) == ([1, 2], 4)


def test_what_is_no_file_is_no_ledger(tmp_path: Path) -> None:
    """A folder, a pipe, which would be waited for, a device, which never ends, and a file of holes."""
    (tmp_path / ledger_name("0")).mkdir()
    os.mkfifo(tmp_path / ledger_name("1"))
    (tmp_path / ledger_name("2")).symlink_to("/dev/zero")
    (tmp_path / ledger_name("3")).symlink_to(ledger_name("3"))
    (tmp_path / ledger_name("4")).touch()
    os.truncate(tmp_path / ledger_name("4"), 1 << 36)
    assert (read_ledgers(tmp_path), read_process_numbers(tmp_path), read_written(tmp_path)) == ({}, set(), [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["place", "key", "kind"]), inner),
    max_leaves=10,
)


@given(entry=JSON)
def test_the_reader_raises_what_it_says_and_nothing_else(entry: Any) -> None:
    """Any JSON is either taken or refused by one of three exceptions."""
    reader = LedgerReader()
    with contextlib.suppress(ValueError, TypeError, KeyError):
        reader.read(entry)
    assert all(isinstance(key, str) for key in reader.sources)


def test_each_ledger_tells_the_number_of_its_process_first(tmp_path: Path) -> None:
    """A child that has read nothing is known, too; one that was damaged is not."""
    Ledger(tmp_path, "0").close()
    (tmp_path / "rank0.1.entropy").write_text('{"process":4242}\n{"place"', encoding="utf-8")
    for number, text in enumerate(("", "[1]\n", "{", '{"process":"4"}\n', '{"process":' + "4" * 200)):
        (tmp_path / f"rank1.{number}.entropy").write_text(text, encoding="utf-8")
    assert read_process_numbers(tmp_path) == {os.getpid(), 4242}
    assert read_ledger(tmp_path / "rank0.1.entropy") == {}
