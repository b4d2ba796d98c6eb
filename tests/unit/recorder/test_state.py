"""The state of a training at every step: what optimizers see and change, and what no optimizer steps."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest
import torch
from torch import nn

import reproof
from reproof.digest import digest_plain, digest_tensor
from reproof.recorder import holdings
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Seen(NamedTuple):
    """An event of a trace."""

    step: int
    stage: str
    name: str
    digest: bytes
    kinds: frozenset[str]


class History:
    """The events of a recording."""

    def __init__(self, folder: Path) -> None:
        """Read them."""
        trace = open_trace(folder)
        self.problems = trace.header.problems
        self.skipped = [event.skipped for event in trace.ranks[0].events if event.skipped is not None]
        self.events: list[Seen] = []
        for index in range(len(trace.ranks[0])):
            frame, numbers = trace.ranks[0].frame(index), trace.ranks[0].numbers(index)
            for position, event in enumerate(frame.layout.events):
                kinds = frozenset(kind for place, kind in numbers if place == position) - {"rng"}
                self.events.append(Seen(frame.step, event.stage, event.name, frame.digest(position), kinds))

    def steps(self, stage: str, name: str) -> list[int]:
        """Return the steps in which an event happened."""
        return [event.step for event in self.events if (event.stage, event.name) == (stage, name)]

    def digests(self, stage: str, name: str) -> list[bytes]:
        """Return the digests of an event, in order."""
        return [event.digest for event in self.events if (event.stage, event.name) == (stage, name)]

    def names(self, stage: str, step: int = 0) -> list[str]:
        """Return the names of the events of a stage in a step."""
        return [event.name for event in self.events if (event.stage, event.step) == (stage, step)]


class Record(Protocol):
    """Records a training and returns its history, of which nothing must be missing."""

    def __call__(self, train: Callable[[], None], **options: Any) -> History:
        """Record with these options."""


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Return what records a training."""

    def run(train: Callable[[], None], **options: Any) -> History:
        with reproof.record(tmp_path / "run", **options):
            train()
        history = History(tmp_path / "run")
        assert (history.problems, history.skipped) == ((), [])
        return history

    return run


