"""How the losses of two runs grow apart, and which random number generators differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare, growth
from reproof.comparison.growth import doubling, find_loss_gaps, find_rng_gaps
from reproof.schema import RNG_CUDA, RNG_LOADER, LossGap, RngGap
from reproof.trace import RankTrace, open_trace

if TYPE_CHECKING:
    from pathlib import Path

NAN = math.nan


def ranks(*folders: Path) -> tuple[RankTrace, ...]:
    """Return rank 0 of traces."""
    return tuple(open_trace(folder).ranks[0] for folder in folders)


def keep(say: Any, event: Any, kind: str, typecode: str, *values: float) -> Any:
    """Return an event with numbers kept with it."""
    kept = type(say.label(1).kept[0])
    return event._replace(kept=(kept(kind, typecode, values),))


def loss(say: Any, value: float, name: str = "loss") -> Any:
    """Return the loss of a step."""
    return keep(say, say.named(name, repr(value), "loss", num_tensors=1), "exact", "d", value)


def losses(say: Any, *values: float | None) -> list[list[Any]]:
    """Return the steps of a run with these losses; None for a step without one."""
    return [[say.data("x"), *([] if value is None else [loss(say, value)])] for value in values]


def states(say: Any, **digests: int) -> Any:
    """Return an event with the states of generators."""
    numbers = {"python": 0, "numpy": 1, "torch": 2, "cuda": RNG_CUDA + 1, "loader": RNG_LOADER + 4}
    pairs = [part for name, digest in digests.items() for part in (numbers[name], digest)]
    return keep(say, say.data("x"), "rng", "Q", *pairs)


class TestLosses:
    """The loss of both runs after they have parted."""

    def gaps(self, run: Any, say: Any, a: list[float | None], b: list[float | None], first: int = 0) -> Any:
        """Return the gaps between runs with these losses that part in a step."""
        return find_loss_gaps(*ranks(run("a", *losses(say, *a)), run("b", *losses(say, *b))), first)

    def test_equal_losses_have_no_gap(self, run: Any, say: Any) -> None:
        """Something else differs, or the loss does so later."""
        assert self.gaps(run, say, [1.0, 2.0], [1.0, 2.0]) == ()

    def test_gaps_at_doubling_distances(self, run: Any, say: Any) -> None:
        """The first step that differs, those 1, 2, 4, 8 steps later, and the last; exact values of both runs."""
        a: list[float | None] = [0.1 * step for step in range(20)]
        b: list[float | None] = [0.1 * step if step < 3 else 0.1 * step + 2.0**step for step in range(20)]
        gaps = self.gaps(run, say, a, b)
        assert [gap.step for gap in gaps] == [3, 4, 5, 7, 11, 19]
        assert gaps[0] == LossGap(3, 0.1 * 3, 0.1 * 3 + 8.0)
        assert gaps[-1].size == pytest.approx(2.0**19)

    def test_what_comes_before_the_first_divergence_does_not_count(self, run: Any, say: Any) -> None:
        """The search begins where the runs part."""
        gaps = self.gaps(run, say, [1.0, 5.0, 5.0, 5.0], [1.5, 5.0, 5.0, 6.0], first=1)
        assert [gap.step for gap in gaps] == [3]

    def test_not_a_number(self, run: Any, say: Any) -> None:
        """Two NaN are no difference, one is; JSON has it as a string, and so infinity."""
        gaps = self.gaps(run, say, [NAN, 1.0, math.inf, 1.0], [NAN, NAN, math.inf, -math.inf])
        assert [gap.step for gap in gaps] == [1, 2, 3]
        assert math.isnan(gaps[0].size)
        assert gaps[0].to_json() == {"step": 1, "baseline": 1.0, "candidate": "nan"}
        assert [gap.is_equal for gap in gaps] == [False, True, False]
        assert gaps[2].to_json()["candidate"] == "-inf"

    def test_steps_without_a_loss(self, run: Any, say: Any) -> None:
        """They are passed over, whichever run lacks it; without any loss there is nothing to tell."""
        gaps = self.gaps(run, say, [None, 1.0, 1.0, None, 1.0], [2.0, None, 2.0, 2.0, 3.0])
        assert [gap.step for gap in gaps] == [2, 4]
        a, b = ranks(run("c", [say.data("x")]), run("d", *losses(say, 1.0)))
        assert find_loss_gaps(a, b, 0) == find_loss_gaps(b, a, 0) == ()

    def test_the_last_loss_of_a_step_counts(self, run: Any, say: Any) -> None:
        """With accumulated gradients a step has several; one that is no single number is none."""
        vector = keep(say, say.named("loss", "v", "loss"), "exact", "d", 1.0, 2.0)
        a = run("a", [loss(say, 1.0), loss(say, 2.0), vector])
        b = run("b", [loss(say, 9.0), loss(say, 3.0), vector])
        assert find_loss_gaps(*ranks(a, b), 0) == (LossGap(0, 2.0, 3.0),)

    def test_a_step_in_several_parts(self, tmp_path: Path, frames_writer: Any, say: Any) -> None:
        """A long step is written in parts: its last loss may be in any of them."""
        folders = [
            frames_writer(
                tmp_path / name, [(0, 0, [loss(say, 1.0)]), (0, 0, [loss(say, value)]), (0, 1, [say.data("x")])]
            )
            for name, value in (("a", 2.0), ("b", 3.0))
        ]
        assert find_loss_gaps(*ranks(*folders), 0) == (LossGap(0, 2.0, 3.0),)

    def test_runs_of_different_length(self, run: Any, say: Any) -> None:
        """The last step that both have is the last."""
        gaps = self.gaps(run, say, [1.0] * 9, [2.0] * 4)
        assert [gap.step for gap in gaps] == [0, 1, 2, 3]

    def test_the_search_ends(self, run: Any, say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Losses that part only long after something else has are not looked for."""
        monkeypatch.setattr(growth, "MAX_SCANNED", 3)
        a, b = ranks(run("a", *losses(say, *[1.0] * 9)), run("b", *losses(say, *[1.0] * 3, *[2.0] * 6)))
        assert find_loss_gaps(a, b, 0) == ()
        assert [gap.step for gap in find_loss_gaps(a, b, 1)] == [3, 4, 5, 7, 8]

    def test_a_comparison_tells_it(self, run: Any, say: Any) -> None:
        """From the step of the first divergence on."""
        comparison = compare(run("a", *losses(say, 1.0, 1.0, 3.0)), run("b", *losses(say, 1.0, 2.0, 5.0)))
        assert comparison.losses == (LossGap(1, 1.0, 2.0), LossGap(2, 3.0, 5.0))
        assert comparison.to_json()["losses"][0] == {"step": 1, "baseline": 1.0, "candidate": 2.0}

    @pytest.mark.parametrize(
        ("start", "last", "expected"),
        [(0, 0, []), (0, 1, [1]), (0, 2, [1, 2]), (5, 9, [6, 7, 9]), (0, 100, [1, 2, 4, 8, 16, 32, 64, 100])],
    )
    def test_doubling(self, start: int, last: int, expected: list[int]) -> None:
        """No step comes twice, and the last is among them."""
        assert list(doubling(start, last)) == expected


class TestGenerators:
    """The random number generators around the first divergence."""

    def test_before_and_after(self, run: Any, say: Any) -> None:
        """The end of the step before the divergence, and of its own step; names of all kinds of generators."""
        common = {"python": 1, "numpy": 1, "torch": 1, "cuda": 1, "loader": 1}
        a = run("a", *[[states(say, **common)]] * 3)
        other = states(say, **{**common, "cuda": 2, "loader": 2})
        b = run("b", *[[states(say, **common)]] * 2, [other])
        gaps = find_rng_gaps(*ranks(a, b), 2)
        assert gaps == (RngGap(1, (), 5), RngGap(2, ("cuda:1", "loader4"), 5))
        assert [gap.step for gap in find_rng_gaps(*ranks(a, b), 0)] == [0]

    def test_only_what_both_have_is_compared(self, run: Any, say: Any) -> None:
        """A generator that one run did not use does not differ; steps without states are left out."""
        a = run("a", [states(say, python=1, torch=2)], [say.data("x")])
        b = run("b", [states(say, python=3, numpy=4, torch=2)], [states(say, python=1)])
        assert find_rng_gaps(*ranks(a, b), 1) == (RngGap(0, ("python",), 2),)
