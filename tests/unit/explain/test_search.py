"""Which candidates a search judges, and what it keeps when its experiments are spent.

Whole searches are tests of real runs (`tests/causes`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.laboratory import BudgetSpentError
from reproof.explain.search import Explanation, Search, explain_candidates
from reproof.schema import Comparison, OutputDifference, OutputResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Difference


def test_what_was_found_is_kept_when_no_more_experiments_may_be_made(
    monkeypatch: pytest.MonkeyPatch, make_inquiry: Callable[..., Any]
) -> None:
    """A step that differs by what is read is searched for operations as well, which may cost more than there is."""
    inquiry = make_inquiry(differs_anyway=True)
    cause: Any = object()
    read: Any = type("Read", (), {"test": lambda *_: [cause]})()
    monkeypatch.setattr("reproof.explain.search.BY_READING", (read,))
    monkeypatch.setattr("reproof.explain.search.open_inquiry", lambda *_: inquiry)
    search = Search(laboratory=inquiry.laboratory, candidate=inquiry.candidate)
    with pytest.raises(BudgetSpentError):
        search.explain(inquiry.first)
    assert search.causes == [cause]


@pytest.mark.parametrize("is_same", [True, False])
def test_memory_counts_only_if_it_reaches_the_first_event(
    is_same: bool,  # noqa: FBT001  # a case
    monkeypatch: pytest.MonkeyPatch,
    make_inquiry: Callable[..., Any],
) -> None:
    """What a warm-up has read, and thrown away, is no cause of weights that nobody seeded."""
    inquiry = make_inquiry(differs_anyway=True)
    later = replace(inquiry.first, num_events=9) if is_same else replace(inquiry.first, name="y", num_events=9)
    inquiry = replace(inquiry, replica=replace(inquiry.replica, first=later))
    tried: list[Any] = []

    def find(hypotheses: tuple[Any, ...], _: Any) -> list[Any]:
        tried.append({type(one).__name__ for one in hypotheses})
        return [SimpleNamespace(kind=kind) for kind in ("uninitialized-memory", "nondeterministic-op")]

    monkeypatch.setattr("reproof.explain.search.find_causes", find)
    monkeypatch.setattr("reproof.explain.search.open_inquiry", lambda *_: inquiry)
    search = Search(laboratory=inquiry.laboratory, candidate=inquiry.candidate)
    search.explain(inquiry.first)
    assert len(tried) == 2
    assert [cause.kind for cause in search.causes[2:]] == ["uninitialized-memory"] * is_same + ["nondeterministic-op"]
    assert "UnstableOperation" in tried[1]
    assert ({"MarkedMemory", "DecidingMemory"} <= tried[1]) is is_same


LINE = OutputDifference(kind="line", name="stdout line 1", baseline="a", candidate="b")
OPEN = Comparison(
    verdict="inconclusive",
    runs=("a", "b"),
    num_events=1,
    num_tensors=1,
    num_steps=1,
    output=OutputResult(differences=(LINE,)),
)


class TestSeveralCandidates:
    """Each of them is judged; causes are searched for once."""

    @pytest.fixture
    def searched(self, monkeypatch: pytest.MonkeyPatch, first: Difference) -> list[str]:
        """Return what takes the candidates whose causes are searched for; those named ``late…`` turn out to diverge."""
        names: list[str] = []

        def settle(laboratory: Any, comparison: Comparison, candidate: Path) -> tuple[Comparison, str | None]:
            if len(laboratory.trials) >= laboratory.setting.max_runs:
                raise BudgetSpentError
            laboratory.trials.append(candidate.name)
            if candidate.name.startswith("unclear"):
                return comparison, "it failed"
            if not candidate.name.startswith("late"):
                return replace(comparison, verdict="identical"), None
            laboratory.wanted = (replace(LINE, name=candidate.name),)
            return replace(comparison, verdict="diverged", first=first), None

        def explain(
            setting: Any, _comparison: Any, candidate: Path, *_: Any, laboratory: Any, **__: Any
        ) -> Explanation:
            names.append(candidate.name)
            assert laboratory.setting is setting
            names.extend(one.name for one in laboratory.wanted)
            return Explanation(causes=(), trials=tuple(laboratory.trials), notes=("searched",))

        monkeypatch.setattr("reproof.explain.search.settle_output", settle)
        monkeypatch.setattr("reproof.explain.search.explain_divergence", explain)
        return names

    @pytest.mark.parametrize(
        ("names", "verdicts", "expected"),
        [
            (["noise1", "noise2"], ["identical", "identical"], []),
            (["noise1", "late1", "late2"], ["identical", "diverged", "diverged"], ["late1", "late1", "searched"]),
            (["diverged", "late1"], ["diverged", "diverged"], ["diverged", "searched"]),
            (["unclear", "late1"], ["inconclusive", "diverged"], ["late1", "late1", "it failed", "searched"]),
        ],
    )
    def test_all_are_judged(
        self,
        names: list[str],
        verdicts: list[str],
        expected: list[str],
        searched: list[str],
        first: Difference,
    ) -> None:
        """One that has diverged by its events already keeps none of the others from its experiment."""
        given = [replace(OPEN, verdict="diverged", first=first) if name == "diverged" else OPEN for name in names]
        settings: list[Any] = [type("Setting", (), {"max_runs": 12, "keeps_samples": False})() for _ in names]
        candidates = list(zip(settings, given, map(Path, names), strict=True))
        judged, found = explain_candidates(candidates)
        assert [comparison.verdict for comparison in judged] == verdicts
        assert [*searched, *found.notes] == expected
        assert len(found.trials) == len(names) - names.count("diverged")

    def test_experiments_of_all_count(self, searched: list[str]) -> None:
        """A candidate for which none is left stays open, and that is said."""
        setting: Any = type("Setting", (), {"max_runs": 1, "keeps_samples": False})()
        judged, found = explain_candidates([(setting, OPEN, Path("noise1")), (setting, OPEN, Path("noise2"))])
        assert [comparison.verdict for comparison in judged] == ["identical", "inconclusive"]
        assert found.notes == ("no experiment may be made that would tell what the output of noise2 differs by",)
        assert not searched
