"""Parameters as MLflow, Weights & Biases and others write them, and the configuration that is made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reproof.bundle.parameters import flatten, nest, put_into, read_parameters, read_text
from reproof.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("yaml", reason="bundles need PyYAML: pip install 'reproof[search]'")

WANDB = """
wandb_version: 1
_wandb: {desc: null, value: {python_version: 3.11.0}}
lr: {desc: null, value: 1.0e-05}
training: {desc: null, value: {seed: 7, epochs: 3}}
"""
REST = {"run": {"data": {"params": [{"key": "lr", "value": "1e-05"}], "metrics": [{"key": "loss", "value": 0.25}]}}}
DESCRIBED = {"info": {}, "data": {"params": {"lr": "1e-05", "net": "mlp"}, "metrics": {"loss": 0.25}, "tags": {}}}


@pytest.mark.parametrize(
    ("text", "values", "metrics"),
    [
        (WANDB, {"lr": 1e-5, "training": {"seed": 7, "epochs": 3}}, {}),
        (json.dumps(REST), {"lr": 1e-5}, {"loss": 0.25}),
        (json.dumps(DESCRIBED), {"lr": 1e-5, "net": "mlp"}, {"loss": 0.25}),
        ('{"lr": 1e-05, "training.seed": 7}', {"lr": 1e-5, "training.seed": 7}, {}),
        ("lr: {value: 0.5}\n", {"lr": 0.5}, {}),
    ],
)
def test_each_tool_is_read(text: str, values: dict[str, Any], metrics: dict[str, float], tmp_path: Path) -> None:
    """Names and values are those of the run, whatever the tool has put around them."""
    (tmp_path / "params").write_text(text)
    found = read_parameters(tmp_path / "params")
    assert (found.values, found.metrics) == (values, metrics)


def test_a_file_without_parameters_is_refused(tmp_path: Path) -> None:
    """It is named, as is one that is not there."""
    (tmp_path / "empty.json").write_text('{"info": {}, "data": {"params": {}}}')
    for name in ("empty.json", "nothing.json"):
        with pytest.raises(UsageError, match=name):
            read_parameters(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.1", 0.1), ("1e-05", 1e-5), ("True", True), ("None", None), ("[1, 2]", [1, 2]), ("adam", "adam"), (3, 3)],
)
def test_text_is_the_value_that_it_was_written_from(text: Any, value: Any) -> None:
    """MLflow keeps everything as text."""
    assert read_text(text) == value
    assert type(read_text(text)) is type(value)


def test_parameters_go_to_their_place() -> None:
    """By path, or by a last name that is the only one; an integer where a float was is that float."""
    config = {"training": {"seed": 7, "lr": 0.1}, "model": {"lr_scale": 1}}
    assert put_into(config, {"lr": 1, "model": {"lr_scale": 3}}) == {
        "training": {"seed": 7, "lr": 1.0},
        "model": {"lr_scale": 3},
    }
    with pytest.raises(UsageError, match="no key for the parameter nothing"):
        put_into(config, {"nothing": 1})
    with pytest.raises(UsageError, match="2 keys for the parameter lr"):
        put_into({"a": {"lr": 1}, "b": {"lr": 2}}, {"lr": 3})


def test_names_with_dots_nest_and_flatten() -> None:
    """Both forms are one."""
    assert nest({"a.b": 1, "a.c": 2, "d": 3}) == {"a": {"b": 1, "c": 2}, "d": 3}
    assert flatten({"a": {"b": 1}, "d": 3}) == {"a.b": 1, "b": 1, "d": 3}
    with pytest.raises(UsageError, match="is a value and holds"):
        nest({"a": 1, "a.b": 2})
