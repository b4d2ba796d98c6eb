"""Resumes that are generated: shape of the loader, place of the checkpoint, what is forgotten; all in one process."""

from __future__ import annotations

import copy
import hashlib
import itertools
import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, Subset, TensorDataset

from reproof.checking.resuming.comparison import compare_resumed
from reproof.recorder import record
from reproof.recorder.restorations import RestorationWatch, read_restorations
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reproof.checking.resuming import ResumeFinding
    from reproof.schema import Comparison

State = dict[str, Any]

SAMPLES: Final = 48
BATCH: Final = 8
PER_EPOCH: Final = SAMPLES // BATCH
EPOCHS: Final = 4
NUM_RESUMES: Final = 60
NUM_QUICK: Final = 12
NAMED_FIRST: Final = 0.95
"""Share of the forgotten pieces that must be named first."""

PIECES: Final = {
    "nothing": set[str](),
    "model": {"model"},
    "buffers": {"buffers"},
    "optimizer": {"optimizer"},
    "scheduler": {"scheduler"},
    "rng": {"rng"},
    "position": {"sampler-position"},
    "counter": {"counter"},
    "generator": {"loader-generator"},
    "average": {"ema"},
    "memory": {"other"},
}
"""What may be forgotten, and the names that are right for it."""


class EpochOrder(Sampler[int]):
    """The samples in an order that the number of the epoch decides."""

    epoch = 0

    def __iter__(self) -> Iterator[int]:
        """Return the samples of this epoch."""
        return iter(order_of(self.epoch))

    def __len__(self) -> int:
        """Return how many there are."""
        return SAMPLES


class Rest:
    """The batches of a batch sampler but for the first ones."""

    def __init__(self, batches: Any, done: int) -> None:
        """Leave out so many."""
        self.batches, self.done = batches, done

    def __iter__(self) -> Iterator[Any]:
        """Return those that are left."""
        return itertools.islice(iter(self.batches), self.done, None)

    def __len__(self) -> int:
        """Return how many are left."""
        return len(self.batches) - self.done


def order_of(epoch: int) -> list[int]:
    """Return the order of an epoch."""
    return list(torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(40 + epoch)).tolist())


@cache
def data() -> TensorDataset:
    """Return the samples."""
    x = torch.randn(SAMPLES, 5, generator=torch.Generator().manual_seed(1))
    return TensorDataset(x, x.sin().sum(1, keepdim=True))


class Source:
    """Where the batches come from; a shape says how they are ordered and how a resumed run finds its place."""

    def __init__(self, shape: str, *, is_fresh: bool) -> None:
        """Make the loaders that a script makes at its start."""
        self.shape = shape
        self.order = EpochOrder()
        self.generator = torch.Generator().manual_seed(8)
        if shape == "statistics" and is_fresh:  # a loader of a fresh start alone
            for batch in DataLoader(data(), batch_size=16):
                batch[0].mean()
        self.whole: Any = self._make()

    def _make(self) -> Any:
        if self.shape == "generator":
            return DataLoader(data(), BATCH, shuffle=True, generator=self.generator)
        if self.shape == "global":
            return DataLoader(data(), BATCH, shuffle=True)
        return DataLoader(data(), BATCH, sampler=self.order)

    def batches(self, epoch: int, done: int) -> Iterator[Any]:
        """Return what is left of an epoch of which so many batches are done."""
        self.order.epoch = epoch
        if self.shape == "rest" and done:
            return iter(DataLoader(data(), batch_sampler=Rest(self.whole.batch_sampler, done)))
        if self.shape == "subset":
            return iter(DataLoader(Subset(data(), order_of(epoch)[done * BATCH :]), BATCH))
        if self.shape == "each":
            self.whole = self._make()
        if self.shape == "pair":
            both = zip(self.whole, DataLoader(data(), BATCH, sampler=self.order), strict=True)
            return ((a[0] + b[0], a[1]) for a, b in itertools.islice(both, done, None))
        return itertools.islice(iter(self.whole), done, None)


