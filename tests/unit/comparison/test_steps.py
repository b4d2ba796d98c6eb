"""What became of each step and stage: the map that a page draws, held against a look at every event."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare, compare_traces
from reproof.comparison.steps import StepStates, fold_fields, simplify
from reproof.schema import DIFFERENT, EQUAL, NO_EVENT, NOT_COMPARED
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.schema import Comparison


def planes_of(comparison: Comparison) -> dict[str, list[int]]:
    """Return the states of the only process."""
    (found,) = comparison.steps
    return {stage: list(plane) for stage, plane in found.planes}


class TestFolding:
    """One byte per digest: zero where no bit differs."""

    @pytest.mark.parametrize("place", range(16))
    def test_any_byte_of_a_digest_counts(self, place: int) -> None:
        """A difference in one bit of one byte is seen, wherever it is."""
        digest = bytearray(16)
        digest[place] = 1
        assert [bool(field) for field in fold_fields(bytes(16) + digest + bytes(16))] == [False, True, False]

    def test_a_torn_table_is_refused(self) -> None:
        """A table that does not consist of whole digests is no table."""
        with pytest.raises(ValueError, match="17"):
            fold_fields(bytes(17))


class TestStates:
    """Differs counts more than not compared, and that more than equal."""

    def test_the_largest_state_of_a_step_wins(self) -> None:
        """Of several events of a stage the worst is what the map shows."""
        states = StepStates(2)
        for state in (EQUAL, DIFFERENT, NOT_COMPARED):
            states.mark("loss", 0, state)
        states.mark("loss", 1, EQUAL)
        states.mark_rows("loss", [0, 1], bytes([EQUAL, NOT_COMPARED]))
        assert list(states.plane("loss")) == [DIFFERENT, NOT_COMPARED]

    def test_several_frames_of_a_step(self) -> None:
        """Rows whose steps repeat are put together."""
        states = StepStates(2)
        states.mark_rows("gradient", [0, 0, 1], bytes([DIFFERENT, EQUAL, EQUAL]))
        assert list(states.plane("gradient")) == [DIFFERENT, EQUAL]


@pytest.mark.parametrize("steps", [[3], [3, 4, 5], [3, 4, 4], [3, 3, 4], [3, 5], [3, 4, 6]])
def test_steps_that_follow_each_other_are_a_range(steps: list[int]) -> None:
    """And no others."""
    found = simplify(steps)
    assert list(found) == steps
    assert isinstance(found, range) == (steps == list(range(3, 3 + len(steps))))


class TestComparing:
    """The states come from the pass that counts."""

    def test_states_per_step_and_stage(self, run: Any, say: Any) -> None:
        """Equal until the divergence, then what each stage shows."""
        a = run("a", *([say.data(str(i)), say.loss(i)] for i in range(4)))
        b = run("b", *([say.data(str(i)), say.loss(i if i < 2 else -i)] for i in range(4)))
        found = planes_of(compare(a, b, maps_steps=True))
        assert found == {"batch": [EQUAL] * 4, "loss": [EQUAL, EQUAL, DIFFERENT, DIFFERENT]}

    @pytest.mark.parametrize("is_aligned", [False, True])
    def test_steps_that_agree_again_are_equal(self, run: Any, say: Any, *, is_aligned: bool) -> None:
        """After the divergence, too: as arrays, and one by one where one run has had an event more."""
        steps = [[say.loss(i), *([say.data(str(i))] if i > 1 else [])] for i in range(4)]
        other = [say.loss(-1), *([say.loss(1, stage="metric")] if is_aligned else [])]
        found = planes_of(compare(run("a", *steps), run("b", other, *steps[1:]), maps_steps=True))
        assert (found["loss"], found["batch"]) == ([DIFFERENT] + [EQUAL] * 3, [NO_EVENT] * 2 + [EQUAL] * 2)

    def test_not_asked_for_there_are_none(self, run: Any, say: Any) -> None:
        """A comparison without a page does not pay for it."""
        a = run("a", [say.loss(1)])
        assert compare(a, run("b", [say.loss(2)])).steps == ()

    @pytest.mark.parametrize("differs", [False, True])
    def test_what_has_no_digest_is_not_compared(self, run: Any, say: Any, *, differs: bool) -> None:
        """An event without a digest is neither equal nor different, whatever else is in its step."""
        a, b = (run(name, [say.skipped("x"), say.loss(loss)]) for name, loss in (("a", 1), ("b", 1 + differs)))
        assert planes_of(compare(a, b, maps_steps=True))["batch"][0] == NOT_COMPARED

    def test_the_tail_of_a_longer_run(self, run: Any, say: Any) -> None:
        """Steps that only one run has are not compared."""
        a = run("a", *([say.loss(i)] for i in range(5)))
        b = run("b", *([say.loss(i)] for i in range(3)))
        for pair in ((a, b), (b, a)):
            assert planes_of(compare(*pair, maps_steps=True))["loss"] == [EQUAL] * 3 + [NOT_COMPARED] * 2

    def test_steps_without_a_stage_are_empty(self, run: Any, say: Any) -> None:
        """A metric of every second step leaves the others without an event."""
        steps = [[say.loss(i)] + ([say.loss(i, stage="metric")] if i % 2 else []) for i in range(4)]
        a, b = run("a", *steps), run("b", *steps)
        assert planes_of(compare(a, b, maps_steps=True))["metric"] == [NO_EVENT, EQUAL] * 2

    @pytest.mark.parametrize("seed", range(6))
    def test_counts_and_states_agree(self, run: Any, say: Any, seed: int) -> None:
        """With one event of a stage per step, the map has as many differences as were counted."""
        draw = random.Random(seed)
        sides: tuple[list[Any], list[Any]] = ([], [])
        for step in range(200):
            values = [step, step if draw.random() < 0.7 else -step - 1]
            extra = draw.random() < 0.1
            for side, value in zip(sides, values, strict=True):
                side.append([say.data(str(step)), say.loss(value)])
            if extra:
                sides[draw.randrange(2)][-1].append(say.loss(1, stage="metric"))
        paths: list[Path] = [run(name, *side) for name, side in zip("ab", sides, strict=True)]
        comparison = compare_traces(*map(open_trace, paths), maps_steps=True)
        counted = {count.stage: count.differing for count in comparison.counts}
        found = planes_of(comparison)
        assert found["loss"].count(DIFFERENT) == counted["loss"] > 0
        assert found["batch"].count(DIFFERENT) == counted["batch"] == 0
        assert set(found["metric"]) <= {NO_EVENT, NOT_COMPARED}
