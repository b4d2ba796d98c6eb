"""Mutated records of what a run has put out, and results in whose place another is written."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import xxhash

from reproof.outputs.records import FileOutput, Line, Part, SavedTensor, UnkeptLines, digest_text
from reproof.outputs.sidecar import OutputWriter, read_output
from reproof.outputs.surroundings import Surroundings
from reproof.schema import Event, RunHeader
from reproof.trace import TraceWriter
from reproof.trace import format as fmt

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from reproof.outputs.records import RunOutput

OUTPUT = "rank0.output"


def write_run(folder: Path, run_id: str, loss: str, *, is_whole: bool) -> None:
    """Write a trace of one step with a record of what the run has put out, to its end or until it was stopped."""
    header = RunHeader(
        run_id=run_id * 32, status="complete", level="steps", command=("train.py",), num_batches=None, statistics=False,
        created="2026-01-02T03:04:05+00:00", environment={}, num_ranks=1, num_steps=None if is_whole else 1,
    )  # fmt: skip
    trace = TraceWriter(folder, header, rank=0)
    layout = (trace.writer.event_id(Event(stage="loss", name="loss", num_tensors=1)),)
    trace.writer.append_frame(layout, xxhash.xxh3_128_digest(b"loss"), b"", 0, fmt.ENDS_STEP)
    trace.close()
    output = OutputWriter(folder, 0)
    for number in range(3):
        digest = digest_text(f"w{number}")
        output.add_saved(
            [
                SavedTensor(
                    step=0, file="last.pt", path=f"['w{number}']", digest=digest, masked=digest, text="Float [2]"
                ),
                SavedTensor(
                    step=0, file="last.pt", path="['at']", digest=digest_text(run_id), masked=digest, text="12:03:04"
                ),
            ]
        )
    if is_whole:
        finish(output, run_id, loss)
    else:
        output.finish(None)


def finish(output: OutputWriter, run_id: str, loss: str) -> None:
    """Write all the rest of what a run puts out: known noise differs from run to run."""
    digest = digest_text(loss)
    row = Part(name="row 1", digest=digest, masked=digest, text=loss)
    clock = Part(name="line 1", digest=digest_text(run_id), masked=digest_text("<time>"), text="12:03:04")
    output.finish(
        Surroundings(
            began_at=1.7e9, ended_at=1.7e9 + 5, utc_offset_seconds=3600, process_ids=(1234,), nearby_ids=(1234, 1240),
            host="node7", user="ada", temporary=("/scratch/abc",), folder="/home/ada/work", identifiers=("3fa9c1",),
        ),
        lines=(Line(stream="stdout", text=f"loss {loss}"), Line(stream="stderr", text="took 0.3 s", worker="pool")),
        unkept=(UnkeptLines(stream="stdout", worker="", count=3, digest=digest_text("rest")),),
        files=(
            FileOutput(name="log.csv", format="table", parts=(row,)),
            FileOutput(name="log.txt", format="lines", parts=(clock,), was_there=True),
            FileOutput(name="runs/", format="untouched"),
            FileOutput(name="last.pt", format="bytes", not_compared="why", saved_as="draft.pt"),
        ),
        notes=("files outside",),
        printed={"stdout": 12, "stderr": 9},
    )  # fmt: skip


def vouch(path: Path) -> None:
    """Make the digest at the end of a record right again, as whoever forges it would."""
    lines = path.read_bytes().splitlines(keepends=True)
    try:
        last = json.loads(lines[-1])
        last["digest"] = xxhash.xxh3_128_hexdigest(b"".join(lines[:-1]))
        path.write_bytes(b"".join(lines[:-1]) + json.dumps(last).encode() + b"\n")
    except (ValueError, LookupError, TypeError, RecursionError):
        return


def tell_results(folder: Path) -> Counter[Any]:
    """Return what decides of a record, noise and order apart."""
    output: RunOutput | None = read_output(folder, 0)
    assert output is not None
    compared = [file for file in output.files if not file.not_compared]
    return Counter(
        [
            *((saved.step, saved.file, saved.path, saved.masked) for saved in output.saved),
            *(line.stream for line in output.lines),
            *output.unkept,
            *((file.name, file.format) for file in compared),
            *((file.name, part.masked) for file in compared for part in file.parts),
        ]
    )


@pytest.fixture
def output_subject(subject_class: Any, command: Callable[..., Any]) -> Any:
    """Return records of what runs have put out as something to mutate."""

    class Outputs(subject_class):  # type: ignore[misc]
        name = "output"
        files = f"*a/{OUTPUT}"

        def make(self, folder: Path) -> None:
            for name, run_id, loss in (("a", "a", "0.25"), ("same", "b", "0.25"), ("other", "c", "0.75")):
                write_run(folder / name, run_id, loss, is_whole=True)
                write_run(folder / f"stopped-{name}", run_id, loss, is_whole=False)

        def repair(self, folder: Path, path: Path, rng: random.Random) -> None:
            self.is_forged, self.is_drawn = rng.random() < 0.3, rng.random() < 0.05
            if self.is_forged:
                vouch(folder / path)

        def judge(self, folder: Path, sound: Path) -> None:
            for name in ("", "stopped-"):
                ours, before = folder / f"{name}a", sound / f"{name}a"
                same = command("compare", sound / f"{name}same", ours)
                if same.out.startswith("identical"):
                    lines = [(run / OUTPUT).read_bytes().splitlines()[:-1] for run in (ours, before)]
                    assert not tell_results(before) - tell_results(ours) if self.is_forged else lines[0] == lines[1]
                command("compare", ours, sound / f"{name}other", "--json", folder / "result.json")
                if self.is_drawn:
                    command("report", sound / f"{name}same", ours, "-o", folder / "page.html", "--quiet")

    return Outputs()


def test_mutated_outputs(output_subject: Any, fuzzing: Any, numbers: range) -> None:
    """Compared and drawn; nothing that was lost or changed is called identical."""
    fuzzing(output_subject, numbers)


@pytest.fixture
def result_subject(subject_class: Any, command: Callable[..., Any]) -> Any:
    """Return earlier results, which a command reads to see whether it may write in their place."""

    class Results(subject_class):  # type: ignore[misc]
        name = "result"
        files = "*.json"

        def make(self, folder: Path) -> None:
            for name, loss in (("a", "0.25"), ("b", "0.75")):
                write_run(folder / name, name, loss, is_whole=True)
            assert not command("compare", folder / "a", folder / "b", "--json", folder / "result.json").err

        def judge(self, folder: Path, sound: Path) -> None:
            path = folder / "result.json"
            before = path.read_bytes()
            found = command("compare", folder / "a", folder / "b", "--json", path)
            assert not found.err or path.read_bytes() == before

    return Results()


def test_mutated_results(result_subject: Any, fuzzing: Any, numbers: range) -> None:
    """Written anew, or left as they are and refused."""
    fuzzing(result_subject, numbers)


def test_sound_outputs_are_called_identical(output_subject: Any, command: Any, tmp_path: Path) -> None:
    """The fuzzer could see a wrong verdict: without a mutation there is this one."""
    output_subject.make(tmp_path)
    for name in ("", "stopped-"):
        assert command("compare", tmp_path / f"{name}same", tmp_path / f"{name}a").out.startswith("identical")
    assert command("compare", tmp_path / "other", tmp_path / "a").code == 2
