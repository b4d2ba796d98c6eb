"""The recorder does not disturb: a training comes to the same bits with it, and PyTorch is left as it was found."""

from __future__ import annotations

import io
import pickle
import random
from contextlib import contextmanager, nullcontext
from textwrap import dedent
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch._dynamo  # the first optimizer imports it, and it replaces functions of PyTorch for good
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.optim import optimizer as optimizer_hooks
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, dataloader

import reproof
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.integration.conftest import Command

    from reproof.schema import Level

pytestmark = [
    # Both are PyTorch's and Python's word on the machine or on fork, not on what is tested.
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]

NUM_SAMPLES = 24


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute in one thread: on a busy machine several would wait for each other most of the time."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


class Augmented(TensorDataset):
    """Samples with noise from each of the three global generators."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        """Return a sample that no two epochs have in common."""
        inputs, label = super().__getitem__(index)
        return inputs + random.random() + np.random.rand() + torch.rand(4), label  # noqa: NPY002  # the global state


class Stream(IterableDataset):
    """Samples that come one after the other, shared out among the workers."""

    def __init__(self, samples: TensorDataset) -> None:
        """Hand out these samples."""
        self.samples = samples

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield this worker's samples."""
        worker = torch.utils.data.get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for i in range(first, len(self.samples), step):
            yield self.samples[i]


def make_samples(kind: type[TensorDataset] = TensorDataset) -> TensorDataset:
    """Return labelled samples of four features."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(NUM_SAMPLES, 4, generator=generator)
    return kind(inputs, torch.randint(3, (NUM_SAMPLES,), generator=generator))


def make_shuffled(**options: Any) -> DataLoader:
    """Return a shuffling loader of samples with noise."""
    return DataLoader(make_samples(Augmented), batch_size=5, shuffle=True, **options)


FORK = {"num_workers": 2, "multiprocessing_context": "fork"}
LOADERS: dict[str, Callable[[], Any]] = {
    "no workers": make_shuffled,
    "persistent workers": lambda: make_shuffled(**FORK, persistent_workers=True, prefetch_factor=4),
    "a generator": lambda: make_shuffled(generator=torch.Generator().manual_seed(1), drop_last=True),
    "workers and a generator": lambda: make_shuffled(**FORK, generator=torch.Generator().manual_seed(1)),
    "iterable": lambda: DataLoader(Stream(make_samples()), batch_size=5),
    "iterable with workers": lambda: DataLoader(Stream(make_samples()), batch_size=5, **FORK),
    "no loader": lambda: [make_samples()[:8], make_samples()[8:]],
}


def train(batches: Any, make_optimizer: Callable[..., torch.optim.Optimizer]) -> dict[str, bytes]:
    """Train a model with dropout and batch norm; return the bits of all that training leaves behind."""
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3))
    optimizer = make_optimizer(model.parameters())
    losses = []
    for epoch in range(2):
        for i, (inputs, labels) in enumerate(batches):

            def compute_loss(inputs: torch.Tensor = inputs, labels: torch.Tensor = labels) -> torch.Tensor:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(inputs), labels)
                loss.backward()
                return loss

            losses.append(optimizer.step(compute_loss).item())
            if epoch == 0 and i == 3:
                break  # an epoch that is left early
        print(epoch, *losses)  # noqa: T201  # its output is compared
    model.eval()
    with torch.no_grad():
        print(model(make_samples()[:][0]).sum().item())  # noqa: T201  # the same
    return {"model": save(model.state_dict()), "optimizer": save(optimizer.state_dict()), **save_rng(batches)}


def save(state: dict[str, Any]) -> bytes:
    """Return the bits of a state dict."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def save_rng(batches: Any) -> dict[str, bytes]:
    """Return the states of all random number generators."""
    generator = getattr(batches, "generator", None)
    return {
        "python": pickle.dumps(random.getstate()),
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002  # the global state
        "torch": torch.get_rng_state().numpy().tobytes(),
        "generator": b"" if generator is None else generator.get_state().numpy().tobytes(),
    }


def run(loader: str, make_optimizer: Callable[..., Any], context: AbstractContextManager[Any]) -> dict[str, bytes]:
    """Train from a fixed state of all generators, within a context."""
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002  # the global state
    torch.manual_seed(3)
    batches = LOADERS[loader]()
    with context:
        return train(batches, make_optimizer)


