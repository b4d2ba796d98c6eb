"""What experiments find is read as it was written."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reproof.errors import TraceError
from reproof.schema import PoisonedEvent
from reproof.trace.probes import (
    KeptSamples,
    RepetitionWriter,
    read_poisoned,
    read_poisoned_places,
    read_repetitions,
    read_samples,
    write_poisoned,
    write_samples,
)

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.schema import UnstableOp

POISONED = PoisonedEvent(
    stage="init",
    name="Net.b",
    step=0,
    file="/a/train.py",
    line=9,
    function="Net.__init__",
    num_poisoned=4,
    num_elements=4,
)


def test_unstable_operations_are_read_as_written(tmp_path: Path, unstable: UnstableOp) -> None:
    """Operations, their conditions and the counts come back."""
    writer = RepetitionWriter(tmp_path, 0)
    integers = replace(unstable, max_abs=None, max_ulp=None)
    for op in (unstable, integers):
        writer.add(op)
    writer.close(60, 2)
    found = read_repetitions(tmp_path, 0)
    assert found is not None
    assert found.unstable == (unstable, integers)
    assert (found.num_repeated, found.num_left_out, found.is_complete) == (60, 2, True)


def test_a_killed_process_leaves_what_it_found(tmp_path: Path, unstable: UnstableOp) -> None:
    """A half-written last line is left out, and the run is not taken for complete."""
    writer = RepetitionWriter(tmp_path, 0)
    writer.add(unstable)
    writer.close(1, 0)
    path = tmp_path / "rank0.repetition.jsonl"
    path.write_bytes(path.read_bytes()[:-3])
    found = read_repetitions(tmp_path, 0)
    assert found is not None
    assert (found.unstable, found.is_complete) == ((unstable,), False)


def test_a_run_without_repetition_has_none(tmp_path: Path) -> None:
    """Only an experiment leaves the file."""
    assert read_repetitions(tmp_path, 0) is None


@pytest.mark.parametrize("line", ["[]", '{"name": 1}', "nonsense", "{}", '{"num_repeated": 1}\n{"name": "x"}'])
def test_a_damaged_file_is_an_error(tmp_path: Path, line: str) -> None:
    """What has another form is refused in one line."""
    (tmp_path / "rank0.repetition.jsonl").write_text(f"{line}\n", encoding="utf-8")
    (tmp_path / "rank0.poison.json").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(TraceError):
        read_repetitions(tmp_path, 0)
    with pytest.raises(TraceError):
        read_poisoned(tmp_path, 0)


@pytest.mark.parametrize("events", [(), (POISONED,), (POISONED, replace(POISONED, name="loss"))])
def test_poisoned_events_are_read_as_written(tmp_path: Path, events: tuple[PoisonedEvent, ...]) -> None:
    """The events come back in their order, or that there was none."""
    write_poisoned(tmp_path, 0, events)
    assert read_poisoned(tmp_path, 0) == events


def test_places_of_memory_are_read_as_written(tmp_path: Path) -> None:
    """Files and lines come back in their order; what has another form is refused."""
    write_poisoned(tmp_path, 0, (), (("train.py", 7), ("data.py", 2)))
    assert read_poisoned_places(tmp_path, 0) == (("train.py", 7), ("data.py", 2))
    for places in ("null", '[["train.py"]]', '[["train.py", "7"]]', '["train.py"]', '[["train.py", true]]'):
        (tmp_path / "rank0.poison.json").write_text(f'{{"events": [], "places": {places}}}\n', encoding="utf-8")
        with pytest.raises(TraceError, match="places"):
            read_poisoned_places(tmp_path, 0)


SAMPLES = KeptSamples(name="loader0(9)[0]", count=2, height=1, width=3, values=array("f", [0, 0.1, 1, 2, -1, 3e38]))


def test_samples_are_read_as_written_and_by_their_owner_alone(tmp_path: Path) -> None:
    """They are the user's data."""
    assert read_samples(tmp_path, 0) is None
    for kept in (SAMPLES, replace(SAMPLES, step=3)):
        write_samples(tmp_path, 0, kept)
        assert read_samples(tmp_path, 0) == kept
    assert (tmp_path / "rank0.samples.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", [{"count": 3}, {"height": 0}, {"values": "?"}, {"values": "AAA="}, {"name": 1}])
def test_damaged_samples_are_an_error(tmp_path: Path, change: dict[str, object]) -> None:
    """Rather than a picture of something else."""
    write_samples(tmp_path, 0, SAMPLES)
    path = tmp_path / "rank0.samples.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(TraceError, match="does not hold samples"):
        read_samples(tmp_path, 0)


def test_a_run_that_was_not_poisoned_is_no_clean_one(tmp_path: Path) -> None:
    """Where no experiment was made, none is made up."""
    with pytest.raises(TraceError, match="missing"):
        read_poisoned(tmp_path, 0)
