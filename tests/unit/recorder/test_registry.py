"""What models, their parts and their parameters are called."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from reproof.recorder.models import is_model
from reproof.recorder.names import KnownNames
from reproof.recorder.patches import Patches
from reproof.recorder.registry import MAX_NUMBERED, Changes, Registry, own_path, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator


class MLP(nn.Module):
    """A model of two layers, one of which is normalised."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.body = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1))


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Return a registry whose hooks are taken out after the test."""
    patches = Patches()
    yield Registry(Changes(patches), KnownNames())
    patches.restore()


def held_names(registry: Registry, module: nn.Module) -> list[str]:
    """Return the names of what a model holds."""
    return [name for name, _, _, _ in registry.holdings(module)]


MLP_NAMES = [
    "MLP.fc1.weight",
    "MLP.fc1.bias",
    "MLP.body.0.weight",
    "MLP.body.0.bias",
    "MLP.body.0.running_mean",
    "MLP.body.0.running_var",
    "MLP.body.0.num_batches_tracked",
    "MLP.body.1.weight",
    "MLP.body.1.bias",
]


class TestNames:
    """Class of the model, then the module's own names."""

    def test_a_model_and_its_parts(self, registry: Registry) -> None:
        """Parameters and buffers in the model's own order; a model is new once."""
        model = MLP()
        assert registry.add_root(model)
        assert not registry.add_root(model)
        assert held_names(registry, model) == MLP_NAMES
        assert [name for name, _ in registry.parameters(model)] == [
            name for name in MLP_NAMES if not name.startswith("MLP.body.0.r") and "num" not in name
        ]
        assert registry.name_of(model.body[1]) == "MLP.body.1"

    def test_models_of_one_class_are_numbered(self, registry: Registry) -> None:
        """From the second on; of very many the last number is shared, because names are kept for ever."""
        models = [nn.Linear(1, 1) for _ in range(MAX_NUMBERED + 2)]
        for model in models:
            registry.add_root(model)
        names = [registry.name_of(model) for model in models]
        assert names[:3] == ["Linear", "Linear#2", "Linear#3"]
        assert names[-3:] == [f"Linear#{MAX_NUMBERED}"] * 3

    def test_a_part_that_is_called_by_itself_keeps_its_name(self, registry: Registry) -> None:
        """It becomes a model of its own, under the name that it had, and takes no number from others of its class."""
        model = MLP()
        registry.add_root(model)
        assert registry.add_root(model.fc1)
        assert registry.name_of(model.fc1) == "MLP.fc1"
        assert held_names(registry, model.fc1) == ["MLP.fc1.weight", "MLP.fc1.bias"]
        other = nn.Linear(1, 1)
        registry.add_root(other)
        assert registry.name_of(other) == "Linear"

    def test_a_part_gained_later(self, registry: Registry) -> None:
        """It is named when it is met, by its place."""
        model = MLP()
        registry.add_root(model)
        model.late = nn.Linear(1, 1)
        assert registry.name_of(model.late) == "MLP.late"

    def test_an_unknown_module_is_a_model(self, registry: Registry) -> None:
        """A module that belongs to none is named as one."""
        assert registry.name_of(nn.Tanh()) == "Tanh"
        assert registry.num_roots == 0, "it is gone already"

    def test_a_shared_parameter_has_one_name(self, registry: Registry) -> None:
        """The one under which it was met first, in this model and in others."""
        model, other = MLP(), MLP()
        model.body[1].weight = model.fc1.weight
        other.fc1.weight = model.fc1.weight
        registry.add_root(model)
        registry.add_root(other)
        assert registry.name_parameter(other.fc1.weight, "MLP#2.fc1.weight") == "MLP.fc1.weight"
        assert "MLP.body.1.weight" not in held_names(registry, model)
        assert registry.knows_parameter(model.fc1.weight)
        assert not registry.knows_parameter(nn.Parameter(torch.ones(1)))

    def test_a_new_parameter_in_the_place_of_one_that_is_gone(self, registry: Registry) -> None:
        """It does not inherit the name, although Python gives it the same id."""
        parameter = nn.Parameter(torch.ones(1))
        registry.name_parameter(parameter, "old")
        gone = weakref.ref(nn.Parameter(torch.ones(1)))
        registry._parameters[id(parameter)] = (gone, "old")
        assert not registry.knows_parameter(parameter)
        assert registry.name_parameter(parameter, "new") == "new"

    def test_models_are_not_kept_alive(self, registry: Registry) -> None:
        """A model that the training drops is gone."""
        model = MLP()
        registry.add_root(model)
        del model
        gc.collect()
        assert (registry.num_roots, registry.roots) == (0, [])


