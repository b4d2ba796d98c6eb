"""What `--vary` changes of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproof.errors import UsageError
from reproof.launch.processes import RunRequest
from reproof.launch.variations import (
    NAMES,
    Surroundings,
    find_unvaried,
    parse_variations,
    surroundings_of,
    vary,
)

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
    ("own", "installed", "chosen"),
    [
        ("de_DE.UTF-8", "C\nPOSIX\n", "C"),
        ("C.UTF-8", "C\nC.utf8\nPOSIX\nsv_SE.utf8\ntr_TR.utf8\n", "sv_SE.utf8"),
        ("", "C\nsv_SE.utf8\n", "sv_SE.utf8"),
        ("C", "C\nC.utf8\nPOSIX\n", None),
        ("C", None, None),
    ],
)
def test_the_locale_is_another_or_it_is_said_that_there_is_none(
    own: str, installed: str | None, chosen: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C for who has a language, any language for who has C; nothing is claimed where none is installed."""
    if installed is not None:
        program = tmp_path / "locale"
        program.write_text(f"#!/bin/sh\necho '{installed}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LANG", own)
    monkeypatch.delenv("LC_ALL", raising=False)
    environment = surroundings_of(["locale"]).environment
    assert environment == ({} if chosen is None else {"LC_ALL": chosen, "LANG": chosen})
    assert list(find_unvaried(["time", "locale"])) == ([] if chosen else ["locale"])


@pytest.mark.parametrize(
    ("name", "field"), [("listing-order", "reverses_listings"), ("workers", "more_workers"), ("time", "time_shift")]
)
def test_some_variations_are_carried_out_in_the_process(name: str, field: str) -> None:
    """They become part of its plan."""
    plan = vary(REQUEST, surroundings_of([name])).plan
    assert plan is not None
    assert getattr(plan, field)
