"""One step of a run in full: events, digests, numbers, states of the random generators."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import xxhash

from reproof.errors import TraceError, UsageError
from reproof.schema import RNG_CUDA, RNG_LOADER, Event
from reproof.trace import RankTrace, open_trace
from reproof.trace import format as fmt
from reproof.trace.views.steps import RngState, StepRecord, read_steps

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.schema import Stage

LOSS = Event(stage="loss", name="loss", num_tensors=1)


def only(folder: Path, step: int, stage: Stage | None = None) -> StepRecord:
    """Return a step of a trace of one process."""
    (record,) = read_steps([RankTrace(folder, 0)], step, stage)
    return record


class TestEvents:
    """What happened in the step, in execution order."""

    def test_each_event_has_its_digest(self, small: Path) -> None:
        """In hexadecimal, as comparisons show it."""
        record = only(small, 0)
        expected = [xxhash.xxh3_128_hexdigest(text) for text in (b"o0", b"d0")]
        assert [(found.event.name, found.digest) for found in record.events] == [
            ("loader0(10) indices", expected[0]),
            ("loader0(10)[0]", expected[1]),
        ]
        assert (record.step, record.rank, record.frames, record.is_after_last) == (0, 0, (0, 0), False)

    def test_the_numbers_that_were_kept_are_there(self, small: Path) -> None:
        """Exact elements, and statistics by name."""
        indices, data = only(small, 0).events
        assert (indices.exact, data.exact) == ((3, 1, 2), None)
        label = only(small, 1).events[-1]
        assert label.exact == (1, -1)
        assert label.statistics[0] == ("sum", 0.5)

    def test_a_skipped_event_has_its_reason_and_no_digest(self, small: Path) -> None:
        """The zeros that stand in its place are not shown as a digest."""
        lost = only(small, 4).events[0]
        assert (lost.digest, lost.event.skipped) == (None, "a value of type Path")

    def test_a_step_of_several_frames_is_one_step(self, small: Path) -> None:
        """All its events, in order."""
        record = only(small, 1)
        assert [found.event.name for found in record.events] == [
            "loader0(10) indices",
            "loader0(10)[0]",
            "loader0(10)[1]",
        ]
        assert record.frames == (1, 2)

    def test_one_stage_alone_can_be_read(self, tmp_path: Path, trace_maker: Any) -> None:
        """The other events of the step are left out."""
        other = Event(stage="update", name="Linear.weight", num_tensors=1)
        trace_maker(tmp_path / "run").add(0, [(LOSS, "a"), (other, "b")]).close()
        assert [found.event for found in only(tmp_path / "run", 0, "update").events] == [other]

    def test_what_came_after_the_last_step_can_be_read(self, tmp_path: Path, trace_maker: Any) -> None:
        """It has the number after the last step, and is marked."""
        maker = trace_maker(tmp_path / "run").add(0, [(LOSS, "a")])
        maker.add(1, [(LOSS, "b")], fmt.ENDS_STEP | fmt.ENDS_RUN).close()
        assert [only(tmp_path / "run", step).is_after_last for step in (0, 1)] == [False, True]

    def test_it_is_strict_json(self, tmp_path: Path, trace_maker: Any) -> None:
        """A NaN among the numbers becomes a word."""
        numbers = [("exact", "f", (float("nan"),)), ("statistics", "d", (float("inf"), 1.0))]
        trace_maker(tmp_path / "run").add(0, [(LOSS, "a", numbers)]).close()
        (event,) = json.loads(json.dumps(only(tmp_path / "run", 0).to_json(), allow_nan=False))["events"]
        assert (event["exact"], event["statistics"]) == (["NaN"], {"sum": "Infinity", "mean": 1.0})


class TestGenerators:
    """The states of the random number generators at the end of the step."""

    def test_each_generator_is_named(self, tmp_path: Path, trace_maker: Any) -> None:
        """Python, numpy, torch, each device, each loader, and one of a later release."""
        sources = (0, 1, 2, RNG_CUDA + 1, RNG_LOADER + 3, 7)
        values = tuple(number for source in sources for number in (source, source + 1))
        trace_maker(tmp_path / "run").add(0, [(LOSS, "a", [("rng", "Q", values)])]).close()
        names = [state.generator for state in only(tmp_path / "run", 0).rng]
        assert names == ["python", "numpy", "torch", "cuda:1", "loader3", "generator 7"]

    def test_a_state_is_the_start_of_its_digest(self, tmp_path: Path, trace_maker: Any) -> None:
        """The eight bytes that were kept, in the order in which digests are written."""
        taken = xxhash.xxh3_128_digest(b"state")
        number = int.from_bytes(taken[:8], "little")
        trace_maker(tmp_path / "run").add(0, [(LOSS, "a", [("rng", "Q", (2, number))])]).close()
        assert only(tmp_path / "run", 0).rng == (RngState(generator="torch", digest=taken.hex()[:16]),)

    def test_it_is_the_last_of_a_step_of_several_frames(self, tmp_path: Path, trace_maker: Any) -> None:
        """They are kept with the frame that ends the step; a stage that is left out does not hide them."""
        maker = trace_maker(tmp_path / "run").add(0, [(LOSS, "a", [("rng", "Q", (0, 1))])], 0)
        maker.add(0, [(LOSS, "b", [("rng", "Q", (0, 2))])]).close()
        (state,) = only(tmp_path / "run", 0, "update").rng
        assert state.digest == "0200000000000000"

    @pytest.mark.parametrize(("typecode", "values"), [("f", (0.0, 1.5)), ("q", (0, -1)), ("Q", (0,))])
    def test_numbers_of_another_form_are_no_states(
        self, tmp_path: Path, trace_maker: Any, typecode: str, values: tuple[float, ...]
    ) -> None:
        """What a foreign writer keeps under this kind is left out, not guessed at."""
        trace_maker(tmp_path / "run").add(0, [(LOSS, "a", [("rng", typecode, values)])]).close()
        assert only(tmp_path / "run", 0).rng == ()


class TestUnknownSteps:
    """Steps of which nothing was recorded are refused in one line."""

    @pytest.mark.parametrize("step", [-1, 2, 5, 10**30])
    def test_the_range_is_named(self, small: Path, step: int) -> None:
        """Before the first, without events, after the last, and beyond any."""
        with pytest.raises(UsageError) as caught:
            only(small, step)
        assert str(caught.value) == f"nothing was recorded in step {step}: name a step from 0 to 4"

    def test_an_empty_trace_has_no_range(self, tmp_path: Path, trace_maker: Any) -> None:
        """It says so."""
        trace_maker(tmp_path / "run").close()
        with pytest.raises(UsageError, match="the trace holds no steps"):
            only(tmp_path / "run", 0)

    def test_a_process_without_the_step_is_left_out(self, tmp_path: Path, trace_maker: Any) -> None:
        """The others show theirs."""
        for rank in (0, 1):
            maker = trace_maker(tmp_path / "run", rank=rank, num_ranks=2)
            for step in range(2 - rank):
                maker.add(step, [(LOSS, "a")])
            maker.close()
        ranks = open_trace(tmp_path / "run").ranks.values()
        assert [[record.rank for record in read_steps(ranks, step)] for step in (0, 1)] == [[0, 1], [0]]


def test_a_damaged_step_is_refused(small: Path) -> None:
    """What was asked for cannot be shown: an error, not a part of it."""
    path = small / "rank0.digests"
    data = bytearray(path.read_bytes())
    data[64] ^= 1
    path.write_bytes(data)
    with pytest.raises(TraceError, match="frame 0"):
        only(small, 0)
