"""Two runs, one verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare, compare_traces, find_newest_runs
from reproof.errors import TraceError, UsageError
from reproof.outputs.records import Line
from reproof.outputs.sidecar import OutputWriter
from reproof.outputs.surroundings import Surroundings
from reproof.schema import Comparison, Skipped, StageCount
from reproof.trace import RankTrace, open_trace

if TYPE_CHECKING:
    from collections.abc import Callable


def steps_of(say: Any, num_steps: int = 4) -> list[list[Any]]:
    """Return the steps of a small training."""
    return [[say.order("", i, i + 1), say.data(f"d{i}", i, i), say.label(i, -i)] for i in range(num_steps)]


class TestIdentical:
    """Every compared bit is equal, and nothing was left out."""

    def test_equal_runs(self, run: Any, say: Any) -> None:
        """All events, tensors and steps are counted, and no finding is made."""
        comparison = compare(run("a", *steps_of(say)), run("b", *steps_of(say), run_id="cd" * 16))
        assert (comparison.verdict, comparison.exit_code) == ("identical", 0)
        assert (comparison.num_events, comparison.num_tensors, comparison.num_steps) == (12, 8, 4)
        assert comparison.counts == (StageCount(stage="batch", compared=12, differing=0),)
        assert (comparison.skipped, comparison.structure, comparison.first, comparison.differences) == (
            (),
            (),
            None,
            (),
        )

    def test_a_run_and_itself(self, run: Any, say: Any) -> None:
        """The same folder twice is identical."""
        folder = run("a", *steps_of(say))
        assert compare(folder, str(folder)).verdict == "identical"

    def test_the_names_of_the_runs_are_those_of_the_user(
        self, run: Any, say: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Relative stays relative."""
        run("a", *steps_of(say))
        monkeypatch.chdir(tmp_path)
        assert compare("a", Path("a")).runs == ("a", "a")

    @pytest.mark.parametrize("tolerance", [0.0, 1e-6])
    def test_with_a_tolerance_equal_bits_are_still_identical(self, run: Any, say: Any, tolerance: float) -> None:
        """A tolerance that nothing needed weakens no verdict."""
        folder = run("a", *steps_of(say))
        comparison = compare(folder, folder, tolerance=tolerance)
        assert (comparison.verdict, comparison.tolerance) == ("identical", tolerance)


