"""Record values that a user chose to have compared (logged ones, and those in artifacts) in stage ``metric``.

A person looks at them when two runs differ. So small values are kept as numbers beside their digests, of more kinds
than in evidence that is taken at every step: also whole numbers, and short lists and tensors of floats.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import torch

from reproof import digest as digests
from reproof.digest.tensors import reading
from reproof.recorder.evidence import digest_leaf, is_array, walk

if TYPE_CHECKING:
    from reproof.recorder.evidence import EvidenceRecorder

MAX_FLOATS: Final = 256
"""Up to so many floats in a list, tensor or array are kept as numbers; of more, only the digest."""

NAMED: Final = (torch.dtype, torch.device, torch.layout, torch.memory_format)
"""Types of values that are recorded by their names."""

USUAL: Final = frozenset({bool, int, float, str, torch.Tensor})
"""Types that are leaves and often logged: they need no `walk`."""

_CODES: Final = {"float16": "e", "float32": "f", "float64": "d"}


# Not the public `torch.compiler.disable`: that one imports the compiler at once, which takes as long as PyTorch itself.
@torch._disable_dynamo  # type: ignore[attr-defined]  # noqa: SLF001
def record_metric(evidence: EvidenceRecorder, name: str, value: Any) -> None:
    """Record every leaf of a value in stage ``metric``.

    A leaf's name adds the way to it. What has no known content is a skipped event.
    """
    for path, found in ((name, value),) if type(value) in USUAL else walk(value, name, 0):
        leaf = str(found) if isinstance(found, NAMED) else found
        numbers = small_numbers(leaf)
        if numbers is None:
            evidence.record_tree("metric", path, leaf)
        else:
            taken, num_tensors = digest_leaf(leaf)
            evidence.record_digest("metric", path, taken, num_tensors=num_tensors, values=(("exact", *numbers),))


def small_numbers(leaf: Any) -> tuple[str, bytes] | None:
    """Return the typecode of `struct` and the bits of a value that is small; None for any other.

    Effects: copies a small tensor from its device, as digesting it does.
    """
    if type(leaf) is float:
        return digests.exact_scalar(leaf)
    if type(leaf) is bool:
        return "?", struct.pack("<?", leaf)
    if type(leaf) in {list, tuple} and 1 <= len(leaf) <= MAX_FLOATS and all(type(item) is float for item in leaf):
        return "d", struct.pack(f"<{len(leaf)}d", *leaf)
    if type(leaf) in {int, list, tuple}:
        return digests.exact_numbers(leaf)
    if isinstance(leaf, torch.Tensor) or is_array(leaf):
        return digests.exact_scalar(leaf) or _small_floats(leaf)
    return None


def _small_floats(leaf: Any) -> tuple[str, bytes] | None:
    code = _CODES.get(str(leaf.dtype).removeprefix("torch."))
    try:
        with reading(leaf):
            num_elements = leaf.numel() if isinstance(leaf, torch.Tensor) else leaf.size
            if code is None or not 1 <= num_elements <= MAX_FLOATS:
                return None
            return code, struct.pack(f"<{num_elements}{code}", *leaf.reshape(-1).tolist())
    except (digests.CannotDigestError, struct.error):
        return None  # no data, or not all of it numbers: its digest says why, or covers it