class TestWrapped:
    """What PyTorch wraps around a model is no part of its names."""

    def test_a_compiled_model(self, registry: Registry) -> None:
        """It has the names of the model, also if that is called by itself later."""
        model = MLP()
        compiled = torch.compile(model, backend="eager")
        registry.add_root(compiled)
        assert held_names(registry, compiled) == MLP_NAMES
        assert registry.name_of(compiled) == "MLP"
        assert registry.add_root(model)
        assert registry.name_of(model) == "MLP"
        assert held_names(registry, model) == MLP_NAMES

    def test_a_compiled_part(self, registry: Registry) -> None:
        """It is called by its place."""
        model = MLP()
        body = model.body
        model.body = torch.compile(body, backend="eager")
        registry.add_root(model)
        assert held_names(registry, model) == MLP_NAMES
        assert {registry.name_of(model.body), registry.name_of(body)} == {"MLP.body"}
        assert registry.name_of(body[1]) == "MLP.body.1"
        assert registry.name_parameter(body[1].weight, "?") == "MLP.body.1.weight"

    def test_data_parallelism(self, registry: Registry) -> None:
        """The wrapper is no level of the names; the model within keeps them."""
        model = MLP()
        parallel = nn.DataParallel(model)
        registry.add_root(parallel)
        assert held_names(registry, parallel) == MLP_NAMES
        assert registry.name_of(parallel) == registry.name_of(model) == "MLP"

    def test_distributed_data_parallelism(self, registry: Registry) -> None:
        """So it is with a process group, and with a compiler between the two."""
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        try:
            model = MLP()
            parallel = nn.parallel.DistributedDataParallel(torch.compile(model, backend="eager"))
            assert unwrapped(parallel) is model
            registry.add_root(parallel)
            assert held_names(registry, parallel) == MLP_NAMES
        finally:
            torch.distributed.destroy_process_group()

    def test_a_replica_is_no_model(self) -> None:
        """What `DataParallel` makes on each device is not seen as a model of its own."""
        model = MLP()
        assert is_model(model)
        assert not is_model(model._replicate_for_data_parallel())
        assert not is_model(nn.MSELoss())

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("", ""),
            ("fc", "fc"),
            ("_orig_mod", ""),
            ("_orig_mod.fc.weight", "fc.weight"),
            ("block._orig_mod", "block"),
            ("a._checkpoint_wrapped_module.b._fsdp_wrapped_module.weight", "a.b.weight"),
            ("my_orig_mod.x", "my_orig_mod.x"),
        ],
    )
    def test_parts_of_names(self, path: str, expected: str) -> None:
        """Only whole parts are taken out."""
        assert own_path(path) == expected


class TestVersions:
    """Lists are made anew when what models hold may have changed."""

    def test_what_changes_a_model(self, registry: Registry) -> None:
        """New parameters and parts count, assigned buffers apart from them: some models assign one in each step."""
        model = MLP()
        before = registry.version
        model.fc1.weight = nn.Parameter(torch.ones(4, 3))
        assert registry.version > before
        before = registry.version
        model.late = nn.Tanh()
        assert registry.version > before
        before, buffers = registry.version, registry.buffers_version
        model.body[0].running_mean = torch.ones(4)
        assert (registry.version, registry.buffers_version) == (before, buffers + 1)

    def test_nothing_counts_after_the_recording(self) -> None:
        """The hooks are taken out."""
        patches = Patches()
        registry = Registry(Changes(patches), KnownNames())
        patches.restore()
        before = registry.version
        MLP()
        assert registry.version == before