@pytest.mark.parametrize("loader", LOADERS)
def test_a_training_comes_to_the_same_bits(loader: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights, optimizer, generators and printed output are the same without and with a recording."""
    plain, plain_output = run(loader, torch.optim.Adam, nullcontext()), capsys.readouterr()
    recording = reproof.record(tmp_path / "run", level="batches", statistics=True)
    recorded, output = run(loader, torch.optim.Adam, recording), capsys.readouterr()
    assert recorded == plain
    assert output == plain_output
    assert open_trace(tmp_path / "run").ranks[0].num_events > 0


@pytest.mark.parametrize("level", ["batches", "steps"])
@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, foreach=True),
        lambda parameters: torch.optim.Adam(parameters, fused=True),
        lambda parameters: torch.optim.LBFGS(parameters, max_iter=3),
    ],
    ids=["foreach SGD", "fused Adam", "LBFGS"],
)
def test_every_kind_of_optimizer_comes_to_the_same_bits(
    make_optimizer: Callable[..., Any], level: Level, tmp_path: Path
) -> None:
    """So it is for optimizers that work in place on many tensors at once, and for those that call a closure."""
    recording = reproof.record(tmp_path / "run", level=level)
    assert run("no workers", make_optimizer, recording) == run("no workers", make_optimizer, nullcontext())


# Everything that has functions of PyTorch which a recorder may replace, or lists of hooks.
OWNERS = (
    torch, torch.Tensor, torch.autograd, torch.autograd.Function, torch.nn.Module, module_hooks, torch.optim.Optimizer,
    optimizer_hooks, torch.utils.data, dataloader, DataLoader, dataloader._BaseDataLoaderIter,
    dataloader._MultiProcessingDataLoaderIter, dataloader._SingleProcessDataLoaderIter, torch.random, torch.func,
    torch._functorch.eager_transforms, random, np.random,
)  # fmt: skip


Attributes = dict[tuple[str, str], Any]


def read_attributes() -> Attributes:
    """Return all attributes of the owners, and what their collections of hooks hold."""
    found = {(str(owner), name): value for owner in OWNERS for name, value in vars(owner).items()}
    hooks = {key: list(value) for key, value in found.items() if isinstance(value, dict) and "hooks" in key[1]}
    return {**found, **hooks}


def find_replaced(before: Attributes) -> list[tuple[str, str]]:
    """Return the attributes that are another object than before; new ones if they are functions, and so no cache."""
    after = read_attributes()
    changed = {key for key, value in before.items() if after.get(key) is not value and after.get(key) != value}
    added = {key for key in after.keys() - before.keys() if isinstance(after[key], FunctionType)}
    return sorted(changed | added)


@contextmanager
def pytorch_is_left_as_found() -> Iterator[None]:
    """Check that each attribute of PyTorch is the same object after the context as before."""
    before = read_attributes()
    yield
    assert find_replaced(before) == []


@pytest.mark.parametrize("loader", ["no workers", "no loader"])
def test_pytorch_is_as_found_after_a_recording(loader: str, tmp_path: Path) -> None:
    """Each function that was replaced is the original object again, and no hook is left, also after an error."""
    with pytorch_is_left_as_found():
        before = read_attributes()
        with reproof.record(tmp_path / "a"):
            assert find_replaced(before)
        run(loader, torch.optim.Adam, reproof.record(tmp_path / "b"))
        with pytest.raises(RuntimeError, match="of the training"), reproof.record(tmp_path / "c"):
            raise RuntimeError("of the training")


def test_overlapping_recordings_leave_pytorch_as_found(tmp_path: Path) -> None:
    """It does not matter which of two recordings ends first."""
    with pytorch_is_left_as_found():
        for first_out in (0, 1):
            recordings = [reproof.record(tmp_path / f"{first_out}{i}") for i in range(2)]
            for recording in recordings:
                recording.__enter__()
            run("no workers", torch.optim.Adam, nullcontext())
            recordings.pop(first_out).__exit__(None, None, None)
            run("no loader", torch.optim.Adam, nullcontext())
            recordings.pop().__exit__(None, None, None)
    assert reproof.compare(tmp_path / "00", tmp_path / "11").verdict == "identical"
    assert reproof.compare(tmp_path / "01", tmp_path / "10").verdict == "identical"


SCRIPT = """
    import hashlib, os, pickle, random
    os.environ["OMP_NUM_THREADS"] = "2"  # PyTorch must not be imported before
    import numpy as np, torch
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    class Sample:
        def __init__(self, index):
            self.inputs = torch.full((3,), float(index)) + torch.rand(3) + np.random.rand() + random.random()
            self.label = index % 2

    class Samples(Dataset):
        def __len__(self):
            return 12
        def __getitem__(self, index):
            return Sample(index)

    def seed_worker(worker):
        np.random.seed(torch.initial_seed() % 2**32)
        random.seed(torch.initial_seed())

    def collate(samples):
        return torch.stack([s.inputs for s in samples]), torch.tensor([s.label for s in samples]), samples[0]

    def train(**options):
        torch.manual_seed(0); np.random.seed(0); random.seed(0)
        loader = DataLoader(Samples(), 4, shuffle=True, collate_fn=collate, worker_init_fn=seed_worker, **options)
        model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2))
        optimizer = torch.optim.Adam(model.parameters())
        for epoch in range(2):
            for inputs, labels, sample in loader:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(inputs), labels)
                loss.backward()
                optimizer.step()
            print(loss.item(), type(sample).__module__)
        state = [p.detach().numpy().tobytes() for p in model.parameters()]
        state += [pickle.dumps(random.getstate()), pickle.dumps(np.random.get_state()), torch.get_rng_state().numpy()]
        print(*(hashlib.sha256(part).hexdigest() for part in state))

    if __name__ == "__main__":
        print(torch.get_num_threads(), torch.get_num_interop_threads(), torch.are_deterministic_algorithms_enabled())
        train()
        train(num_workers=2)
        train(num_workers=2, multiprocessing_context="spawn", persistent_workers=True)
"""


@pytest.mark.slow
def test_a_script_comes_to_the_same_bits_under_reproof_run(python: Command, reproof: Command, tmp_path: Path) -> None:
    """In fresh processes: threads, output, weights and generators, with workers by fork and by spawn."""
    (tmp_path / "train.py").write_text(dedent(SCRIPT), encoding="utf-8")
    plain = python("-W", "ignore", "train.py")
    recorded = reproof("run", "--level", "batches", "-o", "trace", "train.py", PYTHONWARNINGS="ignore")
    assert (
        (recorded.code, recorded.out, recorded.foreign_err) == (plain.code, plain.out, plain.err) == (0, plain.out, "")
    )
    trace = open_trace(tmp_path / "trace")
    assert (trace.header.problems, trace.ranks[0].num_steps) == ((), 3 * 2 * 3)
