"""How precisely float32 products are computed: TF32 in cuDNN and cuBLAS, TF32 and bfloat16 in oneDNN.

PyTorch has two interfaces to the same settings: ``allow_tf32`` and `torch.set_float32_matmul_precision`, and since 2.9
the ``fp32_precision`` of each operator. Found by experiment with PyTorch 2.13:

* What the old one sets, both can read. What the new one sets, the old one often cannot: from then on its *getters*
  raise ``RuntimeError: ... mix of the legacy and new APIs``, also inside `torch.backends.cudnn.flags`.
* The new getters always answer, with the precision that is in effect.

So reading goes through the new interface. Writing goes through the old one as long as its getters answer, through the
new one in a process that has used it already, and not at all where the setting is what was asked for. Neither can put
back the initial "follow `torch.backends.fp32_precision`, else TF32" of cuDNN once it is overwritten: it comes back as
plain TF32, as it does after `torch.backends.cudnn.flags`.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices.
"""

from __future__ import annotations

import warnings
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

MATMUL_PRECISIONS: Final = {"highest": ("ieee", "ieee"), "high": ("tf32", "tf32"), "medium": ("tf32", "bf16")}
"""What each matmul precision means to cuBLAS and to oneDNN."""

_MATMUL_OPERATORS: Final = ("cuda.matmul", "mkldnn.matmul")
_CUDNN_OPERATORS: Final = ("cudnn.conv", "cudnn.rnn")
_REDUCED: Final = ("tf32", "bf16")

_Value = TypeVar("_Value")


def read_matmul_precision() -> str:
    """Return ``highest``, ``high`` or ``medium``, or what cuBLAS and oneDNN do where none of these words fits."""
    in_effect = tuple(_read(operator) for operator in _MATMUL_OPERATORS)
    for word, wanted in MATMUL_PRECISIONS.items():
        if None not in in_effect and all(map(_satisfies, in_effect, wanted)):
            return word
    return _read_legacy_matmul() or f"cuBLAS {in_effect[0]}, oneDNN {in_effect[1]}"


def cudnn_uses_tf32() -> bool:
    """Whether a cuDNN convolution or recurrent layer may compute in TF32."""
    in_effect = [_read(operator) for operator in _CUDNN_OPERATORS]
    return "tf32" in in_effect if None not in in_effect else _read_legacy_cudnn() is not False


def set_matmul_precision(precision: str, undo: ExitStack) -> None:
    """Set the precision of float32 matrix products in cuBLAS and oneDNN.

    Effects: `torch.set_float32_matmul_precision` or the operators' ``fp32_precision``.
    """
    current = _read_legacy_matmul()
    if current not in {None, precision}:
        for operator in _MATMUL_OPERATORS:
            undo.callback(_restore, operator, _read(operator))
        undo.callback(_quietly, partial(torch.set_float32_matmul_precision, current))
        _quietly(partial(torch.set_float32_matmul_precision, precision))
    for operator, wanted in zip(_MATMUL_OPERATORS, MATMUL_PRECISIONS[precision], strict=True):
        _require(operator, wanted, undo)


def set_cudnn_tf32(*, allowed: bool, undo: ExitStack) -> None:
    """Allow or forbid TF32 in cuDNN's convolutions and recurrent layers.

    Effects: `torch.backends.cudnn.allow_tf32` or the operators' ``fp32_precision``.
    """
    current = _read_legacy_cudnn()
    if current not in {None, allowed}:
        undo.callback(_write_legacy_cudnn, current)
        _write_legacy_cudnn(allowed)
    for operator in _CUDNN_OPERATORS:
        _require(operator, "tf32" if allowed else "ieee", undo)


def _require(operator: str, wanted: str, undo: ExitStack) -> None:
    """Set an operator's precision through the new interface, unless it already is what is wanted."""
    in_effect = _read(operator)
    if in_effect is not None and not _satisfies(in_effect, wanted):
        undo.callback(_restore, operator, in_effect)
        _write(operator, wanted)


def _satisfies(in_effect: str | None, wanted: str) -> bool:
    """Whether the precision in effect is the wanted one; ``none`` is full precision, as ``ieee`` is."""
    return in_effect not in _REDUCED if wanted == "ieee" else in_effect == wanted


def _owner(operator: str) -> Any:
    return reduce(getattr, operator.split("."), torch.backends)


def _read(operator: str) -> str | None:
    """Return the precision in effect: ``none``, ``ieee``, ``tf32`` or ``bf16``; None before PyTorch 2.9."""
    try:
        return str(_owner(operator).fp32_precision)
    except AttributeError:
        return None


def _write(operator: str, precision: str) -> None:
    _owner(operator).fp32_precision = precision


def _restore(operator: str, in_effect: str | None) -> None:
    """Put a precision back, as inherited where inheriting gives the same: then it was most likely not set itself."""
    if in_effect is None:
        return
    _write(operator, "none")
    if _read(operator) != in_effect:
        _write(operator, in_effect)


def _read_legacy_matmul() -> str | None:
    """Return the matmul precision as the old interface sees it; None if it cannot answer."""
    try:
        return _quietly(torch.get_float32_matmul_precision)
    except RuntimeError:
        return None


def _read_legacy_cudnn() -> bool | None:
    """Return whether cuDNN may use TF32 as the old interface sees it; None if it cannot answer."""
    try:
        return _quietly(lambda: bool(torch.backends.cudnn.allow_tf32))
    except RuntimeError:
        return None


def _write_legacy_cudnn(allowed: bool | None) -> None:  # noqa: FBT001  (a callback, called by position)
    _quietly(partial(setattr, torch.backends.cudnn, "allow_tf32", allowed))


def _quietly(call: Callable[[], _Value]) -> _Value:
    """Call without the deprecation warning that the old interface gives in PyTorch 2.9 and later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()
