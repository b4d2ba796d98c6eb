"""The rows of a report: what is told about two runs, before anything is drawn."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from reproof.comparison import compare
from reproof.report.experiments import Experiment, order_as_tree
from reproof.report.markdown import render_markdown
from reproof.report.page import render_page
from reproof.report.rows import build_report
from reproof.schema import DIFFERENT, Cause, Difference, Fix, Origin, OutputDifference, OutputResult, Skipped
from reproof.trace import open_trace


class TestDivergedRuns:
    """Where the runs part, what is equal before, what came of it."""

    def test_the_verdict_has_its_place_in_it(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """One sentence with step and stage, and how much is equal before."""
        verdict = make_report(*parted).verdict
        assert verdict.headline == "The runs part in step 5, in the order of a batch."
        assert verdict.meaning_text.startswith(
            "The 15 events before it are equal to the bit. No cause was searched for."
        )
        assert verdict.equal_share == 5 / 12

    def test_the_first_divergence(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """Its step by stages, and what became of the loss."""
        first = make_report(*parted).first
        assert (first.step, first.stage, first.detail) == (5, "batch", "order")
        assert [(row.stage, row.compared, row.differing) for row in first.stages] == [("batch", 2, 2), ("loss", 1, 1)]
        assert first.became[0].startswith("The loss is 0.00028 apart in step 5")

    def test_the_map_holds_the_states_of_every_step(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """Compressed, one byte per step."""
        (row,) = make_report(*parted).maps
        planes = {stage: zlib.decompress(base64.b64decode(text)) for stage, text in row.planes}
        assert planes["loss"].index(DIFFERENT) == 5
        assert len(planes["batch"]) == row.num_columns == row.num_steps == 12

    def test_events_of_the_steps_around_it_are_kept(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """Two before, seven after, the first and the last."""
        assert [row.step for row in make_report(*parted).steps] == [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]

    def test_the_batch_tells_which_samples_moved(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """Indices of both runs."""
        batch = make_report(*parted).batch
        assert (batch.baseline, batch.candidate) == (("2", "3", "4"), ("4", "3", "2"))
        assert batch.told.startswith("The same samples; 2 of 3 places hold another one.")

    @pytest.mark.parametrize("has_content", [True, False])
    def test_of_several_batches_of_a_step_the_one_that_parts_is_told(
        self, make_report: Any, run: Any, say: Any, has_content: Any
    ) -> None:
        """As where gradients are accumulated: by its order, or by its content."""
        runs = []
        for name in "ab":
            last = (8, 9) if has_content or name == "a" else (9, 8)
            events = [say.order("", 4, 5), say.data("x", 1, 2), say.order("", *last)]
            runs.append(run(name, [*events, say.data(f"y{name}", 3, ord(name))], level="steps"))
        batch = make_report(*runs).batch
        assert batch.baseline == ("8", "9")
        assert batch.changed == ((1,) if has_content else ())

    def test_rows_are_plain_json(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """They are in the page as JSON."""
        assert json.loads(json.dumps(asdict(make_report(*parted)), allow_nan=False))["first"]["step"] == 5


class TestOtherVerdicts:
    """Each verdict says what it rests on."""

    def test_identical(self, make_report: Any, run: Any, say: Any) -> None:
        """All events, and the level at which they were recorded."""
        a, b = (run(name, [say.loss(1)], level="steps") for name in "ab")
        verdict = make_report(a, b).verdict
        assert verdict.headline == "Both runs are identical to the bit."
        assert "The 1 event of 1 step is equal, 1 tensor in all" in verdict.meaning_text
        assert (verdict.glyph, verdict.equal_share) == ("=", 1.0)

    def test_equivalent(self, make_report: Any, run: Any, say: Any) -> None:
        """Within the tolerance is not to the bit."""
        a, b = run("a", [say.loss(1.0)]), run("b", [say.loss(1.0000001)])
        verdict = make_report(a, b, tolerance=1e-3).verdict
        assert verdict.headline == "The runs agree within 0.001, not to the bit."
        assert verdict.meaning_text.startswith("1 of 1 event differs in its bits")

    def test_inconclusive_is_no_proof(self, make_report: Any, run: Any, say: Any) -> None:
        """What was not compared is counted and listed."""
        a, b = run("a", [say.loss(1)], [say.loss(2)]), run("b", [say.loss(1)])
        report = make_report(a, b)
        assert report.verdict.glyph == "?"
        assert report.verdict.meaning_text.endswith("So this is no proof.")
        assert report.coverage.structure == ("the baseline has 2 steps and the candidate 1",)

    def test_an_error_of_both_runs_is_in_the_verdict(self, make_report: Any, run: Any, say: Any) -> None:
        """It is why not everything was compared."""
        comparison = compare(*(run(name, [say.loss(1)]) for name in "ab"), maps_steps=True)
        ends = tuple(Skipped(what=f"the end of the {role}", why="a.py raised E: no") for role in ("one", "other"))
        failed = replace(comparison, verdict="inconclusive", skipped=ends)
        told = build_report(failed, *(open_trace(Path(one)) for one in comparison.runs)).verdict.meaning_text
        assert "a.py raised E: no. Not compared: 2, listed under" in told

    def test_processes_that_do_not_agree_are_told(self, parted: tuple[Path, Path]) -> None:
        """Though both runs are identical: they drifted apart in both."""
        comparison = replace(compare(parted[0], parted[0], maps_steps=True), agreement=("replicas drifted <apart>",))
        report = build_report(comparison, *map(open_trace, (parted[0], parted[0])))
        page, text = render_page(report), render_markdown(report)
        assert "<li>Replicas drifted &lt;apart&gt;.</li>" in page.split('id="map"')[0]
        assert "do not agree:**\n\n- Replicas drifted \\<apart\\>." in text

    def test_what_no_optimizer_holds_is_told(self, parted: tuple[Path, Path]) -> None:
        """As in the terminal: the training itself is equal."""
        report = build_report(
            replace(compare(*parted, maps_steps=True), untrained=("Teacher",)), *map(open_trace, parted)
        )
        assert "what differs belongs to Teacher, which no optimizer ever holds." in report.verdict.meaning_text

    def test_output_alone_does_not_differ_from_the_first_step_on(self, parted: tuple[Path, Path]) -> None:
        """What was saved in some step is put out after it: the training itself is equal."""
        comparison = compare(parted[0], parted[0], maps_steps=True)
        saved = Difference(rank=0, step=0, stage="output", detail=None, name="saved x", baseline="1", candidate="2")
        apart = replace(comparison, verdict="diverged", first=saved)
        report = build_report(apart, *map(open_trace, parted))
        assert report.verdict.headline == "The runs part in their output."
        assert report.verdict.meaning_text.startswith("All 36 events of 12 steps are equal to the bit. ")
        assert (report.verdict.bar_label, report.verdict.equal_share > 0.9) == ("the output differs ▸", True)
        assert report.first is not None
        assert report.first.stages == ()

    def test_an_open_output_is_told_first(self, parted: tuple[Path, Path]) -> None:
        """Nothing was left uncompared; whether it is noise is found by the command that is named."""
        saved = OutputDifference(kind="saved", name="x", baseline="1", candidate="2")
        output = OutputResult(num_lines=0, num_files=0, num_saved=1, differences=(saved,))
        comparison = replace(compare(parted[0], parted[0], maps_steps=True), verdict="inconclusive", output=output)
        verdict = build_report(comparison, *map(open_trace, parted)).verdict
        assert verdict.headline == "The trainings are equal, and what they put out differs."
        assert verdict.next_command.startswith("reproof explain ")

    def test_nothing_in_common_is_no_equality(self, make_report: Any, run: Any, say: Any) -> None:
        """No event was compared: nothing is called equal, and no bar is drawn."""
        report = make_report(run("a"), run("b"))
        assert report.verdict.headline == "Nothing could be compared."
        assert report.verdict.meaning_text.startswith("The two runs have no event in common. What is recorded is ")

    def test_a_run_without_steps_is_not_called_identical(self, make_report: Any, run: Any, say: Any) -> None:
        """The first line says that nothing was trained."""
        frames = [run(name, [say.loss(1)]) for name in "ab"]
        comparison = replace(compare(*frames, maps_steps=True), num_steps=0)
        assert build_report(comparison, *map(open_trace, frames)).verdict.headline == "No training step was recorded."

    def test_another_rank_is_named(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """A divergence outside of rank 0 says where."""
        comparison = compare(*parted, maps_steps=True)
        assert comparison.first is not None
        moved = replace(comparison, first=replace(comparison.first, rank=3, stage="gradient", detail=None))
        report = build_report(moved, *map(open_trace, parted))
        assert report.verdict.headline == "The runs part in step 5 on rank 3, in a gradient."


class TestCauses:
    """A cause stands with its line in its code, its proof and its fix."""

    def test_a_cause_with_its_proof(self, parted: tuple[Path, Path], tmp_path: Path) -> None:
        """The experiments that its evidence rests on, and the lines around its own."""
        script = tmp_path / "train.py"
        script.write_text("import random\n\ndef draw():\n    rng = random.Random()\n    return rng\n")
        fix = Fix(action="replace", file="train.py", line=4, old="rng = random.Random()", new="rng = random.Random(1)")
        cause = Cause(
            kind="unseeded-generator",
            source="random.Random",
            file="train.py",
            line=4,
            text="rng = random.Random()",
            confirmed=True,
            step=5,
            evidence="identical (experiment 2); with the candidate's it diverges (experiment 3)",
            change=fix,
        )
        comparison = replace(compare(*parted, maps_steps=True), causes=(cause,))
        report = build_report(
            comparison,
            *map(open_trace, parted),
            experiments=[make_experiment(n, tmp_path, None) for n in (1, 2, 3)],
            was_explained=True,
            folder=tmp_path,
        )
        (row,) = report.causes
        assert (row.where, row.words) == ("train.py:4", "a generator without a seed")
        assert row.excerpt is not None
        assert (row.excerpt.function, row.excerpt.first, row.excerpt.lines[2]) == (
            "draw",
            2,
            "    rng = random.Random()",
        )
        assert [one.number for one in row.proof] == [2, 3]
        assert [one.is_proof for one in report.experiments] == [False, True, True]
        assert "The cause is proved: train.py:4, a generator without a seed." in report.verdict.meaning_text

    def test_a_suspect_is_never_called_proved(self, parted: tuple[Path, Path]) -> None:
        """Without an experiment it is a suspicion."""
        cause = Cause(
            kind="code-change", source="code", file=None, line=None, text="", confirmed=False, step=5, evidence=""
        )
        comparison = replace(compare(*parted, maps_steps=True), causes=(cause,))
        report = build_report(comparison, *map(open_trace, parted), was_explained=True)
        assert "A cause is suspected, not proved: other code." in report.verdict.meaning_text


class TestExperiments:
    """An experiment that was stopped agrees as far as it was to run."""

    def test_what_lies_beyond_its_window_is_no_divergence(self, parted: tuple[Path, Path], tmp_path: Path) -> None:
        """The baseline's longer tail does not refute the proof."""
        rows = build_report(
            compare(*parted, maps_steps=True),
            *map(open_trace, parted),
            experiments=[
                make_experiment(1, tmp_path, 6),
                make_experiment(2, tmp_path, 5),
                make_experiment(3, tmp_path, None),
            ],
        ).experiments
        assert [row.agreed for row in rows] == [True, False, True]
        assert rows[0].result == "equals the baseline through step 5"
        assert rows[1].result == "parts in step 5, batch"

    def test_one_that_failed_agrees_with_nothing(self, parted: tuple[Path, Path], tmp_path: Path) -> None:
        """It could not be compared, and says why."""
        broken = replace(make_experiment(1, tmp_path, None), problem="it failed: boom")
        (row,) = build_report(compare(*parted), *map(open_trace, parted), experiments=[broken]).experiments
        assert (row.agreed, row.result) == (None, "could not be compared: it failed: boom")

    def test_one_that_was_compared_with_another_says_so(self, parted: tuple[Path, Path], tmp_path: Path) -> None:
        """It equals that one, which is nothing about the baseline."""
        other = replace(make_experiment(2, tmp_path, None), reference="experiment 1")
        (tmp_path / "e2.experiment.json").write_text(json.dumps({"plan": {"baseline": "a", "keys": None}}))
        (row,) = build_report(compare(*parted), *map(open_trace, parted), experiments=[other]).experiments
        assert (row.result, row.meaning) == ("equals experiment 1 through step 5", "")

    def test_one_that_changes_something_besides_is_not_read_as_a_replay(
        self, parted: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """That it parts does not show that computing is to blame."""
        for probes, told in (
            ({}, "So it is made by computing, not by anything that was read."),
            ({"poisons": True}, ""),
        ):
            setting = {"plan": {"baseline": "a", "keys": None}, "probes": probes}
            (tmp_path / "e1.experiment.json").write_text(json.dumps(setting))
            tried = [make_experiment(1, tmp_path, 2)]
            (row,) = build_report(compare(*parted), *map(open_trace, parted), experiments=tried).experiments
            assert row.meaning == told

    def test_each_follows_from_the_one_that_replayed_more(self, parted: tuple[Path, Path], tmp_path: Path) -> None:
        """A tree: what was replayed is narrowed down, and what was compared with another stands below that."""
        keys = {1: None, 2: ["a"], 3: ["a", "b", "c"], 4: ["b"], 5: None, 6: None}
        for number, replayed in keys.items():
            setting = {"plan": {"baseline": "a", "keys": replayed}}
            (tmp_path / f"e{number}.experiment.json").write_text(json.dumps(setting))
        tried = [make_experiment(number, tmp_path, None) for number in keys]
        tried[5] = replace(tried[5], reference="experiment 4")
        rows = build_report(compare(*parted), *map(open_trace, parted), experiments=tried).experiments
        assert [row.parent for row in rows] == [None, 1, 1, 3, 1, 4]
        drawn = [(node.depth, node.row.number) for node in order_as_tree(rows)]
        assert drawn == [(0, 1), (1, 2), (1, 3), (2, 4), (3, 6), (1, 5)]


class TestProcesses:
    """Of a training of several processes everything is of the one that parted first."""

    def test_a_process_that_a_launcher_started(self, run: Any, say: Any) -> None:
        """Its steps, its loss, its name; the others are in the map."""
        folders = [run(name) for name in "ab"]
        for name in "ab":
            for rank in (0, 1):
                losses = [1.0, 0.5, 0.25 if name == "a" or not rank else 0.3]
                steps = [[say.loss(value)] for value in losses]
                run(f"{name}/processes/0.{rank + 1}", *steps, origin=Origin(label=f"0.{rank + 1}", rank=rank))
        report = build_report(compare(*folders, maps_steps=True), *map(open_trace, folders))
        assert report.verdict.headline == "The runs part in step 2 on rank 1 (process 0.2), in the loss."
        assert [(row.name, row.is_main) for row in report.maps] == [
            ("rank 1 (process 0.2)", True),
            ("rank 0 (process 0.1)", False),
        ]
        assert report.first is not None
        assert [row.differing for row in report.first.stages] == [1]
        assert [row.num_differing for row in report.curves] == [1]


def make_experiment(number: int, folder: Path, first_step: int | None) -> Experiment:
    """Return an experiment of six steps with a first divergence."""
    first = None
    if first_step is not None:
        first = Difference(rank=0, step=first_step, stage="batch", detail=None, name="x", baseline="a", candidate="b")
    return Experiment(
        number=number, purpose="p", seconds=1.0, trace=folder / f"e{number}", window=6, first=first, problem=None
    )
