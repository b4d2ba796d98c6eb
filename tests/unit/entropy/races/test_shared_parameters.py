"""Optimizers that step on parameters which other processes may hold are noted, others are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reproof.entropy.races.shared_parameters import SOURCE, install


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_step_on_shared_parameters_is_noted_once(*, is_shared: bool) -> None:
    """Whoever moved them there; each step has the parameters of the first."""
    found: list[Any] = []
    hooks: list[Any] = []
    place = SimpleNamespace(note=lambda _: None)
    interceptor: Any = SimpleNamespace(place_of=lambda source, kind, _: (found.append((source, kind)), place)[1])
    module: Any = SimpleNamespace(register_optimizer_step_pre_hook=hooks.append)
    install(interceptor, module)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD((model.share_memory() if is_shared else model).parameters(), lr=0.1)
    for _ in range(2):
        hooks[0](optimizer, (), {})
    assert found == [(SOURCE, "concurrency")] * is_shared
