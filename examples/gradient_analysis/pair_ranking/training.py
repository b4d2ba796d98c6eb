"""Train the model of one material at one frequency, deterministically, and keep checkpoints along the way."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import DataLoader, default_collate, random_split

import reproof
from pair_ranking.checkpoints import checkpoint_path, is_checkpoint_epoch, remove_checkpoints, save_checkpoint
from pair_ranking.model import MIN_SAMPLES, PairRanker
from pair_ranking.pairs import PairDataset
from pair_ranking.records import BatchLog, new_record_path, record_batches
from pair_ranking.signals import load_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pair_ranking.pairs import PairBatch
    from pair_ranking.signals import SignalSet
    from reproof.determinism import DeterministicSettings

TRAINING_SHARE = 0.8
CONDITIONS_SHOWN = (
    "seeds",
    "deterministic-algorithms",
    "cudnn-deterministic",
    "cudnn-benchmark-off",
    "cublas-workspace",
    "hash-seed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a training is carried out.

    Attributes:
        data: Folder of recordings, or None for simulated signals.
        output: Folder of checkpoints and records.
        num_workers: Processes that load data; their number decides which random numbers a sample gets.
        batch_size: Pairs per batch.
        num_pairs: Pairs of signals to train on; a quarter as many are there to test.
        learning_rate: Of Adam.
        num_batches: Batches of each loader to record.
        record: Folder of the trace; None for a name with the time.
        keep_checkpoints: Whether checkpoints are written.
    """

    data: Path | None = None
    output: Path = Path("saved_models")
    num_workers: int = 4
    batch_size: int = 16
    num_pairs: int = 512
    learning_rate: float = 1e-3
    num_batches: int = 10
    record: Path | None = None
    keep_checkpoints: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What a training has left.

    Attributes:
        checkpoints: Files of the checkpoints, by epoch.
        trace: Folder of the trace, if batches were recorded.
        accuracy: Share of the test pairs that are ranked right.
        weights_digest: SHA-256 of all final weights: the same digits mean the same bits.
    """

    checkpoints: tuple[Path, ...]
    trace: Path | None
    accuracy: float
    weights_digest: str


def train_model_with_checkpoints(
    frequency: str,
    material: str,
    num_epochs: int = 10,
    seed: int = 42,
    verify_consistency: bool = False,  # noqa: FBT001, FBT002  # the interface that its callers know
    *,
    settings: Settings | None = None,
) -> TrainedModel:
    """Train a pair-ranking model.

    Args:
        frequency: Such as ``500hz``.
        material: Such as ``plastic``.
        num_epochs: How often all pairs are seen.
        seed: Of everything that is drawn.
        verify_consistency: Whether the first batches are recorded, for comparing with another training.
        settings: Everything else.

    Raises:
        ReproofError: If the signals cannot be used or the record cannot be written.

    Effects:
        Writes checkpoints and records. Random generators and flags of PyTorch are restored at the end.
    """
    settings = settings or Settings()
    signals = load_signals(settings.data, material, frequency)
    folder = None
    if verify_consistency:
        folder = settings.record or new_record_path(settings.output, material, frequency, seed)
    with (
        warnings.catch_warnings(),
        reproof.deterministic(seed=seed) as determinism,
        record_batches(folder, settings.num_batches) as log,
    ):
        # PyTorch warns of more workers than processors; how many there are is part of what has to reproduce.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        print(f"{material} at {frequency}: {describe_signals(signals)}, seed {seed}")
        print(describe_conditions(determinism))
        training = Training(signals, seed, settings, log)
        checkpoints = training.run(num_epochs, settings.output / f"{material}_{frequency}")
    model = TrainedModel(
        checkpoints=checkpoints,
        trace=folder,
        accuracy=training.accuracy,
        weights_digest=digest_weights(training.model),
    )
    print(describe_model(model))
    return model


class Training:
    """A training under way: the data, the model and the optimizer, all drawn from one seed.

    Attributes:
        model: The model.
        accuracy: Share of the test pairs that are ranked right, after the last epoch.
    """

    def __init__(self, signals: SignalSet, seed: int, settings: Settings, log: BatchLog) -> None:
        """Prepare a training; nothing is trained yet."""
        if signals.samples.shape[1] < MIN_SAMPLES:
            problem = f"{signals.origin} has a signal of {signals.samples.shape[1]} samples"
            raise reproof.ReproofError(problem, f"the model needs at least {MIN_SAMPLES}")
        self.accuracy = 0.0
        self._seed = seed
        self._settings = settings
        self._log = log
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._train_loader, self._test_pairs = make_data(signals, seed, settings)
        self.model = PairRanker().to(self._device)
        self._loss = nn.MarginRankingLoss(margin=1.0)
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=settings.learning_rate)

    def run(self, num_epochs: int, folder: Path) -> tuple[Path, ...]:
        """Train, and return the checkpoints written into the folder."""
        kept: list[Path] = []
        if self._settings.keep_checkpoints:
            remove_checkpoints(folder, self._seed)
        for epoch in range(num_epochs + 1):
            loss = self._train_epoch() if epoch else None  # epoch 0: as drawn
            self.accuracy = self._test()
            shown = "      " if loss is None else f"{loss:.4f}"
            line = f"  epoch {epoch:3}  loss {shown}  ranked right {self.accuracy:6.1%}"
            if self._settings.keep_checkpoints and is_checkpoint_epoch(epoch, num_epochs):
                kept.append(checkpoint_path(folder, epoch, self._seed))
                save_checkpoint(kept[-1], self._state(epoch, loss))
                line += f"  -> {kept[-1]}"
            print(line)
        return tuple(kept)

    def _train_epoch(self) -> float:
        """See all pairs once; return the mean loss."""
        self.model.train()
        total = 0.0
        for batch in self._train_loader:
            self._log.add(batch)
            data1, data2, target = (part.to(self._device) for part in batch[:3])
            self._optimizer.zero_grad()
            loss = self._loss(*self.model(data1, data2), target)
            loss.backward()
            self._optimizer.step()
            total += loss.item()
        return total / len(self._train_loader)

    @torch.no_grad()
    def _test(self) -> float:
        """Return the share of test pairs that are ranked right."""
        self.model.eval()
        num_right = num_pairs = 0
        for batch in collate_batches(self._test_pairs, self._settings.batch_size):
            data1, data2, target = (part.to(self._device) for part in batch[:3])
            score1, score2 = self.model(data1, data2)
            num_right += int(((score1 - score2) * target > 0).sum())
            num_pairs += len(target)
        return num_right / num_pairs

    def _state(self, epoch: int, loss: float | None) -> dict[str, Any]:
        """Return what a checkpoint holds: plain values and state dicts."""
        return {
            "epoch": epoch,
            "seed": self._seed,
            "loss": loss,
            "accuracy": self.accuracy,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }


def make_data(signals: SignalSet, seed: int, settings: Settings) -> tuple[DataLoader[Any], PairDataset]:
    """Split and pair the signals, from the seed alone; return the loader to train with and the pairs to test on."""
    generator = reproof.make_generator(seed)
    # Signals are split, not pairs: no signal of a test pair was ever trained on.
    parts = random_split(signals, [TRAINING_SHARE, 1 - TRAINING_SHARE], generator=generator)
    train_pairs = PairDataset(signals, parts[0].indices, settings.num_pairs, generator, augment=True)
    test_pairs = PairDataset(signals, parts[1].indices, max(1, settings.num_pairs // 4), generator, augment=False)
    if settings.batch_size > settings.num_pairs:
        problem = f"a batch of {settings.batch_size} pairs cannot be made of {settings.num_pairs}"
        raise reproof.ReproofError(problem, "give a smaller --batch-size or more --pairs")
    loader = DataLoader(
        train_pairs,
        batch_size=settings.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=settings.num_workers,
        worker_init_fn=reproof.seed_worker,
        generator=reproof.make_generator(seed),
    )
    return loader, test_pairs


def collate_batches(pairs: PairDataset, batch_size: int) -> Iterator[PairBatch]:
    """Yield all pairs in order, in batches: nothing is drawn, so it needs no loader."""
    for start in range(0, len(pairs), batch_size):
        batch: PairBatch = default_collate([pairs[i] for i in range(start, min(start + batch_size, len(pairs)))])
        yield batch


def digest_weights(model: nn.Module) -> str:
    """Return the SHA-256 of all parameters and buffers, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def describe_signals(signals: SignalSet) -> str:
    """Say what there is to train on."""
    first, last = signals.classes[0], signals.classes[-1]
    return f"{len(signals)} signals ({signals.origin}) of {len(signals.classes)} distances from {first} to {last}"


def describe_conditions(determinism: DeterministicSettings) -> str:
    """Say which conditions of determinism are in force in this process, and which are not."""
    shown = [condition for condition in determinism.conditions if condition.name in CONDITIONS_SHOWN]
    held = ", ".join(f"{condition.name} ({condition.state})" for condition in shown if condition.holds)
    lines = [f"  in force: {held}"]
    lines += [f"  NOT in force: {c.name} ({c.state})\n    to set it: {c.how}" for c in shown if c.holds is False]
    return "\n".join(lines)


def describe_model(model: TrainedModel) -> str:
    """Say what a training has left."""
    lines = [f"  final weights: sha256 {model.weights_digest[:32]}..."]
    if model.trace is not None:
        lines.append(f"  batches recorded: {model.trace}, and the same name with .pkl")
    return "\n".join(lines)