class TestDiverged:
    """Bits differ."""

    def test_the_first_divergence_in_execution_order(self, run: Any, say: Any) -> None:
        """Step and event come before all others, counts cover the rest, and later ones are described in order."""
        steps, others = steps_of(say, 9), steps_of(say, 9)
        others[3][1], others[3][2] = say.data("?", 3, 9), say.label(1, 1)
        others[7][0] = say.order("", 0, 0)
        comparison = compare(run("a", *steps), run("b", *others))
        assert (comparison.verdict, comparison.exit_code) == ("diverged", 1)
        assert [(d.step, d.name) for d in comparison.differences] == [
            (3, "loader0(100)[0]"),
            (3, "loader0(100)[1]"),
            (7, "loader0(100) indices"),
        ]
        assert comparison.first == comparison.differences[0]
        assert comparison.counts == (StageCount(stage="batch", compared=27, differing=3),)

    @pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (5, 5), (100, 9)])
    def test_so_many_differences_are_described_as_asked_for(
        self, run: Any, say: Any, limit: int, expected: int
    ) -> None:
        """The rest is counted."""
        a, b = (run(name, *([say.data(f"{name}{i}")] for i in range(9))) for name in "ab")
        comparison = compare(a, b, max_differences=limit)
        assert len(comparison.differences) == expected
        assert comparison.counts[0].differing == 9
        assert len(compare(a, b).differences) == 5

    def test_stages_are_counted_in_the_order_of_a_step(self, run: Any, say: Any) -> None:
        """Each stage has its count."""
        step = [say.named(stage, "x", stage) for stage in ("metric", "loss", "batch", "init", "update")]
        comparison = compare(run("a", step), run("b", [*step[:2], say.named("batch", "y"), *step[3:]]))
        assert [(c.stage, c.differing) for c in comparison.counts] == [
            ("init", 0), ("batch", 1), ("loss", 0), ("update", 0), ("metric", 0),
        ]  # fmt: skip

    def test_long_traces_without_losses_are_not_searched_for_them(
        self, run: Any, say: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """How the losses grow apart is not asked of traces that have none: the time of a comparison stays short."""
        a, b = (run(name, *([say.data(f"{name}{i}")] for i in range(50))) for name in "ab")
        looked_up: list[int] = []
        real = RankTrace.find_step
        monkeypatch.setattr(RankTrace, "find_step", lambda trace, step: looked_up.append(step) or real(trace, step))
        assert compare(a, b).verdict == "diverged"
        assert len(looked_up) <= 4

    def test_a_divergence_counts_more_than_what_was_not_compared(self, run: Any, say: Any) -> None:
        """Runs that differ in what they have in common have diverged, whatever else is missing."""
        a = run("a", [say.data("x"), say.skipped("p")], status="running")
        b = run("b", [say.data("y"), say.skipped("p")], [say.data("z")], problems=("batch not recorded",))
        comparison = compare(a, b)
        assert comparison.verdict == "diverged"
        assert comparison.skipped
        assert comparison.structure


class TestInconclusive:
    """The evidence does not tell."""

    def reasons(self, comparison: Comparison) -> list[str]:
        """Return what was not compared and why, and the findings about structure, of a comparison without a verdict."""
        assert (comparison.verdict, comparison.exit_code) == ("inconclusive", 2)
        return [*(f"{skipped.what}: {skipped.why}" for skipped in comparison.skipped), *comparison.structure]

    def test_one_run_is_longer(self, run: Any, say: Any) -> None:
        """The common steps are compared, and the lengths told."""
        comparison = compare(run("a", *steps_of(say, 4)), run("b", *steps_of(say, 6)))
        assert self.reasons(comparison) == ["the baseline has 4 steps and the candidate 6"]
        assert (comparison.num_steps, comparison.num_events) == (4, 12)

    def test_one_run_goes_on_after_its_last_step(self, tmp_path: Path, frames_writer: Any, say: Any) -> None:
        """What came after the last optimizer step of one run is a finding too."""
        frames = [(0, 1, [say.data("d")])]
        a = frames_writer(tmp_path / "a", frames)
        b = frames_writer(tmp_path / "b", [*frames, (1, 3, [say.data("evaluation")])])
        assert self.reasons(compare(a, b)) == ["the baseline has 1 events and the candidate 2"]

    @pytest.mark.parametrize(("num", "others"), [(1, ""), (2, ", and 1 more like it"), (9, ", and 8 more like it")])
    def test_names_that_only_one_run_has(self, run: Any, say: Any, num: int, others: str) -> None:
        """The first is named, with its owner and step, and the others counted."""
        steps = steps_of(say, 12)
        more = [*steps[:2], *([*step, say.data("v", loader=1)] for step in steps[2 : 2 + num]), *steps[2 + num :]]
        expected = f"only the candidate has batch loader1(100)[0] in step 2{others}"
        assert self.reasons(compare(run("a", *steps), run("b", *more))) == [expected]

    def test_other_names_throughout(self, run: Any, say: Any) -> None:
        """Runs of two programs have nothing in common, and that is said."""
        reasons = self.reasons(compare(run("a", [say.data("d")]), run("b", [say.data("d", loader=1)])))
        assert reasons[-1] == "the two runs have no event in common"

    def test_events_in_another_order(self, run: Any, say: Any) -> None:
        """Equal bits in another order of execution are not the same run."""
        step = [say.data("x"), say.data("y", loader=1)]
        reasons = self.reasons(compare(run("a", step, step), run("b", step, step[::-1])))
        assert reasons == ["the events of step 1 come in another order"]

    def test_empty_runs(self, run: Any) -> None:
        """Two runs that recorded nothing prove nothing."""
        assert self.reasons(compare(run("a"), run("b"))) == ["the two runs have no event in common"]

    def test_other_levels(self, run: Any, say: Any) -> None:
        """More was looked at in one of the runs."""
        reasons = self.reasons(compare(run("a", *steps_of(say)), run("b", *steps_of(say), level="steps")))
        assert reasons == ["the baseline was recorded at level batches and the candidate at steps"]

    def test_other_limits_on_batches(self, run: Any, say: Any) -> None:
        """Fewer batches were looked at in one of the runs."""
        reasons = self.reasons(compare(run("a", *steps_of(say)), run("b", *steps_of(say), num_batches=4)))
        assert reasons == ["the baseline recorded all batches of each loader and the candidate 4 batches"]

    def test_events_without_digest(self, run: Any, say: Any) -> None:
        """Each is named once with its reason, and not counted as compared."""
        step = [say.data("d"), say.skipped("paths")]
        comparison = compare(run("a", step, step), run("b", step, step))
        assert self.reasons(comparison) == ["paths: a value of type Path"]
        assert comparison.num_events == 2

    def test_an_event_that_only_one_run_could_digest(self, run: Any, say: Any) -> None:
        """What one side lacks is not compared."""
        digested = say.named("x", "d", detail="content")
        comparison = compare(run("a", [digested, say.data("d")]), run("b", [say.skipped("x"), say.data("d")]))
        assert self.reasons(comparison) == ["x: a value of type Path"]
        assert comparison.num_events == 1

    @pytest.mark.parametrize("role", ["baseline", "candidate"])
    def test_problems_of_a_recording(self, run: Any, say: Any, role: str) -> None:
        """Evidence that could not be taken is told, with the run that lacks it."""
        problems = {"problems": ("loader not recorded: TypeError: x (in step 3)",)}
        a = run("baseline", *steps_of(say), **(problems if role == "baseline" else {}))
        b = run("candidate", *steps_of(say), **(problems if role == "candidate" else {}))
        assert self.reasons(compare(a, b)) == [f"evidence of the {role}: loader not recorded: TypeError: x (in step 3)"]

    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ({"status": "running"}, "the run was killed or is still running"),
            ({"status": "failed", "ended": "the run raised KeyError: 3"}, "the run raised KeyError: 3"),
            ({"status": "interrupted"}, "interrupted"),
            ({"num_ranks": 2}, "rank 1 left no trace"),
        ],
    )
    def test_a_run_without_its_end(self, run: Any, say: Any, fields: Any, why: str) -> None:
        """Killed, failed and interrupted runs agree as far as they go, and no further."""
        reasons = self.reasons(compare(run("a", *steps_of(say), **fields), run("b", *steps_of(say))))
        assert reasons == [f"the end of the baseline: {why}"]

    def test_a_copy_that_lost_its_end(self, run: Any, say: Any) -> None:
        """Two complete runs of which the same steps are left are not called identical."""
        folders = [run(name, *steps_of(say)) for name in "ab"]
        for folder in folders:
            path = folder / "rank0.frames"
            path.write_bytes(path.read_bytes()[:-64])
        reasons = self.reasons(compare(*folders))
        assert len(reasons) == 2
        assert all(reason.endswith("the files of rank 0 were cut after step 2") for reason in reasons)

    def test_other_algorithms(self, run: Any, say: Any) -> None:
        """Digests of two algorithms are skipped, not different."""
        a, b = ([say.named("x", "d", algorithm=name), say.data("d")] for name in ("xxh3_128", "device_128"))
        reasons = self.reasons(compare(run("a", a), run("b", b)))
        assert reasons == ["x: the two runs digested it with different algorithms"]


