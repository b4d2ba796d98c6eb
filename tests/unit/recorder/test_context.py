"""What hooks share, and that none of them holds the recording."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.recorder.trainings import ThreadState

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.recorder.context import Context


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Train one step."""
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()


def context_of(recording: Recording) -> Context:
    """Return the context of a recording that is under way."""
    assert recording.context is not None
    return recording.context


def test_a_hook_learns_of_steps_and_of_the_end(tmp_path: Path) -> None:
    """`on_step` is called with the number of the next step, `on_end` once, while hooks still record."""
    seen: list[Any] = []
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recording(tmp_path / "run") as recording:
        context = context_of(recording)
        context.on_step.append(seen.append)
        context.on_end.append(lambda: seen.append(("end", context.is_active)))
        train_step(model, optimizer)
        train_step(model, optimizer)
    train_step(model, optimizer)
    assert seen == [1, 2, ("end", True)]
    assert not context.is_active


def test_each_level_includes_those_before_it(tmp_path: Path) -> None:
    """A recording at level ``modules`` records ``batches`` and ``steps`` as well, and no ``ops``."""
    with Recording(tmp_path / "run", RecordingOptions(level="modules")) as recording:
        context = context_of(recording)
        assert [context.records(level) for level in ("batches", "steps", "modules", "ops")] == [True, True, True, False]


def test_the_folder_is_absolute(tmp_path: Path, monkeypatch: Any) -> None:
    """A script may change its working folder: what hooks write goes to the folder that was named at the start."""
    monkeypatch.chdir(tmp_path)
    with Recording("run") as recording:
        assert context_of(recording).folder == tmp_path / "run"


def test_there_is_no_context_before_pytorch_is_hooked(tmp_path: Path) -> None:
    """A recording that is only open has nothing that a hook could use yet."""
    recording = Recording(tmp_path / "run")
    recording.open()
    assert recording.context is None
    assert not recording.is_active
    recording.close("complete")


def test_a_thread_is_beside_the_training_unless_it_owns_the_recording() -> None:
    """Each thread has a state of its own; the main thread and the one in which the recording began train."""
    states: list[tuple[bool, bool]] = []
    state = ThreadState(threading.get_ident())
    state.is_in_model = True
    thread = threading.Thread(target=lambda: states.append((state.is_beside, state.is_in_model)))
    thread.start()
    thread.join()
    assert (state.is_beside, states) == (False, [(True, False)])
