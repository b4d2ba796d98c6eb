"""Whatever goes wrong within the recorder, the training goes on, and the trace says that it is not whole."""

from __future__ import annotations

import errno
import gc
import tracemalloc
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reproof
from reproof.errors import RecordingError, UsageError
from reproof.recorder import frames, loaders, steps
from reproof.recorder.evidence import EvidenceRecorder
from reproof.trace import open_trace, writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Events


def train(num_epochs: int = 2) -> bytes:
    """Train a small model; return the bits of its weights."""
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(torch.randn(12, 3), torch.randn(12, 1)), batch_size=4, shuffle=True)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(num_epochs):
        for inputs, targets in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), targets).backward()
            optimizer.step()
    return b"".join(parameter.detach().numpy().tobytes() for parameter in model.parameters())


def fail(*_: Any, **__: Any) -> None:
    """Raise as no code of ours should."""
    raise ZeroDivisionError("a bug\nof the recorder")


def refuse(*_: Any, **__: Any) -> None:
    """Raise as a full file system does."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (EvidenceRecorder, "record_indices"),
        (EvidenceRecorder, "record_leaf"),
        (frames.FrameBuilder, "add"),
        (frames.FrameBuilder, "end_step"),
        (loaders, "take_indices"),
        (loaders, "size_of"),
    ],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_a_bug_of_the_recorder_does_not_reach_the_training(
    owner: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are the same bits; each kind of problem is one line of the trace; it is never identical."""
    plain = train()
    monkeypatch.setattr(owner, name, fail)
    with reproof.record(tmp_path / "run", level="batches"):
        assert train() == plain
    header = open_trace(tmp_path / "run").header
    assert header.status == "complete"
    assert len(header.problems) <= 2
    assert "not recorded: ZeroDivisionError: a bug of the recorder" in header.problems[0]
    comparison = reproof.compare(tmp_path / "run", tmp_path / "run")
    assert comparison.verdict == "inconclusive"
    assert header.problems[0] in {skipped.why for skipped in comparison.skipped}


def test_hooks_that_cannot_be_installed_leave_pytorch_as_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that cannot start says so before the training, and takes out the hooks that it has set."""
    originals = dict(vars(DataLoader))
    monkeypatch.setattr(steps.StepHooks, "__init__", fail)
    with pytest.raises(ZeroDivisionError), reproof.record(tmp_path / "run"):
        pytest.fail("the training must not start")
    assert dict(vars(DataLoader)) == originals
    assert open_trace(tmp_path / "run").header.status == "failed"


@pytest.mark.parametrize(("action", "num_warnings"), [("always", 1), ("error", 0)])
def test_a_full_disk_is_a_warning(
    action: Literal["always", "error"],
    num_warnings: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read_events: Callable[[Path], Events],
) -> None:
    """One warning, the training goes on to the same bits, and what was written before is a readable prefix."""
    plain = train()
    original = writer.RankWriter.append_frame

    def append_frame(self: writer.RankWriter, *args: Any) -> None:
        (original if self.num_frames < 4 else refuse)(self, *args)

    monkeypatch.setattr(writer.RankWriter, "append_frame", append_frame)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        with reproof.record(tmp_path / "run", level="batches"):
            assert train() == plain
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == num_warnings  # as an error it would end the training
    assert all("No space left on device" in message and "free some space" in message for message in messages)
    assert read_events(tmp_path / "run").contents().steps == [0, 0, 1, 1, 2, 2, 3, 3]
    assert reproof.compare(tmp_path / "run", tmp_path / "run").verdict == "inconclusive"


def test_a_header_that_cannot_be_finished_leaves_the_trace_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word of a trace is that of its header: without it the run counts as cut off."""
    recording = reproof.record(tmp_path / "run", level="batches")
    with recording:
        train()
        monkeypatch.setattr(Path, "write_text", refuse)
        with pytest.warns(RuntimeWarning, match="No space left"):
            recording.close("complete")
    monkeypatch.undo()
    assert open_trace(tmp_path / "run").header.status == "running"
    assert reproof.compare(tmp_path / "run", tmp_path / "run").verdict == "inconclusive"