class TestRanks:
    """Trainings of several processes."""

    @pytest.fixture
    def write(self, tmp_path: Path, frames_writer: Any, say: Any) -> Callable[..., Path]:
        """Return a function that writes a run of three steps with one process per text."""

        def write_ranks(name: str, *contents: str) -> Path:
            for rank, content in enumerate(contents):
                frames = [(step, 1, [say.data(f"{content} {step if step == 2 else ''}")]) for step in range(3)]
                frames_writer(tmp_path / name, frames, rank=rank, num_ranks=len(contents))
            return tmp_path / name

        return write_ranks

    def test_all_processes_are_compared(self, write: Any) -> None:
        """Events of all ranks are counted together."""
        comparison = compare(write("a", "x", "y", "z"), write("b", "x", "y", "z"))
        assert (comparison.verdict, comparison.num_events, comparison.num_steps) == ("identical", 9, 3)

    def test_the_earliest_step_of_any_process_comes_first(self, tmp_path: Path, frames_writer: Any, say: Any) -> None:
        """Execution order goes by step, then by rank."""
        parts = {"a": (9, 9), "b": (2, 1)}
        for name, parted in parts.items():
            for rank, part in enumerate(parted):
                frames = [(step, 1, [say.data(f"{step < part} {step}")]) for step in range(4)]
                frames_writer(tmp_path / name, frames, rank=rank, num_ranks=2)
        comparison = compare(tmp_path / "a", tmp_path / "b")
        assert [(d.step, d.rank) for d in comparison.differences] == [(1, 1), (2, 0), (2, 1), (3, 0), (3, 1)]
        assert comparison.counts[0].differing == 5

    def test_a_process_that_only_one_run_has(self, write: Any) -> None:
        """The rank is named, and the others are compared."""
        comparison = compare(write("a", "x", "y"), write("b", "x"))
        assert comparison.verdict == "inconclusive"
        assert comparison.structure == ("only the baseline has rank 1",)
        assert comparison.num_events == 3

    def test_findings_name_the_process(self, tmp_path: Path, frames_writer: Any, say: Any) -> None:
        """With several processes a finding says where."""
        for name, num_steps in (("a", 2), ("b", 3)):
            for rank in range(2):
                frames = [(step, 1, [say.data("d")]) for step in range(num_steps if rank else 2)]
                frames_writer(tmp_path / name, frames, rank=rank, num_ranks=2)
        comparison = compare(tmp_path / "a", tmp_path / "b")
        assert comparison.structure == ("the baseline has 2 steps on rank 1 and the candidate 3",)

    def test_of_events_that_one_run_lacks_the_earliest_is_named(
        self, tmp_path: Path, frames_writer: Any, say: Any
    ) -> None:
        """Of runs of one program an extra event is a divergence: by step, whichever process has it."""
        extra_at = {"a": (9, 9), "b": (2, 1)}
        for name, steps in extra_at.items():
            for rank, at in enumerate(steps):
                frames = [(n, 1, [say.data("d"), *([say.label(1)] if n == at else [])]) for n in range(3)]
                frames_writer(tmp_path / name, frames, rank=rank, num_ranks=2)
        traces = open_trace(tmp_path / "a"), open_trace(tmp_path / "b")
        comparison = compare_traces(*traces, is_same_program=True)
        found = comparison.first
        assert found is not None
        assert (found.step, found.rank, found.baseline, comparison.steps) == (1, 1, "absent", ())


