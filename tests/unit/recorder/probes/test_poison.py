"""Memory that was allocated and never written shows in what is recorded, with the line that allocated it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from reproof.entropy.sites import Site
from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.recorder.probes.poison import Poison, fill_array
from reproof.schema import Probes
from reproof.trace.probes import read_poisoned, read_poisoned_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.schema import PoisonedEvent

HERE = Site("/a/train.py", 7, "f")
SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute in one thread: on a busy machine several would wait for each other most of the time."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture
def poison() -> Poison:
    """Return places of which the third is told."""
    made = Poison()
    for line in (1, 2, 7):
        made.number_of(HERE._replace(line=line))
    return made


class Net(nn.Module):
    """A layer, and something that is done with what it makes."""

    def __init__(self, action: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Build it."""
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.action = action

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is made of the layer's outputs."""
        return self.action(self.layer(x))


def train_poisoned(folder: Path, action: Callable[[torch.Tensor], torch.Tensor]) -> PoisonedEvent | None:
    """Train a step in a poisoned run; return the first event that shows it."""
    recording = Recording(folder / "run", RecordingOptions(probes=Probes(poisons=True)))
    with recording:
        model = Net(action)
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.ones(8, 4)).square().mean().backward()
        optimizer.step()
    assert recording.problems == ()
    return next(iter(read_poisoned(folder / "run", 0)), None)


def marked(comment: str) -> int:
    """Return the line of this file that ends with a comment."""
    return next(i for i, line in enumerate(SOURCE, start=1) if line.endswith(f"  # {comment}"))


@pytest.mark.parametrize("dtype", [*FLOATS, torch.complex64, torch.complex128, torch.int64, torch.int32])
def test_the_place_is_read_from_the_elements(poison: Poison, dtype: torch.dtype) -> None:
    """One element that was left is enough, whatever the type."""
    tensor = torch.zeros(3, 5, dtype=dtype)
    poison.fill(tensor, 3)
    tensor.view(-1)[1:] = 1
    found = poison.find(tensor)
    assert found is not None
    assert found.site == HERE
    assert found.num_poisoned == (2 if dtype.is_complex else 1)


@pytest.mark.parametrize("dtype", FLOATS[:3])
def test_arithmetic_passes_it_on(poison: Poison, dtype: torch.dtype) -> None:
    """What is computed from poison tells the same place, also with the other sign and in a wider type."""
    tensor = torch.empty(64, dtype=dtype)
    poison.fill(tensor, 3)
    for made in (tensor * 2, 1 - tensor, -tensor, tensor.sum(), tensor.double(), tensor.float() + 1):
        if made.element_size() < tensor.element_size():
            continue
        found = poison.find(made)
        assert found is not None
        assert found.site.line == 7


@pytest.mark.parametrize("wider", [torch.float32, torch.float64])
def test_a_conversion_passes_it_on_from_bfloat16(poison: Poison, wider: torch.dtype) -> None:
    """PyTorch's arithmetic in bfloat16 makes a plain NaN of any; what is converted before still tells the place."""
    tensor = torch.empty(64, dtype=torch.bfloat16)
    poison.fill(tensor, 3)
    for made in (tensor, tensor.to(wider) * 2):
        found = poison.find(made)
        assert found is not None
        assert found.site.line == 7


def test_what_only_looks_like_it_is_none(poison: Poison) -> None:
    """Ordinary numbers, NaNs that arithmetic makes, and random integers are not taken for poison."""
    nans = torch.zeros(5) / 0
    for tensor in (nans, -nans, nans.double(), nans.half(), nans.bfloat16(), torch.randn(1000)):
        assert poison.find(tensor) is None
    for kind in (torch.int64, torch.int32, torch.uint8, torch.bool):
        assert poison.find(torch.arange(250).to(kind)) is None
    assert poison.find(torch.empty(0)) is None


def test_small_integers_are_found_in_numbers(poison: Poison) -> None:
    """A pattern in one byte says something only if many hold it, and no place."""
    tensor = torch.zeros(20, dtype=torch.uint8)
    poison.fill(tensor, 3)
    found = poison.find(tensor)
    assert found is not None
    assert (found.site.file, found.num_poisoned) == ("", 20)
    tensor[3:] = 0
    assert poison.find(tensor) is None


def test_a_training_that_writes_all_it_allocates_is_clean(tmp_path: Path) -> None:
    """Layers, backward and optimizer allocate much that is uninitialised at first, and leave none of it."""
    assert train_poisoned(tmp_path, torch.tanh) is None


def leave_a_row(y: torch.Tensor) -> torch.Tensor:
    """Return a buffer of which the last row is never written."""
    out = torch.empty(8, 4)  # buffer
    out[:7] = y[:7]
    return out


def leave_a_resized(y: torch.Tensor) -> torch.Tensor:
    """Return memory that comes from growing a tensor."""
    out = torch.tensor([])
    return out.resize_(8, 4) + y  # resized


def leave_an_array(y: torch.Tensor) -> torch.Tensor:
    """Return something computed from an uninitialised array of numpy."""
    return y + torch.from_numpy(np.empty((8, 4), np.float32))  # array


@pytest.mark.parametrize(
    ("action", "comment", "count"),
    [(leave_a_row, "buffer", 4), (leave_a_resized, "resized", 32), (leave_an_array, "array", 32)],
)
def test_the_first_event_that_shows_it_is_told(tmp_path: Path, action: Any, comment: str, count: int) -> None:
    """Stage, name and step of the event are told, and the line that allocated the memory."""
    found = train_poisoned(tmp_path, action)
    assert found is not None
    assert (found.stage, found.name, found.step) == ("forward", "Net output", 0)
    assert (Path(found.file).name, found.line) == (Path(__file__).name, marked(comment))
    assert (found.num_poisoned, found.num_elements) == (count, 32)


