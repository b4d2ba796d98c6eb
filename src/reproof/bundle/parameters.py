"""Parameters of a trial as other tools write them, and a configuration made of them.

Known are the JSON of `mlflow runs describe` and of MLflow's REST interface, whose values are text; the `config.yaml` of
a run of Weights & Biases, whose values are in a `value` of their own; and any plain mapping, in JSON or YAML.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.yaml_format import MAX_YAML_BYTES, parse_yaml
from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_WANDB_KEYS: Final = frozenset({"wandb_version", "_wandb"})
_REMEDY: Final = "give a mapping in JSON or YAML, `mlflow runs describe`, or config.yaml of W&B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What a file tells of a run.

    Attributes:
        values: Parameters, nested as in the file.
        metrics: Numbers that were found with them, by name; empty where the file has none.
    """

    values: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)


def read_parameters(path: Path) -> Parameters:
    """Read parameters from a file.

    Raises BundleError if it is no JSON or YAML of plain values; UsageError if it cannot be read, or holds no
    parameters.
    """
    try:
        if path.stat().st_size > MAX_YAML_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size} bytes", _REMEDY)
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a file with --params") from None
    found = _take_apart(parse_yaml(content, str(path)))  # JSON is YAML
    if not found.values:
        raise UsageError(f"{path} holds no parameters", _REMEDY)
    return found


def _take_apart(value: dict[str, Any]) -> Parameters:
    run = value.get("run") if isinstance(value.get("run"), dict) else value
    data = run.get("data") if isinstance(run, dict) else None
    if isinstance(data, dict) and "params" in data:
        params = {name: read_text(text) for name, text in _pairs(data["params"])}
        numbers = {name: read_text(text) for name, text in _pairs(data.get("metrics") or {})}
        return Parameters(values=params, metrics=_only_numbers(numbers))
    if not _WANDB_KEYS.isdisjoint(value) or (value and all(map(_is_wrapped, value.values()))):
        return Parameters(
            values={name: item["value"] for name, item in value.items() if _is_wrapped(item) and name[:1] != "_"}
        )
    return Parameters(values=value)


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and values: of a mapping, or of MLflow's list of `key` and `value`."""
    if isinstance(value, dict):
        yield from value.items()
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("key"), str):
            yield item["key"], item.get("value")


def _is_wrapped(item: Any) -> bool:
    return isinstance(item, dict) and "value" in item and item.keys() <= {"value", "desc"}


def _only_numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(item) for name, item in values.items() if type(item) in {int, float}}


def read_text(text: Any) -> Any:
    """Return the value that a text was written from by `str`; text that is no number, list or constant stays text."""
    if not isinstance(text, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "true": True, "false": False}.get(text, text)
    return value if isinstance(value, (int, float, bool, list, type(None))) else text


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values by their path with dots, and each also by its last name where no other has it."""
    leaves = dict(_leaves(values, ""))
    names: dict[str, list[Any]] = {}
    for path, value in leaves.items():
        names.setdefault(path.rpartition(".")[2], []).append(value)
    return {**{name: found[0] for name, found in names.items() if len(found) == 1}, **leaves}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for name, item in value.items():
        yield from _leaves(item, f"{path}.{name}" if path else str(name))


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values whose names have dots as nested mappings.

    Raises UsageError if a name is both a value and a mapping.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        *parents, last = name.split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise UsageError(f"the parameter {parent} is a value and holds {name}", "rename one of them")
        place[last] = value
    return found


def put_into(config: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with other values at the keys that parameters name: with their dots, or by a last name.

    A text takes the type of the value whose place it takes. Raises UsageError if the configuration has no such key, or
    several.
    """
    leaves = dict(_leaves(config, ""))
    for name, value in dict(_leaves(params, "")).items():
        paths = [name] if name in leaves else [path for path in leaves if path.rpartition(".")[2] == name]
        if len(paths) != 1:
            what = f"{len(paths)} keys" if paths else "no key"
            raise UsageError(
                f"the configuration has {what} for the parameter {name}", "name it by its whole path, with dots"
            )
        old = leaves[paths[0]]
        leaves[paths[0]] = float(value) if type(old) is float and type(value) is int else value
    return nest(leaves)