class TestTolerance:
    """Numbers are compared where bits differ."""

    def test_statistics_within(self, run: Any, say: Any) -> None:
        """Tensors whose statistics agree are equivalent, and told how many."""
        a = run("a", [say.data("x", statistics=(1.0, 2.0))], [say.data("s", statistics=(1.0,))])
        b = run("b", [say.data("y", statistics=(1.0 + 1e-9, 2.0))], [say.data("s", statistics=(1.0,))])
        comparison = compare(a, b, tolerance=1e-6)
        assert (comparison.verdict, comparison.exit_code, comparison.num_within_tolerance) == ("equivalent", 0, 1)
        assert (comparison.first, comparison.counts[0].differing) == (None, 0)
        assert compare(a, b).verdict == "diverged"

    def test_the_first_beyond_the_tolerance_is_the_divergence(self, run: Any, say: Any) -> None:
        """What agrees within it does not count as differing."""
        a = run("a", *([say.data(f"a{i}", statistics=(1.0,))] for i in range(9)))
        b = run("b", *([say.data(f"b{i}", statistics=(1.0 + 10.0 ** (i - 9),))] for i in range(9)))
        comparison = compare(a, b, tolerance=1.5e-5)
        assert comparison.first is not None
        assert (comparison.first.step, comparison.num_within_tolerance, comparison.counts[0].differing) == (5, 5, 4)

    def test_labels_are_exact(self, run: Any, say: Any) -> None:
        """No tolerance makes another label the same."""
        comparison = compare(run("a", [say.label(1, 2)]), run("b", [say.label(1, 3)]), tolerance=1e9)
        assert comparison.verdict == "diverged"

    def test_indices_are_exact(self, run: Any, say: Any) -> None:
        """No tolerance makes another order the same."""
        comparison = compare(run("a", [say.order("", 1, 2)]), run("b", [say.order("", 2, 1)]), tolerance=1e9)
        assert comparison.verdict == "diverged"

    def test_without_numbers_nothing_is_said(self, run: Any, say: Any) -> None:
        """Fingerprints of samples are no numbers to compare: the remedy is named, once per event."""
        a, b = (run(name, *([say.data(f"{name}{i}", 1, i)] for i in range(3))) for name in "ab")
        comparison = compare(a, b, tolerance=1e-6)
        why = "its bits differ and no numbers were kept to compare within the tolerance; record with --statistics"
        assert comparison.verdict == "inconclusive"
        assert comparison.skipped == (Skipped(what="loader0(100)[0]", why=why),)

    def test_every_difference_is_judged(self, run: Any, say: Any) -> None:
        """The one that is beyond the tolerance is found behind many that are within."""
        a = run("a", *([say.data(f"a{i}", statistics=(1.0,))] for i in range(50)))
        b = run("b", *([say.data(f"b{i}", statistics=(1.0 + (i == 48),))] for i in range(50)))
        comparison = compare(a, b, tolerance=1e-6, max_differences=1)
        assert comparison.first is not None
        assert (comparison.first.step, comparison.num_within_tolerance) == (48, 49)

    @pytest.mark.parametrize("tolerance", [-1e-9, float("nan"), float("inf"), -float("inf")])
    def test_a_tolerance_that_is_none(self, run: Any, say: Any, tolerance: float) -> None:
        """Negative and endless tolerances are refused before anything is read."""
        with pytest.raises(UsageError, match=r"tolerance is .*: give a number of 0 or more"):
            compare("gone", "gone", tolerance=tolerance)