@pytest.mark.parametrize(
    ("error", "status", "ended"),
    [
        (ValueError("two\nlines"), "failed", "the run raised ValueError: two lines"),
        (KeyboardInterrupt(), "interrupted", "the run was interrupted"),
        (SystemExit(3), "failed", "the run raised SystemExit: 3"),
        (SystemExit("text"), "failed", "the run raised SystemExit: text"),
        (SystemExit([]), "failed", "the run raised SystemExit: []"),
        (SystemExit(0), "complete", None),
        (SystemExit(), "complete", None),
    ],
    ids=repr,
)
def test_an_exception_of_the_training_is_passed_on(
    error: BaseException, status: str, ended: str | None, tmp_path: Path
) -> None:
    """It leaves the block unchanged; the trace is kept, and says in one line how the run ended."""

    def train_and_raise() -> None:
        train()
        raise error

    with pytest.raises(type(error)) as raised, reproof.record(tmp_path / "run", level="batches"):
        train_and_raise()
    assert raised.value is error
    header = open_trace(tmp_path / "run").header
    assert (header.status, header.ended, header.problems) == (status, ended, ())


def test_an_interrupt_within_a_hook_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is the user's word and no problem of the recorder, wherever it strikes."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(frames.FrameBuilder, "end_step", interrupt)
    with pytest.raises(KeyboardInterrupt), reproof.record(tmp_path / "run", level="batches"):
        train()
    assert open_trace(tmp_path / "run").header.status == "interrupted"


def test_a_folder_is_never_overwritten_unasked(tmp_path: Path) -> None:
    """A trace is replaced only by force, and anything else not even then."""
    with reproof.record(tmp_path / "run"):
        pass
    with pytest.raises(RecordingError, match="already holds a trace"), reproof.record(tmp_path / "run"):
        pass
    with reproof.record(tmp_path / "run", force=True):
        pass
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(RecordingError, match=r"holds 'notes.txt'"), reproof.record(tmp_path / "run", force=True):
        pass
    with pytest.raises(RecordingError, match="cannot write"), reproof.record(tmp_path / "run" / "notes.txt"):
        pass
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_arguments_that_cannot_be_carried_out_are_refused(tmp_path: Path) -> None:
    """They are named before anything is created, and a recording under way cannot be entered again."""
    with pytest.raises(UsageError, match="level 'everything' is unknown"):
        reproof.record(tmp_path / "run", level="everything")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="num_batches is 0"):
        reproof.record(tmp_path / "run", num_batches=0)
    assert not (tmp_path / "run").exists()
    recording = reproof.record(tmp_path / "run")
    with recording, pytest.raises(RecordingError, match="is being recorded"), recording:
        pass


def test_what_comes_after_the_block_is_not_recorded(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """Loaders and iterators that outlive the recording leave no trace of their own."""
    loader = DataLoader(torch.arange(6.0), batch_size=2)
    with reproof.record(tmp_path / "run", level="batches"):
        iterator = iter(loader)
        next(iterator)
    list(iterator)
    list(loader)
    assert len(read_events(tmp_path / "run").contents()) == 1


@pytest.fixture
def allocations() -> Iterator[Callable[[], int]]:
    """Return what counts the bytes that code of reproof has allocated and not freed."""
    ours = [tracemalloc.Filter(inclusive=True, filename_pattern=str(Path(reproof.__file__).parent / "*"))]

    def count() -> int:
        gc.collect()
        snapshot = tracemalloc.take_snapshot().filter_traces(ours)
        return sum(statistic.size for statistic in snapshot.statistics("filename"))

    tracemalloc.start()
    yield count
    tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_steps(tmp_path: Path, allocations: Callable[[], int]) -> None:
    """What 2000 steps need is what 200 steps need, but for what is rounding."""
    sizes = []
    with reproof.record(tmp_path / "run", level="batches", statistics=True):
        for num_steps in (200, 1800):
            train(num_steps // 3)
            sizes.append(allocations())
    assert open_trace(tmp_path / "run").ranks[0].num_steps == 1998
    assert sizes[1] - sizes[0] < 8192
