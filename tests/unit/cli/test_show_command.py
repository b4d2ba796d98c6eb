"""`reproof show`: text, JSON, exit codes, and one line for every error."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli import main
from reproof.schema import Event, RunHeader
from reproof.trace import TraceWriter
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Show = Callable[..., tuple[int, list[str]]]
    Write = Callable[..., Path]

LOSS = Event(stage="loss", name="loss", num_tensors=1)
LOST = Event(stage="batch", name="loader0(4)['path']", detail="content", skipped="a value of type Path")
ENVIRONMENT = {
    "python": {"version": "3.11.7", "hash_seed": "0"},
    "torch": {
        "version": "2.13.0",
        "threads": {"intraop": 2},
        "flags": {"deterministic_algorithms": True},
        "cuda": None,
    },
}


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    """Return a function that shows a trace at 80 columns: exit code, lines without the space around them."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def call(*arguments: object) -> tuple[int, list[str]]:
        with pytest.raises(SystemExit) as caught:
            main(["show", *map(str, arguments)])
        output = capsys.readouterr()
        code = caught.value.code
        assert isinstance(code, int)
        return code, [line.strip() for line in (output.out or output.err).splitlines()]

    return call


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a trace with one event per step."""

    def trace(
        values: Sequence[float] = (), event: Event = LOSS, stride: int = 1, name: str = "run", **fields: Any
    ) -> Path:
        known: dict[str, Any] = {"status": "complete", "exit_code": 0, "level": "steps", "command": ("train.py", "a b")}
        rest = {"run_id": "ab" * 16, "num_batches": None, "statistics": False, "created": "2026-01-02T03:04:05+00:00"}
        writer = TraceWriter(tmp_path / name, RunHeader(**{**known, **rest, "environment": ENVIRONMENT, **fields}))
        number = writer.writer.event_id(event)
        for step, value in enumerate(values):
            numbers = fmt.VALUE.pack(0, fmt.KINDS["exact"], b"d", 0, 8) + struct.pack("<d", value)
            states = fmt.VALUE.pack(0, fmt.KINDS["rng"], b"Q", 0, 16) + struct.pack("<QQ", 2, step)
            digest = bytes(16) if event.skipped else bytes([step % 256]) * 16
            writer.writer.append_frame((number,), digest, numbers + states, step * stride, fmt.ENDS_STEP)
        writer.close()
        return tmp_path / name

    return trace


class TestOverview:
    """What is there at a glance."""

    def test_what_the_run_was(self, show: Show, write: Write) -> None:
        """Command, time, level and amounts."""
        code, lines = show(write([3.0, 2.0, 1.0]))
        assert code == 0
        assert "command      python train.py 'a b'" in lines
        assert "started      2026-01-02 03:04:05+00:00" in lines
        assert "recorded     3 steps, 3 events, 3 frames" in lines
        assert "level        steps" in lines

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({}, "complete: it came to its own end (exit code 0)"),
            ({"num_steps": 2}, "complete: stopped after 2 steps, as it was told to"),
            ({"num_steps": 9}, "complete: it came to its own end (exit code 0)"),
            ({"problems": ("x",)}, "complete (exit code 0), but some evidence could not be taken"),
            ({"num_ranks": 2}, "complete, but rank 1 left no trace"),
            (
                {"status": "failed", "exit_code": 1, "ended": "train.py raised ValueError: no"},
                "failed: train.py raised ValueError: no (exit code 1)",
            ),
            (
                {"status": "interrupted", "exit_code": 130, "ended": "the run was interrupted"},
                "the run was interrupted (exit code 130)",
            ),
            (
                {"status": "running", "exit_code": None},
                "the run was killed or is still running: everything up to its last",
            ),
        ],
    )
    def test_how_it_ended(self, show: Show, write: Write, fields: dict[str, Any], words: str) -> None:
        """In plain words; a run that ended badly is shown like any other."""
        code, lines = show(write([1.0, 2.0], **fields))
        assert code == 0
        assert f"ended        {words}" in lines

    def test_the_conditions_that_matter(self, show: Show, write: Write) -> None:
        """One line per topic, and not the whole environment."""
        _, lines = show(write([1.0]))
        start = lines.index("Conditions")
        assert lines[start + 1 : start + 6] == [
            "python       3.11.7, hash seed: 0",
            "torch        2.13.0",
            "device       PyTorch built without CUDA",
            "threads      within operators: 2",
            "determinism  deterministic algorithms: yes",
        ]

    def test_the_settings_of_a_killed_run_are_unknown(self, show: Show, write: Write) -> None:
        """They are read at the end, which it did not have; nothing is filled in from here."""
        _, lines = show(write([1.0], status="running", environment={"packages": {"torch": "2.1"}}))
        assert "torch        installed: 2.1" in lines
        assert "settings     those of PyTorch are unknown: they are read when a recording ends" in lines

    def test_problems_and_skipped_evidence(self, show: Show, write: Write) -> None:
        """Each with its reason."""
        _, lines = show(write([0.0, 0.0], LOST, problems=("gradients not recorded: KeyError (in step 1)",)))
        assert "gradients not recorded: KeyError (in step 1)" in lines
        assert "batch loader0(4)['path'], 2 times: a value of type Path" in lines
        assert ["batch", "2", "0", "2"] in [line.split() for line in lines]

    def test_the_loss_is_plotted(self, show: Show, write: Write) -> None:
        """With its name, its extremes and where they are."""
        _, lines = show(write([4.0, 1.0, 2.0]))
        assert "loss, 3 values" in lines
        assert "first 4, last 2, lowest 1 in step 1, highest 4 in step 0" in lines
        assert any(line.startswith("4 │") for line in lines)

    def test_losses_that_are_no_numbers_are_shown(self, show: Show, write: Write) -> None:
        """With the step from which on they are there."""
        code, lines = show(write([4.0, float("nan"), float("inf")]))
        assert code == 0
        assert any(line.startswith("inf/nan │") for line in lines)
        assert "2 NaN or infinite, from step 1 on" in " ".join(lines)

    def test_a_loss_of_one_step_is_not_plotted(self, show: Show, write: Write) -> None:
        """A single value is said."""
        _, lines = show(write([4.0]))
        assert "first 4, last 4, lowest 4 in step 0, highest 4 in step 0" in lines
        assert not any("│" in line for line in lines)

    def test_a_long_run_says_that_it_is_sampled(self, show: Show, write: Write) -> None:
        """How many of the losses were read."""
        _, lines = show(write([1 / (i + 1) for i in range(5000)]))
        (title,) = [line for line in lines if line.startswith("loss, ")]
        assert title == "loss, 456 values, one in 11 read, logarithmic"

    def test_metrics_have_a_line_each(self, show: Show, write: Write) -> None:
        """First and last value, and bars between."""
        _, lines = show(write([0.5, 0.75, 1.0], Event(stage="metric", name="accuracy")))
        assert "accuracy  0.5 -> 1                ▁▅█" in lines

    @pytest.mark.parametrize(
        ("status", "words"), [("complete", "no loader, model or optimizer was used"), ("running", "no step had ended")]
    )
    def test_an_empty_trace(self, show: Show, write: Write, status: str, words: str) -> None:
        """That nothing was recorded is said, with the likely reason."""
        code, lines = show(write(status=status))
        assert code == 0
        assert f"recorded     nothing: {words}" in lines

    def test_it_is_ascii_where_that_is_asked_for(
        self, show: Show, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Under the locale C no other character is printed."""
        folder = write([4.0, 1.0, 2.0], Event(stage="loss", name="Größe", num_tensors=1), name="läufe")
        monkeypatch.setenv("LC_ALL", "C")
        _, lines = show(folder)
        drawn = [line for line in lines if "|" in line or "+-" in line]
        assert len(drawn) == 11
        assert "".join(drawn).isascii()

    def test_no_line_is_wider_than_the_terminal(
        self, show: Show, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At 80 columns, with a long command; lines are broken between words."""
        folder = write([4.0, 1.0], command=("train.py", *(f"--option-{i}={i}" for i in range(20))))
        monkeypatch.chdir(folder.parent)  # a path is not broken
        _, lines = show(Path(folder.name))
        assert max(map(len, lines)) <= 78
        assert {f"--option-{i}={i}" for i in range(20)} <= {word for line in lines for word in line.split()}
        assert not any("\x1b" in line for line in lines)


class TestSteps:
    """`--step` and `--stage`."""

    def test_the_events_of_a_step(self, show: Show, write: Write) -> None:
        """Digest, name, number, and the states of the generators."""
        code, lines = show(write([3.0, 2.5]), "--step", 1)
        assert code == 0
        assert "01" * 16 + "  loss = 2.5" in lines
        assert lines[-1] == "0100000000000000  torch"
        assert lines[2].startswith("Step 1: 1 event, ended ")

    def test_an_unknown_step_is_an_error(self, show: Show, write: Write) -> None:
        """One line that names the range."""
        assert show(write([3.0, 2.5], stride=2), "--step", 1) == (
            2,
            ["reproof: error: nothing was recorded in step 1: name a step from 0 to 2"],
        )

    def test_the_events_of_a_stage(self, show: Show, write: Write) -> None:
        """How often each happened."""
        folder = write([3.0, 2.5])
        assert show(folder, "--stage", "loss")[1][-1] == "2 x  loss"
        assert show(folder, "--stage", "update")[1][-1] == "no events of stage update"

    def test_a_stage_of_a_step(self, show: Show, write: Write) -> None:
        """The other stages are left out, the generators stay."""
        _, lines = show(write([3.0]), "--step", 0, "--stage", "update")
        assert lines[2].startswith("Step 0: 0 events")
        assert lines[-1].endswith("torch")

    def test_a_skipped_event_shows_its_reason(self, show: Show, write: Write) -> None:
        """In the place of its digest it says so."""
        _, lines = show(write([0.0], LOST), "--step", 0)
        assert f"{'skipped':<32}  loader0(4)['path'] (content): a value of type Path" in lines


class TestVerifying:
    """`--verify`, and damage that is met without it."""

    def test_a_sound_trace(self, show: Show, write: Write) -> None:
        """It says what was checked."""
        code, lines = show(write([3.0, 2.0]), "--verify")
        assert code == 0
        assert lines[-1].startswith("verified: every byte of the recorded frames is as it was written (2 frames, ")

    def test_a_changed_byte(self, show: Show, write: Write) -> None:
        """Exit code 2 and the frame; without `--verify` a step that was not looked at is not judged."""
        folder = write([1.0], Event(stage="update", name="w", num_tensors=1))
        path = write([1.0, 2.0, 3.0], Event(stage="update", name="w", num_tensors=1), name="other") / "rank0.digests"
        data = bytearray(path.read_bytes())
        data[64 + 16] ^= 1
        path.write_bytes(data)
        assert show(path.parent)[0] == 0
        code, lines = show(path.parent, "--verify")
        assert code == 2
        assert lines[-1] == f"damaged: {path.with_suffix('.frames')} is damaged: frame 1 (step 1) fails its checksum"
        assert show(folder, "--verify")[0] == 0

    @pytest.mark.parametrize("options", [(), ("--step", 0), ("--stage", "loss")])
    def test_damage_that_is_met_is_told(self, show: Show, write: Write, options: tuple[object, ...]) -> None:
        """With what can be read, and exit code 2."""
        folder = write([1.0, 2.0])
        (folder / "run.json").unlink()
        code, lines = show(folder, *options)
        assert code == 2
        assert lines[lines.index("Damaged") + 1] == f"{folder / 'run.json'} is missing"
        assert any("loss" in line for line in lines)

    @pytest.mark.parametrize("name", ["absent", "empty"])
    def test_what_is_no_trace_is_an_error(self, show: Show, tmp_path: Path, name: str) -> None:
        """One line."""
        (tmp_path / "empty").mkdir()
        code, lines = show(tmp_path / name)
        assert (code, len(lines)) == (2, 1)
        assert lines[0].startswith("reproof: error: ")


class TestJson:
    """`--json`."""

    def test_to_standard_output(self, show: Show, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing else is printed; conditions have the names that comparisons use."""
        code, lines = show(write([3.0, float("nan")]), "--json", "-", "--step", 1, "--verify")
        result = json.loads("\n".join(lines), parse_constant=pytest.fail)
        assert (code, result["schema"], result["steps"]) == (0, 1, 2)
        assert result["conditions"]["torch.threads.intraop"] == 2
        assert result["losses"][0]["values"] == [3.0, "NaN"]
        assert result["step"][0]["events"][0]["digest"] == "01" * 16
        assert result["step"][0]["rng"] == {"torch": "0100000000000000"}
        assert result["verification"] == {"verified": True, "finding": None}

    def test_to_a_file(self, show: Show, write: Write, tmp_path: Path) -> None:
        """The text is printed as well."""
        code, lines = show(write([3.0]), "--json", tmp_path / "a.json", "--stage", "loss")
        assert (code, lines[-1]) == (0, "1 x  loss")
        assert json.loads((tmp_path / "a.json").read_text())["events"][0]["name"] == "loss"