class TestConditions:
    """Circumstances that differ."""

    def test_they_are_told_and_decide_nothing(self, run: Any, say: Any) -> None:
        """Another version is reported, and equal bits are identical all the same."""
        environments = [{"python": {"version": version}} for version in ("3.11.7", "3.12.1")]
        a, b = (run(name, *steps_of(say), environment=e) for name, e in zip("ab", environments, strict=True))
        comparison = compare(a, b)
        assert comparison.verdict == "identical"
        assert [(c.baseline, c.candidate) for c in comparison.conditions] == [("3.11.7", "3.12.1")]


class TestWhatCannotBeCompared:
    """Errors name the run."""

    def test_a_missing_run(self, run: Any, say: Any, tmp_path: Path) -> None:
        """Whichever of the two is missing is named."""
        folder = run("a", *steps_of(say))
        for pair in ((folder, tmp_path / "gone"), (tmp_path / "gone", folder)):
            with pytest.raises(TraceError, match=r"no trace at .*gone"):
                compare(*pair)

    def test_a_trace_and_a_pickle(self, run: Any, say: Any, tmp_path: Path) -> None:
        """Records of two kinds are not compared."""
        folder = run("a", *steps_of(say))
        (tmp_path / "x.pkl").write_bytes(b"\x80\x04].")
        for pair in ((folder, tmp_path / "x.pkl"), (tmp_path / "x.pkl", folder)):
            with pytest.raises(UsageError, match=r"x\.pkl is a file and the other run a folder"):
                compare(*pair)

    def test_a_pickle_and_nothing(self, tmp_path: Path) -> None:
        """What is missing is said before what does not fit."""
        (tmp_path / "x.pkl").write_bytes(b"\x80\x04].")
        with pytest.raises(TraceError, match=r"no trace at .*gone"):
            compare(tmp_path / "x.pkl", tmp_path / "gone")

    def test_a_name_that_no_file_can_have(self, tmp_path: Path) -> None:
        """A name that the file system refuses is a one-line error."""
        with pytest.raises(TraceError, match="File name too long"):
            compare(tmp_path / ("a" * 300), tmp_path)


