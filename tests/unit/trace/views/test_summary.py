"""What is in a trace, as records: counts per stage, sizes, what was skipped, how the run ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reproof.schema import Event
from reproof.trace import format as fmt
from reproof.trace.views.salvage import salvage_trace
from reproof.trace.views.summary import EventCount, RunSummary, StageTotal, list_events, summarise

if TYPE_CHECKING:
    from pathlib import Path

LOSS = Event(stage="loss", name="loss", num_tensors=1)
GRADIENT = Event(stage="gradient", name="Linear.weight", num_tensors=1)


def summary_of(folder: Path) -> RunSummary:
    """Return the summary of a trace."""
    return summarise(salvage_trace(folder))


class TestCounts:
    """How much was recorded."""

    def test_events_and_tensors_are_counted_per_stage(self, tmp_path: Path, trace_maker: Any) -> None:
        """A stage with a total for each event of every frame; stages without events are left out."""
        maker = trace_maker(tmp_path / "run")
        maker.add(0, [(LOSS, "a"), (GRADIENT, "b"), (GRADIENT, "c")], 0)
        maker.add(0, [(LOSS, "d")]).add(1, [(LOSS, "e")]).close()
        assert summary_of(tmp_path / "run").stages == (
            StageTotal(stage="loss", num_events=3, num_tensors=3, num_skipped=0),
            StageTotal(stage="gradient", num_events=2, num_tensors=2, num_skipped=0),
        )

    def test_steps_and_frames_are_counted(self, small: Path) -> None:
        """Steps that ended, though nothing was recorded in one of them, and frames of all processes."""
        summary = summary_of(small)
        assert (summary.num_steps, summary.num_frames, summary.num_events, summary.num_tensors) == (5, 5, 9, 5)
        assert summary.ranks[0].steps == (0, 4)

    def test_what_came_after_the_last_step_is_no_step(self, tmp_path: Path, trace_maker: Any) -> None:
        """Two steps and an evaluation after them are two steps, and events of a third."""
        maker = trace_maker(tmp_path / "run").add(0, [(LOSS, "a")]).add(1, [(LOSS, "b")])
        maker.add(2, [(LOSS, "c")], fmt.ENDS_STEP | fmt.ENDS_RUN).close()
        (rank,) = summary_of(tmp_path / "run").ranks
        assert (rank.num_steps, rank.steps) == (2, (0, 2))

    def test_an_event_without_a_digest_is_told_with_its_reason(self, small: Path) -> None:
        """Which one, how often and why; its stage counts it among the skipped."""
        summary = summary_of(small)
        (skipped,) = summary.skipped
        assert (skipped.event.name, skipped.event.skipped, skipped.times) == (
            "loader0(10)['é']",
            "a value of type Path",
            1,
        )
        assert [total.num_skipped for total in summary.stages] == [1]

    def test_the_size_is_that_of_the_trace_alone(self, small: Path) -> None:
        """Other files in the folder do not count."""
        expected = sum(path.stat().st_size for path in small.iterdir())
        (small / "notes.txt").write_text("not part of the trace")
        assert summary_of(small).num_bytes == expected

    def test_an_empty_trace_has_no_events(self, tmp_path: Path, trace_maker: Any) -> None:
        """A script that recorded nothing is a trace with zeros, and nothing is wrong with it."""
        trace_maker(tmp_path / "run").close()
        summary = summary_of(tmp_path / "run")
        assert (summary.num_steps, summary.num_events, summary.stages, summary.losses) == (0, 0, (), ())
        assert (summary.incomplete, summary.damage) == (None, ())

    def test_the_events_of_one_stage_are_listed(self, tmp_path: Path, trace_maker: Any) -> None:
        """In the order of first sight, with how often each happened."""
        other = GRADIENT._replace(name="Linear.bias")
        maker = trace_maker(tmp_path / "run").add(0, [(LOSS, "a"), (GRADIENT, "b")])
        maker.add(1, [(GRADIENT, "c"), (other, "d")]).close()
        assert list_events(salvage_trace(tmp_path / "run"), "gradient") == (
            EventCount(event=GRADIENT, times=2),
            EventCount(event=other, times=1),
        )


class TestProcesses:
    """A training in several processes."""

    @pytest.fixture
    def pair(self, tmp_path: Path, trace_maker: Any) -> Path:
        """Return a trace of two processes, of which the second did one step less."""
        for rank, num_steps in ((0, 3), (1, 2)):
            maker = trace_maker(tmp_path / "run", rank=rank, num_ranks=2)
            for step in range(num_steps):
                maker.add(step, [(LOSS, f"{rank} {step}", [("exact", "f", (step + rank * 10.0,))])])
            maker.close()
        return tmp_path / "run"

    def test_counts_are_those_of_all(self, pair: Path) -> None:
        """Events and frames are added up, steps are those of the process with most of them."""
        summary = summary_of(pair)
        assert (summary.num_steps, summary.num_frames, summary.num_events) == (3, 5, 5)
        assert [rank.num_steps for rank in summary.ranks] == [3, 2]

    def test_the_losses_are_those_of_the_first(self, pair: Path) -> None:
        """Losses of several processes are not mixed into one curve."""
        assert [point.value for point in summary_of(pair).losses[0].points] == [0.0, 1.0, 2.0]

    def test_a_process_without_a_trace_is_told(self, pair: Path) -> None:
        """The run is then not whole, and the rest of it is shown."""
        for path in pair.glob("rank1.*"):
            path.unlink()
        summary = summary_of(pair)
        assert summary.incomplete == "rank 1 left no trace"
        assert summary.num_events == 3


class TestEnds:
    """How the run ended."""

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"status": "complete"}, None),
            ({"status": "running"}, "the run was killed or is still running"),
            (
                {"status": "failed", "ended": "train.py raised ValueError: no data"},
                "train.py raised ValueError: no data",
            ),
            ({"status": "interrupted", "ended": "the run was interrupted"}, "the run was interrupted"),
        ],
        ids=["complete", "running", "failed", "interrupted"],
    )
    def test_a_run_that_did_not_end_well_is_incomplete(
        self, tmp_path: Path, trace_maker: Any, fields: dict[str, Any], words: str | None
    ) -> None:
        """The reason is in words, and what was recorded until then is there."""
        trace_maker(tmp_path / "run", **fields).add(0, [(LOSS, "a")]).close()
        summary = summary_of(tmp_path / "run")
        assert (summary.incomplete, summary.num_events, summary.damage) == (words, 1, ())

    def test_a_trace_that_was_cut_afterwards_is_incomplete(self, small: Path) -> None:
        """A copy that lost its end is no whole run, though its header says so."""
        with (small / "rank0.frames").open("r+b") as file:
            file.truncate(fmt.HEADER_BYTES + 4 * fmt.FRAME_BYTES + 1)
        assert summary_of(small).incomplete == "the files of rank 0 were cut after step 3"


class TestDamage:
    """What is seen without reading all of it."""

    @pytest.mark.parametrize("step", [2, 2**62])
    def test_steps_that_decrease(self, tmp_path: Path, trace_maker: Any, step: int) -> None:
        """The first frame that is of an earlier step than the one before it."""
        maker = trace_maker(tmp_path / "run").add(0, [(LOSS, "a")]).add(step, [(LOSS, "b")]).add(1, [(LOSS, "c")])
        maker.close()
        assert summary_of(tmp_path / "run").damage == ("frame 2 of rank 0 is of step 1, after a later one",)


class TestJson:
    """The summary for programs."""

    def test_it_is_strict_json(self, tmp_path: Path, trace_maker: Any) -> None:
        """NaN and infinities become words: no bare NaN, which most readers refuse."""
        maker = trace_maker(tmp_path / "run", problems=("gradients not recorded",))
        for step, value in enumerate((1.5, float("nan"), float("-inf"))):
            maker.add(step, [(LOSS, str(step), [("exact", "f", (value,))])])
        maker.close()
        result = json.loads(json.dumps(summary_of(tmp_path / "run").to_json(), allow_nan=False))
        assert result["losses"] == [
            {"name": "loss", "stride": 1, "steps": [0, 1, 2], "values": [1.5, "NaN", "-Infinity"]}
        ]
        assert result["stages"] == {"loss": {"events": 3, "tensors": 3, "skipped": 0}}
        assert (result["status"], result["steps"], result["problems"]) == ("complete", 3, ["gradients not recorded"])
