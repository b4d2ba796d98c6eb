"""The state of a target scaler as exact text, instead of a pickle.

Supported are the scalers of scikit-learn whose state is plain numbers, from a list in this module. scikit-learn is not
imported: the state is read from the attributes.
"""

from __future__ import annotations

import math
import reprlib
from typing import Any, Final

from reproof.bundle.numbers import read_float
from reproof.errors import BundleError
from reproof.trace.fields import Fields

KNOWN: Final = frozenset({
    "MaxAbsScaler", "MinMaxScaler", "PowerTransformer", "QuantileTransformer", "RobustScaler", "StandardScaler",
})  # fmt: skip
MAX_VALUES: Final = 5_000_000
RELATIVE: Final = 1e-10
RELATIVE_SINGLE: Final = 1e-6
"""How far values may part by rounding."""

_REMEDY: Final = f"keep one of {', '.join(sorted(KNOWN))} of scikit-learn, or its numbers in the configuration"


def describe_scaler(scaler: Any) -> dict[str, Any]:
    """Return the exact state of a fitted scaler as values of JSON, floats in hexadecimal.

    Raises BundleError if it is not one of the known scalers, or holds anything but numbers.
    """
    kind = type(scaler)
    if kind.__name__ not in KNOWN or kind.__module__.partition(".")[0] != "sklearn":
        raise BundleError(f"the scaler is a {kind.__module__}.{kind.__name__}", _REMEDY)
    state = {name: _describe(value, name) for name, value in sorted(vars(scaler).items()) if is_state(name)}
    return {"class": kind.__name__, "state": state}


def _describe(value: Any, name: str) -> Any:
    if value is None or type(value) in {bool, int, str}:
        return value
    if type(value) is float:
        return {"float": value.hex()}
    if isinstance(value, tuple):
        return {"tuple": [_describe(item, name) for item in value]}
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and hasattr(value, "tolist"):
        return _describe_array(value, name)
    if type(value).__name__ in KNOWN:
        return describe_scaler(value)
    raise BundleError(f"{name} of the scaler is a {type(value).__name__}", _REMEDY)


def _describe_array(array: Any, name: str) -> dict[str, Any]:
    if array.dtype.kind not in "biufUO" or array.size > MAX_VALUES:
        raise BundleError(f"{name} of the scaler is an array of {array.dtype}", _REMEDY)
    values = array.reshape(-1).tolist()
    if array.dtype.kind == "O" and not all(isinstance(value, str) for value in values):  # names of columns are text
        raise BundleError(f"{name} of the scaler is an array of objects", _REMEDY)
    spelled = [value.hex() if isinstance(value, float) else value for value in values]
    dtype = "object" if array.dtype.kind == "O" else array.dtype.str
    return {"dtype": dtype, "shape": list(array.shape), "values": spelled}