class TestNewestRuns:
    """The two newest of a folder."""

    def test_traces_by_their_start(self, run: Any, tmp_path: Path) -> None:
        """The older of the two newest is the baseline."""
        for name, hour in (("x", 3), ("y", 1), ("z", 2)):
            run(name, created=f"2026-01-02T0{hour}:00:00+00:00")
        assert [path.name for path in find_newest_runs(tmp_path)] == ["z", "x"]

    def test_pickles_by_the_time_in_their_names(self, tmp_path: Path) -> None:
        """A copy does not make a record newer."""
        for day in ("03", "02", "01"):
            (tmp_path / f"train_batches_202601{day}_120000_seed42.pkl").write_bytes(b"x")
        names = [path.name for path in find_newest_runs(tmp_path)]
        assert names == ["train_batches_20260102_120000_seed42.pkl", "train_batches_20260103_120000_seed42.pkl"]

    @pytest.mark.parametrize("names", [["other.pkl"], ["train_batches_20260102_120000_seed1.pkl", "notes.txt"]])
    def test_too_few_pickles(self, tmp_path: Path, names: list[str]) -> None:
        """The number that there are is told."""
        for name in names:
            (tmp_path / name).write_bytes(b"x")
        with pytest.raises(TraceError, match=r"holds 1 of the 2 records to compare"):
            find_newest_runs(tmp_path)

    def test_traces_come_before_pickles(self, run: Any, tmp_path: Path) -> None:
        """A folder that holds both is one of traces."""
        run("a")
        run("b")
        (tmp_path / "train_batches_20260102_120000_seed42.pkl").write_bytes(b"x")
        assert [path.name for path in find_newest_runs(tmp_path)] == ["a", "b"]

    @pytest.mark.parametrize("name", ["gone", "a" * 300])
    def test_a_folder_that_is_not_there(self, tmp_path: Path, name: str) -> None:
        """The folder is named."""
        with pytest.raises(TraceError, match=name):
            find_newest_runs(tmp_path / name)


FIRST_DIVERGENCE = {
    "rank", "step", "stage", "detail", "name", "baseline", "candidate", "op", "file", "line", "max_ulp", "max_abs",
}  # fmt: skip