def descend(model: nn.Module, *optimizers: torch.optim.Optimizer, inputs: torch.Tensor | None = None) -> None:
    """Take one step."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    model(torch.ones(2, 3) if inputs is None else inputs).square().mean().backward()
    for optimizer in optimizers:
        optimizer.step()


class TestHyperparameters:
    """Learning rate and the like explain an update."""

    def test_a_change_shows_in_its_step(self, record: Record) -> None:
        """The digest is another from the step on in which the learning rate is another; the rate itself is kept."""
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def train() -> None:
            for rate in (0.1, 0.1, 0.05, 0.1):
                optimizer.param_groups[0]["lr"] = rate
                descend(model, optimizer)

        history = record(train)
        a, b, c, d = history.digests("update", "SGD hyper-parameters")
        assert a == b == d != c
        assert all(event.kinds == {"exact"} for event in history.events if event.name == "SGD hyper-parameters")

    @pytest.mark.parametrize("key", ["momentum", "nesterov", "weight_decay", "maximize"])
    def test_every_one_counts(self, record: Record, key: str) -> None:
        """Whatever the optimizer has in its groups."""
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

        def train() -> None:
            descend(model, optimizer)
            optimizer.param_groups[0][key] = {"momentum": 0.6, "weight_decay": 0.1}.get(key, True)
            descend(model, optimizer)

        first, second = record(train).digests("update", "SGD hyper-parameters")
        assert first != second

    def test_a_rate_that_is_a_tensor_is_read_in_each_step(self, record: Record) -> None:
        """It changes in place and stays the same object."""
        model, rate = nn.Linear(3, 1), torch.tensor(0.1)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, foreach=False)

        def train() -> None:
            for _ in range(3):
                descend(model, optimizer)
                rate.mul_(0.5)

        assert len(set(record(train).digests("update", "Adam hyper-parameters"))) == 3

    def test_optimizers_of_one_class_are_numbered(self, record: Record) -> None:
        """In the order in which they step."""
        model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
        optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in model]
        names = record(lambda: descend(model, *optimizers))
        assert names.steps("update", "SGD hyper-parameters") == [0]
        assert names.steps("update", "SGD#2 hyper-parameters") == [1]


class Experts(nn.ModuleList):
    """A model of which only the parts that are named are used."""

    def __init__(self) -> None:
        """Have two parts."""
        super().__init__([nn.Linear(3, 1), nn.Linear(3, 1)])

    def forward(self, x: torch.Tensor, used: tuple[int, ...]) -> torch.Tensor:
        """Add up what these parts make of the input."""
        return sum((self[i](x) for i in used), torch.zeros(1))


class TestGradients:
    """What the optimizer sees."""

    def test_only_those_that_are_there(self, record: Record) -> None:
        """Parameters without gradient have no event; which ones have may change from step to step and back."""
        model = Experts()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        taken: list[bytes] = []

        def train() -> None:
            for used in ((0,), (0, 1), (1,), (0, 1), (0,)):
                optimizer.zero_grad()
                model(torch.ones(2, 3), used).square().sum().backward()
                taken.extend(digest_tensor(p.grad) for p in model.parameters() if p.grad is not None)
                optimizer.step()

        history = record(train)
        assert history.steps("gradient", "Experts.0.weight") == [0, 1, 3, 4]
        assert history.steps("gradient", "Experts.1.weight") == [1, 2, 3]
        assert [event.digest for event in history.events if event.stage == "gradient"] == taken

    def test_sparse_gradients(self, record: Record) -> None:
        """They are digested as they are, after dense ones in the same place too."""
        model = nn.Embedding(6, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        taken: list[bytes] = []

        def train() -> None:
            for step in range(6):
                model.sparse = step in {2, 3}
                optimizer.zero_grad()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # about checks of sparse tensors
                    model(torch.tensor([step, 5])).sum().backward()
                assert model.weight.grad.is_sparse is model.sparse
                taken.append(digest_tensor(model.weight.grad))
                optimizer.step()

        history = record(train)
        assert history.digests("gradient", "Embedding.weight") == taken
        assert len(set(taken)) == 6

    def test_they_are_those_that_are_stepped_with(self, record: Record) -> None:
        """After clipping."""
        model = nn.Linear(3, 1, bias=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def train() -> None:
            model(torch.ones(2, 3)).sum().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()

        assert record(train).digests("gradient", "Linear.weight") == [digest_tensor(model.weight.grad)]


class Counting(torch.optim.SGD):
    """An optimizer that counts its steps, shrinks the parameters after each, and can fail."""

    def step(self, closure: Any = None) -> Any:
        """Leave the rest to the base class."""
        self.state["count"] = self.state.get("count", 0) + 1
        loss = super().step(closure)
        if self.state["count"] == 2:
            raise ArithmeticError
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data *= 0.9
        return loss


class TestUpdates:
    """What a step has made of parameters and optimizer state."""

    @pytest.mark.parametrize("options", [{}, {"foreach": True}, {"fused": True}], ids=["loop", "foreach", "fused"])
    def test_state_after_each_step(self, record: Record, options: dict[str, bool]) -> None:
        """Parameters and the state of the optimizer have the bits that they hold after the step, and names of both."""
        model = nn.Linear(3, 1, bias=False)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, **options)
        expected: dict[str, list[bytes]] = {"": [], ".step": [], ".exp_avg": [], ".exp_avg_sq": []}

        def train() -> None:
            for _ in range(4):
                descend(model, optimizer)
                held = {"": model.weight, **{f".{key}": value for key, value in optimizer.state[model.weight].items()}}
                for name, value in held.items():
                    expected[name].append(digest_tensor(value))

        history = record(train)
        for name, digests in expected.items():
            assert history.digests("update", f"Linear.weight{name}") == digests
            assert len(set(digests)) == 4

    @pytest.mark.parametrize("change", [lambda w: w * 2, torch.t], ids=["other memory", "other strides"])
    def test_a_parameter_whose_memory_is_replaced(
        self, record: Record, change: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        """What was known of where it lies is not trusted."""
        model = nn.Linear(3, 3, bias=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        expected: list[bytes] = []

        def train() -> None:
            for _ in range(5):
                descend(model, optimizer)
                expected.append(digest_tensor(model.weight))
                model.weight.data = change(model.weight.data)

        assert record(train).digests("update", "Linear.weight") == expected

    def test_parameters_that_join_later(self, record: Record) -> None:
        """A group that is added is recorded from its first step on, and no more among what nobody steps."""
        model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
        optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)

        def train() -> None:
            for step in range(4):
                if step == 2:
                    optimizer.add_param_group({"params": list(model[0].parameters()), "lr": 0.01})
                descend(model, optimizer)

        history = record(train)
        assert history.steps("gradient", "Sequential.0.weight") == [2, 3]
        assert history.steps("update", "Sequential.0.weight") == [0, 1, 2, 3]
        assert len(set(history.digests("update", "Sequential.0.weight"))) == 3

    def test_state_that_is_no_tensor(self, record: Record) -> None:
        """Lists and numbers among the state of LBFGS are evidence like tensors."""
        model = nn.Linear(3, 1)
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

        def close() -> torch.Tensor:
            optimizer.zero_grad()
            loss = (model(torch.eye(3)) - torch.arange(3.0)[:, None]).square().mean()
            loss.backward()
            return loss

        history = record(lambda: [optimizer.step(close) for _ in range(2)] and None)
        names = history.names("update", 1)
        assert {"Linear.weight.n_iter", "Linear.weight.H_diag", "Linear.weight.old_dirs[0]"} <= set(names)

    def test_state_under_other_keys_than_parameters(self, record: Record) -> None:
        """What an optimizer keeps for itself is recorded too."""
        model = nn.Linear(3, 1)
        optimizer = Counting(model.parameters(), lr=0.1)
        history = record(lambda: descend(model, optimizer))
        assert history.digests("update", "Counting state['count']") == [digest_plain(1)]

    @pytest.mark.parametrize("level", ["batches", "steps"])
    def test_a_step_within_a_step_is_no_step_of_its_own(self, record: Record, level: str) -> None:
        """An optimizer may have its base class do a part of the work: the whole counts, also after one failed."""
        model = nn.Linear(3, 1)
        torch.optim.SGD([torch.zeros(1)], lr=0.1)  # from now on, PyTorch's hooks are on the base class too
        optimizer = Counting(model.parameters(), lr=0.1)
        expected: list[bytes] = []

        def train() -> None:
            for step in range(4):
                with pytest.raises(ArithmeticError) if step == 1 else nullcontext():
                    descend(model, optimizer)
                    expected.append(digest_tensor(model.weight))

        history = record(train, level=level)
        assert {event.step for event in history.events if event.stage == "batch"} == {0, 1, 2}
        assert history.digests("update", "Linear.weight") == (expected if level == "steps" else [])


class TestInitialState:
    """What parameters hold before anything is done with them."""

    def test_a_model_at_its_first_call(self, record: Record) -> None:
        """Parameters and buffers, once, at the front of their step."""
        model = nn.BatchNorm1d(3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        expected = [digest_tensor(value) for value in model.state_dict().values()]
        history = record(lambda: [descend(model, optimizer) for _ in range(2)] and None)
        found = [event for event in history.events if event.stage == "init"]
        assert [event.digest for event in found] == expected
        assert history.events[: len(found)] == found

    def test_parameters_without_a_model(self, record: Record) -> None:
        """They are recorded before their first step changes them; more of them when they join."""
        weight, late = (torch.full((2,), value, requires_grad=True) for value in (1.0, 2.0))
        optimizer = torch.optim.Adam([weight], lr=0.1)
        expected = [digest_tensor(weight), digest_tensor(late)]

        def train() -> None:
            for step in range(3):
                if step == 1:
                    optimizer.add_param_group({"params": [late]})
                (weight + late).square().sum().backward()
                optimizer.step()

        history = record(train)
        found = [(event.step, event.name, event.digest) for event in history.events if event.stage == "init"]
        assert found == [(0, "Adam.group0[0]", expected[0]), (1, "Adam.group1[0]", expected[1])]
        assert history.events[0].stage == "init"

    def test_a_lazy_model(self, record: Record) -> None:
        """Its parameters are recorded as its first call makes them, before the step changes them."""
        model = nn.Sequential(nn.LazyLinear(2), nn.Linear(2, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        made: list[bytes] = []

        def train() -> None:
            output = model(torch.ones(2, 3)).square().mean()
            made.append(digest_tensor(model[0].weight))
            output.backward()
            optimizer.step()
            descend(model, optimizer)

        history = record(train)
        assert history.digests("init", "Sequential.0.weight") == made
        assert len(history.names("init")) == 4
        assert history.names("init", 1) == []


class Frozen(nn.Module):
    """A model with a large frozen part, a small one that is trained, and a buffer."""

    def __init__(self) -> None:
        """Freeze the large part."""
        super().__init__()
        self.body = nn.Linear(3, 32).requires_grad_(requires_grad=False)
        self.head = nn.Linear(32, 1)
        self.register_buffer("mean", torch.zeros(1))
        self.mean: torch.Tensor | None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Assign the buffer anew."""
        y = self.head(self.body(x))
        if self.mean is not None:
            self.mean = self.mean + 1
        return y


