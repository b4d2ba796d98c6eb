"""`reproof compare` and `reproof export`: exit codes, text, JSON, and one line for every error."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli import main
from reproof.cli.comparison_text import condition_lines, summarise
from reproof.comparison import compare
from reproof.outputs.records import FileOutput, Part, SavedTensor, digest_text
from reproof.outputs.sidecar import OutputWriter
from reproof.outputs.surroundings import Surroundings
from reproof.schema import Condition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def reproof(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        code = caught.value.code
        assert isinstance(code, int)
        return code, output.out, output.err

    return call


@pytest.fixture
def pair(run: Any, say: Any) -> tuple[Path, Path]:
    """Return two runs that part in step 1."""
    steps = pair_steps(say)
    others = [steps[0], [steps[1][0], say.data("?", 1, 9), say.label(1, 5)], steps[2]]
    return run("a", *steps), run("b", *others)


def pair_steps(say: Any) -> list[list[Any]]:
    """Return three steps of a run."""
    return [[say.order("", 1, 2), say.data(f"d{i}", 1, 2), say.label(i, i)] for i in range(3)]


class TestVerdicts:
    """One verdict, one exit code."""

    def test_identical(self, reproof: Any, run: Any, say: Any) -> None:
        """0, and the verdict first."""
        a, b = (run(name, *pair_steps(say), level="steps") for name in "ab")
        code, out, err = reproof("compare", a, b)
        assert (code, err) == (0, "")
        assert out.splitlines()[0] == "identical: every bit of 9 events of 3 steps is equal (6 tensors, level steps)"

    def test_the_level_is_part_of_the_verdict(self, reproof: Any, run: Any, say: Any) -> None:
        """Equal batches are no equal training."""
        a, b = (run(name, *pair_steps(say), level="batches") for name in "ab")
        expected = (
            "identical: the batches are equal to the bit, 9 events of 3 steps (6 tensors); "
            "nothing else is recorded at level batches"
        )
        assert reproof("compare", a, b)[1].splitlines()[0] == expected

    def test_a_verdict_over_no_step_says_so_first(
        self, reproof: Any, frames_writer: Any, tmp_path: Path, say: Any
    ) -> None:
        """Whatever was recorded outside of the training."""
        a, b = (frames_writer(tmp_path / name, [(0, 3, [say.data("d")])], level="steps") for name in "ab")
        out = reproof("compare", a, b)[1]
        assert out.startswith(
            "identical: no training step was recorded; every bit of 1 event is equal (1 tensor, level"
        )

    def test_runs_that_ended_before_a_step_say_why(self, reproof: Any, frames_writer: Any, tmp_path: Path) -> None:
        """And nothing else of what is not there."""
        a, b = (frames_writer(tmp_path / name, [], level="steps", status="running") for name in "ab")
        out = reproof("compare", a, b)[1]
        told = "inconclusive: no training step was recorded; the run was killed or is still running\n"
        assert out.startswith(told)
        assert "Structure:" not in out

    @pytest.mark.parametrize("is_copied", [False, True])
    def test_a_run_compared_with_itself_says_so(
        self, reproof: Any, pair: Any, tmp_path: Path, *, is_copied: bool
    ) -> None:
        """Under one name or as a copy: text and JSON."""
        other = shutil.copytree(pair[0], tmp_path / "copy") if is_copied else pair[0]
        code, out, _ = reproof("compare", pair[0], other)
        assert code == 0
        assert out.splitlines()[0].endswith("; both are one recording: a run compared with itself or its copy")
        assert json.loads(reproof("compare", pair[0], other, "--json", "-")[1])["same_run"]
        assert not json.loads(reproof("compare", *pair, "--json", "-")[1])["same_run"]

    def test_diverged(self, reproof: Any, pair: Any) -> None:
        """1, with the first divergence, its explanation, and what came then."""
        code, out, _ = reproof("compare", *pair)
        lines = [line.strip() for line in out.splitlines()]
        assert code == 1
        assert lines[0] == "diverged: the runs part in step 1, stage batch"
        assert "step 1, batch (content): loader0(100)[0]" in lines
        assert "sample 1 (index 2) of 2 has other content" in lines
        assert lines[-1] == f"reproof explain {pair[0]} {pair[1]}    # finds the line, by running it again"
        assert sum(line.endswith("    (digests: one bit changes all of it)") for line in lines) == 1
        assert "batch      9 events, 2 of them differ" in lines
        assert "step 1, batch (content): loader0(100)[1]: 1 of 2 values differs" in lines

    def test_processes_that_do_not_agree_are_in_the_verdict(self, run: Any, say: Any) -> None:
        """Identical runs may both have drifted apart; of an edited file the beginning of its digest is enough."""
        digests = Condition(name="code.script_sha256", baseline="ab" * 32, candidate="cd" * 32)
        comparison = compare(run("a", [say.loss(1)]), run("b", [say.loss(1)]))
        told = replace(comparison, agreement=("replicas drifted apart",), conditions=(digests,))
        assert summarise(told).endswith("; but processes that train together do not agree")
        assert list(condition_lines(told)) == ["code.script_sha256: abababababab… → cdcdcdcdcdcd…"]

    def test_inconclusive(self, reproof: Any, run: Any, say: Any) -> None:
        """2, with what was not compared and why."""
        a, b = (
            run(name, [say.data("d"), say.skipped("p")], status=s) for name, s in (("a", "complete"), ("b", "running"))
        )
        code, out, _ = reproof("compare", a, b)
        assert code == 2
        assert out.startswith(
            "inconclusive: no difference in 1 event of 1 step at level batches, and not everything was compared: "
            "the run was killed or is still running\n"
        )
        assert "  p: a value of type Path\n" in out
        assert "  the end of the candidate: the run was killed or is still running\n" in out

    def test_equivalent(self, reproof: Any, run: Any, say: Any) -> None:
        """0, with the tolerance."""
        a, b = (run(name, [say.data(name, statistics=(x,))]) for name, x in (("a", 1.0), ("b", 1.0 + 1e-9)))
        code, out, _ = reproof("compare", a, b, "--tolerance", "1e-6")
        assert (code, out.splitlines()[0]) == (
            0,
            "equivalent: 1 event of 1 step agree within 1e-06 (level batches); 1 of them not to the bit",
        )

    def test_both_losses_are_in_one_plot(self, reproof: Any, run: Any, say: Any) -> None:
        """Once there are enough steps; where they part is marked."""
        for num_steps, has_plot in ((5, False), (20, True)):
            losses = [[1 / (i + 1) for i in range(num_steps)] for _ in "ab"]
            losses[1][3:] = [loss + 0.5 for loss in losses[1][3:]]
            a, b = (
                run(f"{name}{num_steps}", *([say.loss(value)] for value in side), level="steps")
                for name, side in zip("ab", losses, strict=True)
            )
            out = reproof("compare", a, b)[1]
            assert ("█ baseline   • candidate   ▲ they part in step 3" in out) is has_plot
            assert (out.count("▲") == 2) is has_plot

    def test_quiet(self, reproof: Any, pair: Any) -> None:
        """One line, the same code."""
        code, out, _ = reproof("compare", *pair, "-q")
        assert (code, out) == (1, "diverged: the runs part in step 1, stage batch\n")

    def test_the_two_newest(self, reproof: Any, run: Any, say: Any, tmp_path: Path) -> None:
        """A folder of runs stands for its two newest."""
        for name, hour, content in (("x", 1, "old"), ("y", 2, "new"), ("z", 3, "new")):
            run(name, [say.data(content)], created=f"2026-01-02T0{hour}:00:00+00:00")
        code, out, _ = reproof("compare", "--dir", tmp_path)
        assert code == 0
        assert f"  baseline   {tmp_path / 'y'}\n  candidate  {tmp_path / 'z'}\n" in out

    def test_names_that_a_terminal_must_not_obey(self, reproof: Any, run: Any, say: Any) -> None:
        """Control characters and lone surrogates of a name are shown and not sent."""
        name = "loader['\x1b[31m\x07\ud800']"
        a, b = (run(x, [say.named(name, x)], problems=("bad \x1b[2J thing",)) for x in "ab")
        code, out, _ = reproof("compare", a, b)
        assert code == 1
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "loader['\\x1b[31m\\x07\\ud800']" in out


class TestJson:
    """JSON for other programs."""

    def test_a_file(self, reproof: Any, pair: Any, tmp_path: Path) -> None:
        """Beside the text; the code stays that of the verdict."""
        code, out, _ = reproof("compare", *pair, "--json", tmp_path / "out.json")
        data = json.loads((tmp_path / "out.json").read_text())
        assert (code, data["schema"], data["verdict"]) == (1, 1, "diverged")
        assert (data["first_divergence"]["step"], data["runs"]) == (1, [str(path) for path in pair])
        assert out.startswith("diverged: ")

    def test_standard_output(self, reproof: Any, pair: Any) -> None:
        """Nothing but JSON is printed."""
        code, out, err = reproof("compare", *pair, "--json", "-")
        assert (code, err, json.loads(out)["verdict"]) == (1, "", "diverged")

    def test_a_file_that_cannot_be_written(self, reproof: Any, pair: Any, tmp_path: Path) -> None:
        """One line, code 2."""
        code, _, err = reproof("compare", *pair, "--json", tmp_path / "gone" / "out.json")
        assert code == 2
        assert err.startswith(
            f"reproof: error: cannot write {tmp_path / 'gone' / 'out.json'}: No such file or directory: "
        )


class TestErrors:
    """Every error is one line and code 2."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("compare",),
            ("compare", "a"),
            ("compare", "a", "b", "c"),
            ("compare", "a", "--dir", "b"),
            ("compare", "gone", "gone"),
            ("compare", "--dir", "gone"),
            ("compare", "gone", "gone", "--tolerance", "-1"),
            ("compare", "gone", "gone", "--tolerance", "nan"),
            ("compare", "gone", "gone", "--tolerance", "much"),
            ("compare", "gone", "gone", "--max-differences", "0"),
            ("compare", "--colour", "red"),
            ("export", "gone", "-o", "x.jsonl"),
            ("export", "gone", "-o", "x.csv"),
            ("export", "gone"),
        ],
    )
    def test_one_line(
        self, reproof: Any, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It says what is wrong and what to do, and nothing goes to standard output."""
        monkeypatch.chdir(tmp_path)
        code, out, err = reproof(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("reproof: error: ")

    def test_a_damaged_run(self, reproof: Any, pair: Any) -> None:
        """The file is named, whatever is in it."""
        (pair[1] / "rank0.frames").write_bytes(b"\x1b[31m" * 100)
        code, out, err = reproof("compare", *pair)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"{pair[1] / 'rank0.frames'} is not the frames file of a trace" in err


class TestExport:
    """`reproof export`."""

    def test_rows_are_written(self, reproof: Any, pair: Any, tmp_path: Path) -> None:
        """By the ending of the file, and never over another without being asked."""
        target = tmp_path / "out.jsonl"
        assert reproof("export", pair[0], "-o", target) == (0, f"wrote 9 rows to {target}\n", "")
        assert len(target.read_text().splitlines()) == 9
        code, _, err = reproof("export", pair[0], "-o", target)
        assert (code, "already exists" in err) == (2, True)
        assert reproof("export", pair[1], "-o", target, "--force")[0] == 0


class TestIgnore:
    """Files that are left out by their names."""

    @pytest.fixture
    def written(self, run: Any, say: Any) -> tuple[Path, Path]:
        """Return two runs that agree but for what is in a log and in a file that was saved."""
        folders = [run(name, *pair_steps(say)) for name in ("a", "b")]
        for folder, value in zip(folders, "12", strict=True):
            digest = digest_text(value)
            part = Part(name="line 1", digest=digest, masked=digest, text=value)
            writer = OutputWriter(folder, 0)
            writer.add_saved([SavedTensor(step=0, file="x.npy", path="", digest=digest, masked=digest, text=value)])
            writer.finish(
                Surroundings(began_at=0, ended_at=1),
                files=[FileOutput(name="logs/1.txt", format="lines", parts=(part,))],
            )
        return folders[0], folders[1]

    @pytest.mark.parametrize(
        ("globs", "code", "left"),
        [
            ((), 2, ["saved x.npy", "logs/1.txt line 1"]),
            (("*.txt",), 2, ["saved x.npy"]),
            (("logs/*", "x.npy"), 0, []),
            (("1.*", "*.npy", "nothing*"), 0, []),
        ],
    )
    def test_what_a_glob_names_is_left_out(
        self, reproof: Any, written: tuple[Path, Path], globs: tuple[str, ...], code: int, left: list[str]
    ) -> None:
        """And that is told, also of a glob that names nothing."""
        given = [word for glob in globs for word in ("--ignore", glob)]
        result = written[0].with_name("result.json")
        assert reproof("compare", *given, "--json", result, *written)[0] == code
        output = json.loads(result.read_text())["output"]
        assert [difference["name"] for difference in output["differences"]] == left
        counts = [
            f"left out: {0 if glob == 'nothing*' else 1} file{'s' * (glob == 'nothing*')} {glob}" for glob in globs
        ]
        assert output["notes"] == counts