SHAPES: Final = ("passed", "rest", "subset", "each", "statistics", "pair", "generator", "global")
PLACES: Final = (PER_EPOCH, PER_EPOCH + 2, 2 * PER_EPOCH - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """A training that goes on from a checkpoint.

    Attributes:
        shape: Where its batches come from.
        place: Steps before the checkpoint.
        forgotten: What is not restored.
    """

    shape: str
    place: int
    forgotten: str

    @property
    def is_possible(self) -> bool:
        """Whether this can be forgotten at this place."""
        if self.forgotten == "position":
            return self.place % PER_EPOCH > 0
        if self.forgotten == "generator":
            return self.shape == "generator"
        return self.forgotten != "counter" or self.place % PER_EPOCH == 0

    def __str__(self) -> str:
        """Return it as the name of a test."""
        return f"{self.shape}-{self.place}-{self.forgotten}"


def list_resumes() -> list[Resume]:
    """Return the resumes that are tested: a third of them correct, all others in the order of their hashes."""
    every = [
        Resume(shape=shape, place=place, forgotten=forgotten)
        for shape in SHAPES
        for place in PLACES
        for forgotten in PIECES
    ]
    possible = sorted(
        (resume for resume in every if resume.is_possible),
        key=lambda resume: hashlib.sha256(str(resume).encode()).digest(),
    )
    right = [resume for resume in possible if resume.forgotten == "nothing"]
    wrong = [resume for resume in possible if resume.forgotten != "nothing"]
    mixed = itertools.chain.from_iterable(zip(right, wrong[::2], wrong[1::2], strict=False))
    return list(mixed)[:NUM_RESUMES]


def train(shape: str, saved: State | None, forgotten: str) -> tuple[dict[int, State], State]:
    """Train, or go on training; return the checkpoints by step, and what is left at the end."""
    torch.manual_seed(7 if saved is None else 1000)
    model = nn.Sequential(nn.Linear(5, 12), nn.BatchNorm1d(12), nn.Dropout(0.2), nn.Linear(12, 1))
    average = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, PER_EPOCH // 2, 0.8)
    source = Source(shape, is_fresh=saved is None)
    memory: list[torch.Tensor] = []
    step = 0
    begin: State = {}
    if saved is not None:
        step = restore(saved, forgotten, model, average, optimizer, scheduler, memory)
        begin = saved["begin"]
    checkpoints: dict[int, State] = {}
    for epoch in range(step // PER_EPOCH, EPOCHS):
        done = step % PER_EPOCH
        if saved is not None and not checkpoints:
            put_back(begin if done else saved["now"], source, forgotten)
        begin = states(source)
        batches = source.batches(epoch, 0 if forgotten == "position" and not checkpoints else done)
        first = next(batches)
        if saved is not None and not checkpoints and done and forgotten != "rng":
            torch.set_rng_state(saved["now"]["torch"])
        for x, y in itertools.chain([first], batches):
            memory.append(x.mean(0))
            drift = memory[-6] if len(memory) > 5 else memory[0]
            loss = nn.functional.mse_loss(model(x + 0.1 * drift), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            with torch.no_grad():
                for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
                    mean.lerp_(weight, 0.1)
            step += 1
            checkpoints[step] = keep(model, average, optimizer, scheduler, memory, step, source, begin)
        # A sampler draws once more when it is exhausted.
        checkpoints[step] = keep(model, average, optimizer, scheduler, memory, step, source, begin)
    return checkpoints, {"model": model.state_dict(), "average": average.state_dict()}


def keep(  # noqa: PLR0917  # what a checkpoint holds
    model: Any, average: Any, optimizer: Any, scheduler: Any, memory: Any, step: int, source: Source, begin: State
) -> State:
    """Return a checkpoint."""
    parts = {"model": model, "average": average, "optimizer": optimizer, "scheduler": scheduler}
    held = {name: part.state_dict() for name, part in parts.items()}
    return copy.deepcopy({**held, "memory": memory, "step": step, "now": states(source), "begin": begin})


def states(source: Source) -> State:
    """Return the states of the random generators."""
    return {"torch": torch.random.get_rng_state(), "own": source.generator.get_state()}


def put_back(state: State, source: Source, forgotten: str) -> None:
    """Set the random generators."""
    if forgotten != "rng":
        torch.set_rng_state(state["torch"])
    if forgotten != "generator":
        source.generator.set_state(state["own"])


def restore(  # noqa: PLR0917  # what a checkpoint holds
    saved: State, forgotten: str, model: Any, average: Any, optimizer: Any, scheduler: Any, memory: Any
) -> int:
    """Load a checkpoint but for what is forgotten, and return the step to go on at."""
    state = copy.deepcopy(saved)
    buffers = {name for name, _ in model.named_buffers()}
    own = {
        name: value
        for name, value in state["model"].items()
        if forgotten not in ({"buffers"} if name in buffers else {"model"})
    }
    model.load_state_dict(own, strict=False)
    if forgotten != "average":
        average.load_state_dict(state["average"])
    if forgotten != "optimizer":
        optimizer.load_state_dict(state["optimizer"])
    else:
        for group, other in zip(optimizer.param_groups, state["optimizer"]["param_groups"], strict=True):
            group["lr"] = other["lr"]
    if forgotten != "scheduler":
        scheduler.load_state_dict(state["scheduler"])
    if forgotten != "memory":
        memory += state["memory"]
    return 0 if forgotten == "counter" else int(state["step"])


class Bench:
    """Trains each shape once, and resumes it."""

    def __init__(self, folder: Path) -> None:
        """Keep the traces here."""
        self._folder = folder
        self._whole: dict[str, tuple[dict[int, State], State]] = {}

    def resume(self, case: Resume) -> tuple[Comparison, ResumeFinding, bool]:
        """Return what is said of a resume, and whether it ends with the bits of the whole training."""
        if case.shape not in self._whole:
            self._whole[case.shape] = self._run(case.shape, None, "nothing", case.shape)
        checkpoints, expected = self._whole[case.shape]
        _, found = self._run(case.shape, checkpoints[case.place], case.forgotten, str(case))
        traces = [open_trace(self._folder / name) for name in (case.shape, str(case))]
        notes = [read_restorations(self._folder / f"{name}.json") for name in (case.shape, str(case))]
        comparison, finding = compare_resumed(traces[0], traces[1], case.place, 5, (notes[0], notes[1]))
        is_right = all(
            torch.equal(value, found[part][name]) for part, held in expected.items() for name, value in held.items()
        )
        return comparison, finding, is_right

    def _run(self, shape: str, saved: State | None, forgotten: str, name: str) -> tuple[dict[int, State], State]:
        random.seed(name)  # what a fresh process has is nobody's
        recording = record(self._folder / name)
        RestorationWatch(recording, self._folder / f"{name}.json")
        with recording:
            return train(shape, saved, forgotten)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return what resumes."""
    return Bench(tmp_path)


def judge(bench: Bench, cases: list[Resume]) -> None:
    """Assert that no correct resume is accused, and that what is forgotten is named first."""
    wrong: list[str] = []
    num_forgotten = 0
    for case in cases:
        comparison, finding, is_right = bench.resume(case)
        named = [piece.piece for piece in finding.missing]
        if case.forgotten == "nothing":
            assert is_right, f"{case} is no correct resume: the test is wrong"
        if is_right:
            assert comparison.verdict == "identical", (str(case), comparison.first, named)
            continue
        assert comparison.verdict == "diverged", (str(case), comparison.structure)
        num_forgotten += 1
        if named[:1] and named[0] in PIECES[case.forgotten]:
            continue
        wrong.append(f"{case}: {named}, {comparison.first}")
    assert len(wrong) <= (1 - NAMED_FIRST) * num_forgotten, "\n".join(wrong)


def test_some_generated_resumes(bench: Bench) -> None:
    """No correct resume is accused, and what is forgotten is named first."""
    judge(bench, list_resumes()[:NUM_QUICK])


@pytest.mark.thorough
def test_all_generated_resumes(bench: Bench) -> None:
    """Of 60 resumes, no correct one is accused, and what is forgotten is named first in 95 of 100."""
    cases = list_resumes()
    assert len(cases) == NUM_RESUMES
    judge(bench, cases)
