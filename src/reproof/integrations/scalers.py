"""Make a scaler of scikit-learn and tensors of PyTorch from what a bundle holds, without unpickling anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reproof.bundle.records import BEST_WEIGHTS, LAST_WEIGHTS
from reproof.bundle.scalers import KNOWN, check_scaler
from reproof.bundle.weights import TYPES, read_weights
from reproof.errors import BundleError, DependencyError

if TYPE_CHECKING:
    from reproof.bundle.records import Bundle


def load_scaler(bundle: Bundle) -> Any:
    """Return the target scaler of a bundle, fitted; None if it has none.

    Raises DependencyError if scikit-learn is not installed.
    """
    return None if bundle.scaler is None else build_scaler(bundle.scaler)


def build_scaler(description: dict[str, Any]) -> Any:
    """Return the scaler that an exact state describes: the class is from a fixed list, the state is numbers.

    Raises BundleError if it describes none and DependencyError if scikit-learn is not installed.
    """
    try:
        from sklearn import preprocessing
    except ModuleNotFoundError:
        raise DependencyError("scikit-learn is not installed", "pip install 'reproof[search]'") from None
    kind = check_scaler(description)["class"]
    if kind not in KNOWN:
        raise BundleError(f"the scaler is a {kind}", "use one of scikit-learn")
    scaler = getattr(preprocessing, kind)()
    for name, value in description["state"].items():
        setattr(scaler, name, _build(value))
    return scaler


def _build(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float.fromhex(value["float"])
    if "tuple" in value:
        return tuple(_build(item) for item in value["tuple"])
    if "class" in value:
        return build_scaler(value)
    items = [float.fromhex(v) if isinstance(v, str) and value["dtype"][1:2] == "f" else v for v in value["values"]]
    array = np.array(items, dtype=value["dtype"]).reshape(value["shape"])
    return array if value["shape"] else array[()]


def load_weights(bundle: Bundle, which: str = "best") -> dict[str, Any]:
    """Return the weights of a bundle as tensors by name, for `load_state_dict`.

    `which` is ``best`` or ``last``. Raises BundleError if it has none.
    """
    import torch

    if which not in bundle.manifest.weights:
        raise BundleError(f"{bundle.folder} has no {which} weights", "choose from best and last")
    names = {short: name for name, (short, _) in TYPES.items()}
    path = bundle.folder / (BEST_WEIGHTS if which == "best" else LAST_WEIGHTS)
    return {
        name: torch.frombuffer(bytearray(data), dtype=getattr(torch, names[dtype])).reshape(shape)
        if data
        else torch.empty(shape, dtype=getattr(torch, names[dtype]))
        for name, dtype, shape, data in read_weights(path)
    }
