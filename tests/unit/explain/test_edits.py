"""By which draw an edit has changed a training; real runs are in `tests/integration/test_explain_command.py`."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.edits import find_added_draw, find_generators, goes_through
from reproof.schema import RngGap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Difference


def write_draws(folder: Path, **lines: list[int]) -> None:
    """Write the ledger of a run that drew on these lines (``line7``) in these steps."""
    entries: list[Any] = []
    reads: list[tuple[int, list[Any]]] = []
    for number, (name, steps) in enumerate(lines.items()):
        line = int(name.removeprefix("line"))
        place = {"place": number, "key": f"torch@a.py:{line}", "kind": "unseeded-rng", "source": "torch"}
        entries.append({**place, "file": "a.py", "line": line, "function": "f", "through": None})
        reads += [(step, [number, "state"]) for step in steps]
    entries += [[[-1, step], *(read for at, read in reads if at == step)] for step in sorted({at for at, _ in reads})]
    (folder / "rank0.entropy").write_text("\n".join(map(json.dumps, entries)), encoding="utf-8")


def comparison(first: Difference | None, *gaps: RngGap) -> Any:
    """Return as much of a comparison as it takes."""
    return SimpleNamespace(first=first, rng=gaps)


def test_the_line_is_named_without_whose_draws_the_runs_agree(
    first: Difference, make_inquiry: Callable[..., Any], tmp_path: Path
) -> None:
    """Those that began last are tried first: what was drawn there before has changed nothing until then."""
    write_draws(tmp_path, line7=[0, 1, 2], line9=[2], line5=[1])
    (tmp_path / "a.py").write_text("\n" * 4 + "for x in valid: pass\n", encoding="utf-8")
    laboratory = make_inquiry(first, first, None).laboratory
    (cause,) = find_added_draw(laboratory, comparison(first), "candidate")
    assert (cause.kind, cause.line, cause.confirmed) == ("code-change", 5, True)
    assert "generator=torch.Generator()" in cause.fix
    assert "(experiment 4)" in cause.evidence
    assert [plan.takes_back for plan in laboratory.plans] == [(), ("torch@a.py:9",), ("torch@a.py:5",)]


@pytest.mark.parametrize("results", [(None,), (0, 0)])
def test_nothing_is_said_where_no_draw_explains_it(
    first: Difference, make_inquiry: Callable[..., Any], tmp_path: Path, results: tuple[Any, ...]
) -> None:
    """The run that only watches agrees, or no line makes the others agree."""
    write_draws(tmp_path, line7=[0])
    laboratory = make_inquiry(*(first if result == 0 else None for result in results)).laboratory
    assert find_added_draw(laboratory, comparison(first), "candidate") == []
    assert find_added_draw(laboratory, comparison(None), "candidate") == []


def test_generators_that_parted_in_the_step_are_watched(first: Difference) -> None:
    """Those that differed before had no part in it; without states, all are."""
    before = RngGap(step=1, differing=("python",), num_compared=3)
    since = RngGap(step=2, differing=("python", "torch", "loader0"), num_compared=4)
    assert find_generators(comparison(first, before, since), first) == ("torch",)
    assert find_generators(comparison(first), first) == ("random", "numpy.random", "torch")


@pytest.mark.parametrize(
    ("line", "is_so"),
    [("for x in valid:", True), ("sum(f(x) for x in valid)", True), ("x = next(iter(valid))", True), ("f(x)", False)],
)
def test_a_line_may_go_through_a_loader(line: str, *, is_so: bool) -> None:
    """A loop, a comprehension, or an iterator."""
    assert goes_through(line) == is_so
