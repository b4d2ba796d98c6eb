"""What `--vary` changes of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproof.errors import UsageError
from reproof.launch.processes import RunRequest
from reproof.launch.variations import NAMES, Surroundings, parse_variations, surroundings_of, vary

REQUEST = RunRequest(command=("train.py",), folder=Path(), trace=Path("t"), level="steps")


def test_all_names_every_variation() -> None:
    """`all` leaves nothing out."""
    assert parse_variations("all") == NAMES


def test_names_are_kept_once_and_in_order() -> None:
    """Spaces and repetitions do no harm."""
    assert parse_variations("time, threads,time") == ("time", "threads")


@pytest.mark.parametrize("text", ["", " , ", "thread", "all,time,x"])
def test_what_is_unknown_is_refused_by_name(text: str) -> None:
    """One line says what there is to choose from."""
    with pytest.raises(UsageError, match="choose from all, hash-seed"):
        parse_variations(text)


def test_nothing_varied_is_the_run_as_it_was() -> None:
    """No variation, no plan."""
    assert surroundings_of(()) == Surroundings()
    assert vary(REQUEST, surroundings_of(())) == REQUEST


def test_the_number_of_threads_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread where there would be more, two where there would be one."""
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert surroundings_of(["threads"]).environment["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert surroundings_of(["threads"]).environment["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("name", "field"), [("listing-order", "reverses_listings"), ("workers", "more_workers"), ("time", "time_shift")]
)
def test_some_variations_are_carried_out_in_the_process(name: str, field: str) -> None:
    """They become part of its plan."""
    plan = vary(REQUEST, surroundings_of([name])).plan
    assert plan is not None
    assert getattr(plan, field)