class TestJson:
    """What other programs read."""

    def test_the_keys_of_the_contract(self, run: Any, say: Any) -> None:
        """All keys are there, with the types of the contract, and the text is strict JSON."""
        a, b = run("a", *steps_of(say)), run("b", *steps_of(say, 2), [say.data("x", 1, 1), say.label(7, 7)])
        text = json.dumps(compare(a, b).to_json(), allow_nan=False)
        data = json.loads(text)
        assert {"schema", "verdict", "compared", "first_divergence", "causes", "conditions", "runs"} <= set(data)
        assert (data["schema"], data["verdict"], data["runs"]) == (1, "diverged", [str(a), str(b)])
        assert (data["compared"]["events"], data["compared"]["tensors"]) == (8, 6)
        assert {"events", "tensors", "skipped"} <= set(data["compared"])
        assert set(data["first_divergence"]) - {"explanation"} == FIRST_DIVERGENCE
        assert (data["causes"], data["conditions"]) == ([], [])

    def test_no_divergence_is_null(self, run: Any, say: Any) -> None:
        """Skipped evidence is listed with what and why."""
        step = [say.data("d"), say.skipped("p")]
        data = compare(run("a", step), run("b", step)).to_json()
        assert data["first_divergence"] is None
        assert data["compared"]["skipped"] == [{"what": "p", "why": "a value of type Path"}]

    @pytest.mark.parametrize("values", [(float("nan"), 1.0), (float("inf"), 1.0), (1.7e308, -1.7e308)])
    def test_numbers_that_json_does_not_have(self, run: Any, say: Any, values: tuple[float, float]) -> None:
        """A difference that is no finite number is null."""
        a, b = (run(name, [say.label(x, typecode="d")]) for name, x in zip("ab", values, strict=True))
        text = json.dumps(compare(a, b).to_json(), allow_nan=False)
        assert json.loads(text)["first_divergence"]["max_abs"] is None


class TestUntrained:
    """All that differs may belong to models that are never trained: then everything of the trained ones is equal."""

    @staticmethod
    def steps(say: Any, sketch: str, *, loss: str = "l", **own: str) -> list[list[Any]]:
        """Return two steps of a training of `Net`, beside a model `Sketch` that is called once."""
        found = [[say.named("Net.w", "w", "init"), say.named("Sketch.w", sketch, "init")], []]
        found[0].append(say.named("Sketch output", sketch, "metric"))
        for step in found:
            step += [say.named("loss", loss, "loss"), say.named("Net.w", "g", "gradient")]
            step += [say.named("Net.w", own.get("update", "u"), "update"), say.named("Sketch.w", sketch, "update")]
        return found

    def test_only_a_model_that_is_never_trained_differs(self, run: Any, say: Any) -> None:
        """Its name is told; the verdict stays."""
        comparison = compare(run("a", *self.steps(say, "x")), run("b", *self.steps(say, "y")))
        assert (comparison.verdict, comparison.untrained) == ("diverged", ("Sketch",))

    @pytest.mark.parametrize("own", [{"loss": "other"}, {"update": "other"}])
    def test_the_trained_one_differs_too(self, run: Any, say: Any, own: dict[str, str]) -> None:
        """Nothing of the kind is said."""
        assert compare(run("a", *self.steps(say, "x")), run("b", *self.steps(say, "y", **own))).untrained == ()

    def test_nothing_is_trained(self, run: Any, say: Any) -> None:
        """Then no model is another than those that are trained."""
        a, b = (run(name, [say.named("Net.w", name, "init")]) for name in "ab")
        assert compare(a, b).untrained == ()

    @pytest.mark.parametrize("header", [{"status": "failed"}, {"level": "steps"}, {"problems": ("loss not recorded",)}])
    def test_not_everything_was_compared(self, run: Any, say: Any, header: dict[str, Any]) -> None:
        """Of what is not known nothing is said."""
        assert compare(run("a", *self.steps(say, "x")), run("b", *self.steps(say, "y"), **header)).untrained == ()

    def test_what_was_put_out_differs_too(self, run: Any, say: Any) -> None:
        """Then it may have come from the model that is not trained."""
        folders = [run(name, *self.steps(say, name)) for name in "ab"]
        for folder in folders:
            writer = OutputWriter(folder, 0)
            line = Line(stream="stdout", text=f"sketch {folder.name}")
            writer.finish(Surroundings(began_at=1.0, ended_at=2.0), lines=[line])
        assert compare(*folders).untrained == ()
