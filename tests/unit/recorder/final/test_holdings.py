"""The tensors that modules and optimizers hold themselves, wherever in them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from reproof.recorder.final.holdings import has_tensors, list_leaves, list_module, list_optimizer


def test_parameters_buffers_and_attributes_are_listed() -> None:
    """Also in lists and dicts, and arrays; what its parts hold is theirs."""
    module = nn.Sequential(nn.Linear(2, 1))
    module.register_buffer("mean", torch.zeros(2))
    module.stat = torch.ones(1)  # type: ignore[assignment]
    module.history = [torch.ones(1), {"a": np.ones(2)}]  # type: ignore[assignment]
    assert [path for path, _ in list_module(module)] == ["mean", "stat", "history[0]", "history[1]['a']"]


@pytest.mark.parametrize(
    ("module", "expected"),
    [(nn.ReLU(), False), (nn.Dropout(0.1), False), (nn.Linear(1, 1), True), (nn.BatchNorm1d(1), True)],
)
def test_modules_without_tensors_are_told_at_a_glance(module: nn.Module, *, expected: bool) -> None:
    """They come and go by the thousand."""
    assert has_tensors(module) is expected


def test_a_half_made_module_holds_nothing() -> None:
    """Its `__init__` has raised before that of `Module`."""
    assert not has_tensors(nn.Linear.__new__(nn.Linear))


def test_packed_weights_of_a_quantised_module_are_listed() -> None:
    """They are an object of C++, neither parameter nor buffer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 1)), {nn.Linear}, dtype=torch.qint8)
    found = [value for part in model.modules() for _, value in list_module(part)]
    assert any(value.is_quantized for value in found)


def test_constants_of_a_frozen_module_are_listed() -> None:
    """Freezing makes weights constants of the graph."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(nn.Sequential(nn.Linear(2, 2)).eval(), torch.ones(1, 2))
        frozen = torch.jit.freeze(traced)
    assert any(value.shape == (2, 2) for _, value in list_module(frozen))


def test_an_optimizer_lists_parameters_state_and_options() -> None:
    """By the places of the parameters."""
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    found = dict(list_optimizer(optimizer))
    assert list(found) == ["group0 hyper-parameters", "group0[0]", "group0[0].momentum_buffer"]
    assert found["group0 hyper-parameters"]["lr"] == 0.1


def test_long_lists_are_read_to_a_limit() -> None:
    """A replay memory is no state that is worth a second at the end of each run."""
    assert len(list(list_leaves([torch.ones(1)] * 3000, "memory"))) == 1000
