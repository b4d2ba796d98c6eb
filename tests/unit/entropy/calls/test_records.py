"""What calls were given and returned is written and read again, and what was found by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.entropy.calls.records import (
    FOLDER,
    MAX_PENDING,
    CallLog,
    Event,
    Finding,
    Spot,
    read_findings,
    read_streams,
)

if TYPE_CHECKING:
    from pathlib import Path

SPOT = Spot(file="a.py", line=3, column=4, what="call", text="f(x,\ty)").name


def test_a_spot_is_known_by_its_name() -> None:
    """Whatever stands in its text."""
    assert Spot.read(SPOT) == Spot("a.py", 3, 4, "call", "f(x,\ty)")


def test_events_come_back_in_their_order_with_the_results_that_were_kept(tmp_path: Path) -> None:
    """Those of two threads beside each other, and of more events than are written at once."""
    log = CallLog(tmp_path, "0")
    count = MAX_PENDING * 2 + 3
    for number in range(count):
        log.add("main", number, Event(SPOT, number, 2**64 - 1), b"%d" % number if number % 2 else None)
        log.add("other", number, Event(SPOT, 7, number), None)
    log.close()
    streams = read_streams(tmp_path)
    assert [event.inputs for event in streams["main"].events] == list(range(count))
    assert [event.result for event in streams["other"].events] == list(range(count))
    assert [streams["main"].load(number) for number in (0, 1, count - 2)] == [None, b"1", b"%d" % (count - 2)]


def test_the_last_line_of_a_process_that_was_killed_may_be_cut(tmp_path: Path) -> None:
    """What is whole is read."""
    log = CallLog(tmp_path, "0")
    log.add("main", 0, Event(SPOT, 1, 2), None)
    log.close()
    path = next((tmp_path / FOLDER).glob("*.jsonl"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"stream": "main", "sta')
    assert [event.inputs for event in read_streams(tmp_path)["main"].events] == [1]


def test_findings_come_back(tmp_path: Path) -> None:
    """Each as it was written, at once."""
    found = Finding(
        spot=SPOT,
        stream="main",
        number=3,
        source="lib.draw",
        is_origin=True,
        is_whole=False,
        is_healed=False,
        problem="its result could not be kept",
    )
    log = CallLog(tmp_path, "0.1")
    log.find(found)
    assert read_findings(tmp_path) == [found]
    log.close()


def test_a_child_writes_each_event_at_once(tmp_path: Path) -> None:
    """It may be ended without a word, as the workers of a loader are."""
    log = CallLog(tmp_path, "0.1")
    log.add("main", 0, Event(SPOT, 1, 2), b"value")
    assert read_streams(tmp_path)["main"].load(0) == b"value"
    log.close()


def test_a_run_that_has_noted_nothing_has_no_files(tmp_path: Path) -> None:
    """And is read as such."""
    CallLog(tmp_path, "0").flush()
    assert (read_streams(tmp_path), read_findings(tmp_path), list(tmp_path.iterdir())) == ({}, [], [])
