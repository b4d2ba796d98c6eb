"""Losses and metrics of a run as curves, sampled where the run is long."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from reproof.schema import Event
from reproof.trace import RankTrace
from reproof.trace.views.curves import Curve, sample_curves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Recorder = Callable[[Iterable[float]], RankTrace]

LOSS = Event(stage="loss", name="loss", num_tensors=1)
GRADIENT = Event(stage="gradient", name="Linear.weight", num_tensors=1)


def kept(value: float, typecode: str = "d") -> list[tuple[str, str, tuple[float, ...]]]:
    """Return a number as it is kept with an event."""
    return [("exact", typecode, (value,))]


@pytest.fixture
def record(tmp_path: Path, trace_maker: Any) -> Recorder:
    """Return what records one loss per step."""

    def write(values: Iterable[float]) -> RankTrace:
        maker = trace_maker(tmp_path / "run")
        for step, value in enumerate(values):
            maker.add(step, [(LOSS, str(step), kept(value)), (GRADIENT, "g")])
        maker.close()
        return RankTrace(tmp_path / "run", 0)

    return write


def only(curves: tuple[Curve, ...]) -> Curve:
    """Return the only curve."""
    (curve,) = curves
    return curve


class TestShortRuns:
    """Every value is there."""

    def test_all_losses_with_their_steps(self, record: Recorder) -> None:
        """One point per step, exactly as kept."""
        curve = only(sample_curves(record([0.5, 0.25, 0.1]), "loss").curves)
        assert curve.points == ((0, 0.5), (1, 0.25), (2, 0.1))
        assert (curve.name, curve.stage, curve.stride) == ("loss", "loss", 1)

    def test_nan_and_infinity_are_points(self, record: Recorder) -> None:
        """A loss that has gone wrong is shown, and is not among the finite ones."""
        curve = only(sample_curves(record([1.0, math.inf, math.nan]), "loss").curves)
        assert [str(point.value) for point in curve.points] == ["1.0", "inf", "nan"]
        assert curve.finite == ((0, 1.0),)

    def test_several_losses_of_a_step_are_several_points(self, tmp_path: Path, trace_maker: Any) -> None:
        """Accumulated gradients have one loss per batch: all are of the same step."""
        maker = trace_maker(tmp_path / "run")
        maker.add(0, [(LOSS, "a", kept(2.0)), (LOSS, "b", kept(1.0))]).close()
        assert only(sample_curves(RankTrace(tmp_path / "run", 0), "loss").curves).points == ((0, 2.0), (0, 1.0))

    def test_each_name_has_a_curve(self, tmp_path: Path, trace_maker: Any) -> None:
        """In the order in which they were first recorded."""
        events = [Event(stage="metric", name=name) for name in ("f1", "accuracy")]
        maker = trace_maker(tmp_path / "run")
        maker.add(0, [(LOSS, "l", kept(1.0)), (events[0], "a", kept(0.5)), (events[1], "b", kept(0.75))])
        maker.add(1, [(events[1], "c", kept(1.0))]).close()
        curves = sample_curves(RankTrace(tmp_path / "run", 0), "metric").curves
        assert [(curve.name, curve.points) for curve in curves] == [
            ("f1", ((0, 0.5),)),
            ("accuracy", ((0, 0.75), (1, 1.0))),
        ]

    def test_what_is_not_one_number_is_no_point(self, tmp_path: Path, trace_maker: Any) -> None:
        """Losses without numbers, and metrics of several, have no curve."""
        labels = Event(stage="metric", name="predicted", num_tensors=1)
        trace_maker(tmp_path / "run").add(0, [(LOSS, "a"), (labels, "b", [("exact", "b", (1, 2))])]).close()
        rank = RankTrace(tmp_path / "run", 0)
        assert sample_curves(rank, "loss").curves == sample_curves(rank, "metric").curves == ()


class TestLongRuns:
    """A bounded number of frames is read."""

    def test_it_is_sampled_over_its_whole_length(self, record: Recorder) -> None:
        """At most about as many points as asked for, the first and the last among them, evenly spaced."""
        curve = only(sample_curves(record(map(float, range(2000))), "loss", 100).curves)
        steps = [point.step for point in curve.points]
        assert len(steps) <= 101
        assert (steps[0], steps[-1]) == (0, 1999)
        assert curve.stride > 1
        assert {after - before for before, after in pairwise(steps[1:])} == {curve.stride}

    def test_no_more_frames_are_read_than_that(self, record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        """The numbers of the other frames are never looked at."""
        rank = record(map(float, range(2000)))
        read: list[int] = []
        original = RankTrace.numbers
        monkeypatch.setattr(RankTrace, "numbers", lambda self, index: read.append(index) or original(self, index))
        sample_curves(rank, "loss", 50)
        assert 40 <= len(read) <= 51

    @pytest.mark.parametrize("period", [2, 3, 4, 5, 6, 7])
    def test_losses_that_take_turns_are_all_seen(self, record: Recorder, period: int) -> None:
        """A stride that met only every other loss would show the generator and never the discriminator."""
        curve = only(sample_curves(record(float(i % period) for i in range(2520)), "loss", 70).curves)
        assert {point.value for point in curve.points} == set(range(period))

    def test_frames_without_a_loss_are_not_sampled(self, tmp_path: Path, trace_maker: Any) -> None:
        """Steps of many frames have their loss in one of them: sampling looks at those alone."""
        maker = trace_maker(tmp_path / "run")
        for step in range(200):
            maker.add(step, [(GRADIENT, "g")], 0).add(step, [(LOSS, "l", kept(float(step)))])
        maker.close()
        curve = only(sample_curves(RankTrace(tmp_path / "run", 0), "loss", 20).curves)
        assert len(curve.points) > 15
        assert all(point.step == point.value for point in curve.points)


def test_a_damaged_frame_is_told_and_the_others_are_shown(record: Recorder, tmp_path: Path) -> None:
    """One changed bit costs one point."""
    record([1.0, 2.0, 3.0])
    path = tmp_path / "run" / "rank0.digests"
    data = bytearray(path.read_bytes())
    data[64 + 2 * 16] ^= 1
    path.write_bytes(data)
    sampled = sample_curves(RankTrace(tmp_path / "run", 0), "loss")
    assert only(sampled.curves).points == ((0, 1.0), (2, 3.0))
    (line,) = sampled.damage
    assert "frame 1 (step 1) fails its checksum" in line
