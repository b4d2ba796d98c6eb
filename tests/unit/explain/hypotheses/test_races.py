"""When threads are said to race; real races are in `tests/causes`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.hypotheses.races import Race, share_parameters, suspect_unrepeatable
from reproof.explain.suspects import Suspect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Difference


def start_threads(folder: Path, num_threads: int) -> None:
    """Write the ledger of a run that started so many threads on line 3."""
    place = {"place": 0, "key": "threading.Thread@a.py:3", "kind": "concurrency", "source": "threading.Thread"}
    entries: list[Any] = [{**place, "file": "a.py", "line": 3, "function": "f", "through": None}]
    entries += [[[0, 1] for _ in range(num_threads)]]
    (folder / "rank0.entropy").write_text("\n".join(map(json.dumps, entries)))


@pytest.mark.parametrize("is_fixed", [True, False])
def test_threads_race_if_taking_turns_takes_the_divergence_away(
    tmp_path: Path, first: Difference, make_inquiry: Callable[..., Any], *, is_fixed: bool
) -> None:
    """Two runs in which they take turns are identical to each other; whether to the baseline does not matter."""
    start_threads(tmp_path, 2)
    causes = Race(has_several=True).test(make_inquiry(first, None if is_fixed else first))
    assert [(cause.kind, cause.line, cause.confirmed) for cause in causes] == [("concurrency", 3, True)] * is_fixed


@pytest.mark.parametrize(("stage", "line"), [("gradient", 9), ("batch", 3)])
def test_results_of_threads_are_named_where_they_are_waited_for(
    tmp_path: Path, first: Difference, make_inquiry: Callable[..., Any], stage: Any, line: int
) -> None:
    """If they came in another order, and are put together; the pool may have been made anywhere."""
    start_threads(tmp_path, 2)
    source = "multiprocessing.Pool.imap_unordered"
    awaited = Suspect(key=f"{source}@a.py:9", kind="concurrency", source=source, file="a.py", line=9)
    parted = replace(first, stage=stage, detail=None)
    inquiry = replace(make_inquiry(parted, None), first=parted, suspects=(awaited,))
    causes = Race(has_several=True).test(inquiry)
    assert [(cause.kind, cause.line) for cause in causes] == [("concurrency", line)]
    assert ("have each task return its gradients" in causes[0].fix) == (stage == "gradient")


@pytest.mark.parametrize(("num_threads", "several", "one"), [(0, False, False), (1, False, True), (2, True, False)])
def test_one_thread_is_tried_apart_from_several(
    num_threads: int, tmp_path: Path, make_inquiry: Callable[..., Any], *, several: bool, one: bool
) -> None:
    """It only races with the main thread, and is tried last."""
    start_threads(tmp_path, num_threads)
    applies = [Race(has_several=has_several).applies(make_inquiry()) for has_several in (True, False)]
    assert applies == [several, one]


@pytest.mark.parametrize("num_processes", [1, 2])
def test_processes_that_train_one_model_are_suspected(
    num_processes: int, tmp_path: Path, make_inquiry: Callable[..., Any]
) -> None:
    """Of a single one nobody else is known to change what it trains."""
    source = "parameters in shared memory"
    place = {"place": 0, "key": f"{source}@a.py:7", "kind": "concurrency", "source": source, "file": "a.py", "line": 7}
    entries = [{**place, "function": "train", "through": None}, [[0, 1]]]
    for number in range(1, num_processes + 1):
        (tmp_path / f"rank0.{number}.entropy").write_text("\n".join(map(json.dumps, entries)))
    inquiry = make_inquiry()
    assert share_parameters(inquiry) == (num_processes > 1)
    causes = [(cause.kind, cause.line, cause.confirmed) for cause in suspect_unrepeatable(inquiry)]
    assert causes == [("concurrency", 7, False)] * (num_processes > 1)
    start_threads(tmp_path, 2)
    confirmed = Race(has_several=True).test(make_inquiry(None, None))
    assert [(cause.line, cause.confirmed) for cause in confirmed] == [(7 if num_processes > 1 else 3, True)]