def describe_plain_scaler(kind: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return the same for a scaler that was read from a file without building it: `state` has plain values.

    Raises BundleError if it is not one of the known scalers, or holds anything but numbers.
    """
    if kind not in KNOWN:
        raise BundleError(f"the scaler is a {kind}", _REMEDY)
    return {"class": kind, "state": dict(sorted(state.items()))}


def is_state(name: str) -> bool:
    """Whether an attribute is state; the version and the type of container it returns are not."""
    return not name.startswith("_sklearn_")


def check_scaler(value: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a scaler from a bundle if it is one. Raises BundleError if it is not."""
    kind, state = value.get("class"), value.get("state")
    if not isinstance(kind, str) or kind not in KNOWN or not isinstance(state, dict):
        raise BundleError(f"the scaler is {reprlib.repr(kind)}", _REMEDY)
    for name, item in state.items():
        try:
            _check(item)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{name!r:.60} of the scaler is not readable ({error})", _REMEDY) from None
    return value


def _check(value: Any) -> None:
    if value is None or type(value) in {bool, int, str}:
        return
    if not isinstance(value, dict):
        raise ValueError("no known form")  # noqa: TRY004  # one exception for all that is wrong
    if set(value) == {"float"}:
        read_float(value["float"])
    elif set(value) == {"tuple"}:
        for item in Fields(value).take("tuple", list):
            _check(item)
    elif set(value) == {"class", "state"}:
        check_scaler(value)
    elif set(value) == {"dtype", "shape", "values"}:
        _check_array(Fields(value))
    else:
        raise ValueError("no known form")


def _check_array(fields: Fields) -> None:
    shape, values, dtype = fields.take("shape", list), fields.take("values", list), fields.text("dtype")
    if not all(type(size) is int and size >= 0 for size in shape) or math.prod(shape) != len(values):
        raise fields.wrong("shape")
    for item in values:
        if not (type(item) in {bool, int} or isinstance(item, str)):
            raise ValueError(f"{reprlib.repr(item)} is no value of an array")
        if dtype[1:2] == "f":
            read_float(item)


def compare_scalers(first: dict[str, Any], second: dict[str, Any], *, exactly: bool = False) -> str | None:
    """Describe the first value in which two scalers differ by more than rounding; None if there is none.

    Another processor may sum in another order, so rounding is tolerated here; the training's numbers show its effect.
    `exactly` tolerates none: numbers are the same bits, whatever holds them.
    """
    if first["class"] != second["class"]:
        return f"a {first['class']} in the bundle, a {second['class']} here"
    names = sorted(set(first["state"]) | set(second["state"]))
    for name in names:
        if not _agree(first["state"].get(name), second["state"].get(name), exactly=exactly):
            told = (_show(state.get(name)) for state in (first["state"], second["state"]))
            return f"{name} of the {first['class']} is {' in the bundle, '.join(told)} here"
    return None


def _agree(first: Any, second: Any, *, exactly: bool) -> bool:
    if first == second:
        return True
    if isinstance(first, dict) and isinstance(second, dict) and "class" in first and "class" in second:
        return compare_scalers(first, second, exactly=exactly) is None
    one, other = _numbers(first), _numbers(second)
    if one is None or other is None or one[0] != other[0] or len(one[1]) != len(other[1]):
        return False
    tolerance = 0.0 if exactly else max(one[2], other[2])
    return all(_is_close(x, y, tolerance) for x, y in zip(one[1], other[1], strict=True))


def _numbers(value: Any) -> tuple[list[int], list[Any], float] | None:
    """Return shape, values and tolerance of a number or an array; a scalar of numpy is a number."""
    if isinstance(value, (bool, int)):
        return [], [value], 0.0
    if isinstance(value, dict) and "float" in value:
        return [], [value["float"]], RELATIVE
    if isinstance(value, dict) and "values" in value:
        return value["shape"], value["values"], RELATIVE_SINGLE if value["dtype"].endswith(("f4", "f2")) else RELATIVE
    return None


def _is_close(first: Any, second: Any, tolerance: float) -> bool:
    if first == second:
        return True
    if tolerance == 0.0 and type(first) is type(second):
        return False  # hexadecimal texts are bits, so that -0.0 is not 0.0
    try:
        return math.isclose(read_float(first), read_float(second), rel_tol=tolerance, abs_tol=tolerance)
    except ValueError:
        return False


def _show(value: Any) -> str:
    if isinstance(value, dict) and "values" in value:
        numbers = [_show_number(item) for item in value["values"][:4]]
        return f"[{', '.join(numbers)}{', ...' if len(value['values']) > 4 else ''}]"  # noqa: PLR2004  # a few of them
    if isinstance(value, dict) and "float" in value:
        return _show_number(value["float"])
    return "missing" if value is None else str(value)[:60]


def _show_number(item: Any) -> str:
    """Return a number in few digits, or a text such as the name of a column in short."""
    is_number = not isinstance(item, str) or "0x" in item
    try:
        return f"{read_float(item):.9g}" if is_number else item[:60]
    except ValueError:
        return str(item)[:60]
