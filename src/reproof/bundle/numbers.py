"""Write floats as text without losing a bit: beside each decimal number stands its hexadecimal form, which counts.

Python's JSON and YAML round-trip finite floats; other programs that edit a file may not, and JSON has no NaN.
"""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reproof.bundle.records import Metrics


def spell_metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return metrics as ``{target: {metric: {"value": 0.5, "hex": "0x1.0p-1"}}}``."""
    return {
        target: {name: {"value": value, "hex": value.hex()} for name, value in found.items()}
        for target, found in metrics.items()
    }


def spell_hex(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, str]]:
    """Return metrics with each float as hexadecimal text alone."""
    return {target: {name: value.hex() for name, value in found.items()} for target, found in metrics.items()}


def read_float(value: object) -> float:
    """Return a float from its hexadecimal or decimal form. Raises ValueError if it is neither."""
    if isinstance(value, dict) and set(value) == {"value", "hex"}:
        value = value["hex"]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{reprlib.repr(value)} is no number")  # noqa: TRY004  # one exception for all that is wrong
    try:
        return float.fromhex(value) if isinstance(value, str) else float(value)
    except OverflowError:
        raise ValueError(f"{reprlib.repr(value)} is larger than any float") from None
    except ValueError:
        raise ValueError(f"{reprlib.repr(value)} is no number") from None


def read_metrics(value: object) -> Metrics:
    """Return metrics per target from parsed JSON or YAML. Raises ValueError if they are anything else."""
    if not isinstance(value, dict) or not all(isinstance(found, dict) for found in value.values()):
        raise ValueError("metrics are no object of objects")
    return {
        str(target): {str(name): read_float(number) for name, number in found.items()}
        for target, found in value.items()
    }


def read_margins(value: object) -> Metrics:
    """Return margins per target and metric. Raises ValueError if one is not a finite number of 0 or more."""
    margins = read_metrics(value)
    for target, found in margins.items():
        for name, margin in found.items():
            if not (math.isfinite(margin) and margin >= 0):
                raise ValueError(f"the margin of {name!r:.40} of {target!r:.40} is {margin}")
    return margins


def check_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> Metrics:
    """Return the metrics of a training as plain floats, converted from numpy and PyTorch without losing a bit.

    Raises ValueError if it is not a ``{target: {metric: number}}``.
    """
    try:
        found = {
            str(target): {str(name): float(value) for name, value in values.items()}
            for target, values in metrics.items()
        }
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"{metrics!r:.80} is no {{target: {{metric: number}}}}") from None
    if not found:
        raise ValueError("there are no metrics")
    return found