class TestHoldings:
    """What models hold and no optimizer steps."""

    def test_buffers_and_frozen_parameters(self, record: Record) -> None:
        """They are recorded in each step: a buffer that is assigned anew is another, what is frozen stays."""
        model = Frozen()
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
        history = record(lambda: [descend(model, optimizer) for _ in range(4)] and None)
        expected = [digest_tensor(torch.full((1,), float(step))) for step in (1, 2, 3, 4)]
        assert history.digests("update", "Frozen.mean") == expected
        assert history.steps("update", "Frozen.body.weight") == [0, 1, 2, 3]
        assert len(set(history.digests("update", "Frozen.body.weight"))) == 1

    def test_buffers_come_and_go(self, record: Record) -> None:
        """One that is taken away has no more events, one that is new has them from then on."""
        model = Frozen()
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)

        def train() -> None:
            for step in range(5):
                if step == 1:
                    model.register_buffer("extra", torch.ones(2))
                if step == 2:
                    model.mean = None
                if step == 3:
                    del model.extra
                if step == 4:
                    model.mean = torch.zeros(1)
                descend(model, optimizer)

        history = record(train)
        assert history.steps("update", "Frozen.mean") == [0, 1, 4]
        assert history.steps("update", "Frozen.extra") == [1, 2]

    @pytest.fixture
    def is_large(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Have a few hundred bytes count as a large model."""
        monkeypatch.setattr(holdings, "FROZEN_BYTES", 256)
        monkeypatch.setattr(holdings, "FROZEN_SHARE", 1)
        return

    @pytest.mark.usefixtures("is_large")
    def test_a_large_frozen_part_is_read_now_and_then(self, record: Record) -> None:
        """At every 16th step, which is when a change of it shows; what is trained is read at every step."""
        model = Frozen()
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)

        def train() -> None:
            for step in range(34):
                if step == 5:
                    model.body.weight.data += 1
                descend(model, optimizer)

        history = record(train)
        assert history.steps("update", "Frozen.body.weight") == [0, 16, 32]
        before, after, later = history.digests("update", "Frozen.body.weight")
        assert before != after == later
        assert history.steps("update", "Frozen.head.weight") == list(range(34))

    @pytest.mark.usefixtures("is_large")
    def test_what_is_thawed_is_read_at_every_step(self, record: Record) -> None:
        """From the step on in which an optimizer has it."""
        model = Frozen()
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)

        def train() -> None:
            for step in range(6):
                if step == 3:
                    model.body.requires_grad_()
                    optimizer.add_param_group({"params": model.body.parameters()})
                descend(model, optimizer)

        assert record(train).steps("update", "Frozen.body.weight") == [0, 3, 4, 5]


class TestNumbers:
    """Numbers beside the digests."""

    @pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
    def test_a_loss_of_one_element_is_kept(self, record: Record, shape: tuple[int, ...]) -> None:
        """Whatever its shape."""
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def train() -> None:
            model(torch.ones(1, 3)).reshape(shape).backward()
            optimizer.step()

        assert {event.kinds for event in record(train).events if event.stage == "loss"} == {frozenset({"exact"})}

    def test_statistics_of_the_whole_state(self, record: Record) -> None:
        """Where they are asked for, each event of state has numbers to be compared within a tolerance."""
        model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        history = record(lambda: [descend(model, optimizer) for _ in range(3)] and None, statistics=True)
        assert {event.name for event in history.events if not event.kinds} == set()

    @pytest.mark.parametrize("is_reentrant", [True, False])
    def test_a_recomputation_is_no_call_of_its_own(self, record: Record, is_reentrant: Any) -> None:
        """What autograd computes a second time in the backward pass is not recorded a second time."""
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def train() -> None:
            inputs = torch.ones(2, 3, requires_grad=True)
            output = torch.utils.checkpoint.checkpoint(model, inputs, use_reentrant=is_reentrant)
            output.sum().backward()
            optimizer.step()

        names = [event.name for event in record(train, level="modules").events if event.stage in {"forward", "metric"}]
        assert names.count("Sequential.0 input[0]") == 1
        assert len(set(names)) == len(names)