def clean_an_array(y: torch.Tensor) -> torch.Tensor:
    """Return something computed from an uninitialised array, in which no NaN is left."""
    return y + torch.from_numpy(np.nan_to_num(np.empty((8, 4), np.float32)))  # cleaned


def test_a_place_whose_marks_do_not_survive_is_told(tmp_path: Path) -> None:
    """No event shows the memory; its line is among those that allocated some."""
    assert train_poisoned(tmp_path, clean_an_array) is None
    places = [(Path(file).name, line) for file, line in read_poisoned_places(tmp_path / "run", 0)]
    assert (Path(__file__).name, marked("cleaned")) in places


class Windows(Dataset[torch.Tensor]):
    """Samples of which a part is never written."""

    def __len__(self) -> int:
        """Return how many there are."""
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return one."""
        window = torch.empty(4)  # worker
        window[1:] = index
        return window


def test_memory_of_a_worker_is_told(tmp_path: Path) -> None:
    """Workers fill memory too, and the event in which it shows has the worker's line."""
    with Recording(tmp_path / "run", RecordingOptions(probes=Probes(poisons=True))) as recording:
        first = torch.empty(1)  # a place of this process, numbered before theirs
        for batch in DataLoader(Windows(), batch_size=2, num_workers=2, multiprocessing_context="fork"):
            torch.empty(1)
            first.copy_(batch.sum())
    assert recording.problems == ()
    found = next(iter(read_poisoned(tmp_path / "run", 0)), None)
    assert found is not None
    assert (found.stage, found.line, found.num_poisoned) == ("batch", marked("worker"), 2)


def test_processes_number_places_together(tmp_path: Path) -> None:
    """A place has one number in all of them, and each learns those of the others."""
    one, two = (Poison(shared=tmp_path / "places") for _ in range(2))
    sites = [HERE._replace(line=line) for line in (1, 2, 3)]
    assert [one.number_of(sites[0]), two.number_of(sites[1]), one.number_of(sites[1])] == [1, 2, 2]
    assert [two.number_of(sites[2]), two.number_of(sites[0])] == [3, 1]
    one.read_shared()
    assert one.sites == two.sites == [Site("", 0, ""), *sites]


@pytest.mark.parametrize("dtype", ["bool", "uint32", "M8[s]", "f4,i2", "f4"])
def test_arrays_of_all_types_are_filled(dtype: str) -> None:
    """Twice the same, also in Fortran's order; where a mask leaves elements out, those alone."""
    poison = Poison()
    arrays = [np.zeros((3, 2), dtype, order="F") for _ in range(3)]
    for array, unwritten in zip(arrays, (None, None, np.array([[1, 0]] * 3, bool)), strict=True):
        fill_array(poison, array, unwritten)
    assert arrays[0].tobytes() == arrays[1].tobytes() != bytes(arrays[0].nbytes)
    assert arrays[2][:, 0].tobytes() == arrays[0][:, 0].tobytes()
    assert not arrays[2][:, 1].view(np.dtype(dtype)).tobytes().strip(b"\0")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.int16, torch.bool])
def test_memory_of_one_place_is_filled_otherwise(dtype: torch.dtype) -> None:
    """Another value is in it, also after a remainder; that of other places holds the marks."""
    marks, other = Poison(), Poison((HERE.file, HERE.line))
    for line in (HERE.line, HERE.line + 1):
        filled = [torch.zeros(8, dtype=dtype), torch.zeros(8, dtype=dtype)]
        for poison, tensor in zip((marks, other), filled, strict=True):
            poison.fill(tensor, poison.number_of(HERE._replace(line=line)))
        cleaned = [torch.nan_to_num(tensor) if tensor.is_floating_point() else tensor for tensor in filled]
        assert torch.equal(*cleaned) is (line != HERE.line)
        if dtype == torch.int64:
            assert torch.equal(*(tensor % 4 for tensor in filled)) is (line != HERE.line)
        assert dtype == torch.bool or (other.find(filled[1]) is None) is (line == HERE.line)


def test_a_transformed_training_is_looked_at(tmp_path: Path) -> None:
    """Within `torch.func` the data below the transformation counts."""
    model = Net(lambda y: y + torch.empty(8, 4))  # transformed
    recording = Recording(tmp_path / "run", RecordingOptions(probes=Probes(poisons=True)))
    with recording:
        torch.func.vmap(model)(torch.ones(2, 8, 4))
    assert recording.problems == ()
    found = next(iter(read_poisoned(tmp_path / "run", 0)), None)
    assert found is not None
    assert found.line == marked("transformed")


def test_an_operation_that_raises_because_of_it_is_told(tmp_path: Path) -> None:
    """Integers of poison are no indices: the run fails, and the file tells why."""
    recording = Recording(tmp_path / "run", RecordingOptions(probes=Probes(poisons=True)))
    with pytest.raises(IndexError), recording:
        torch.ones(4)[torch.empty(2, dtype=torch.int64)]  # indices
    found = next(iter(read_poisoned(tmp_path / "run", 0)), None)
    assert found is not None
    assert (found.name, found.line, found.num_poisoned) == ("input of aten::index", marked("indices"), 2)


def test_nothing_is_filled_afterwards(tmp_path: Path) -> None:
    """PyTorch and numpy are their own again when the recording is over."""
    empty = np.empty
    train_poisoned(tmp_path, torch.tanh)
    assert np.empty is empty
    assert torch._C._len_torch_dispatch_stack() == 0  # no public getter
