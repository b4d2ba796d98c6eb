"""How far apart two sequences of numbers are (bits, units in the last place, a tolerance), and how to say it.

Left out: where the numbers come from (traces, records of the hand-made check).
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from typing import TYPE_CHECKING

from reproof.schema import STATISTICS, Numbers
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

Number = int | float | str
MAX_NAMED = 5
"""How many samples or values are named before the rest is only counted."""


class Measured:
    """How far apart two sequences of numbers are.

    Attributes:
        max_abs: Largest absolute difference; None if a NaN or an infinity takes part, or would be the result.
        max_ulp: Largest distance in units in the last place of their type; None for integers.
    """

    def __init__(self, num_differing: int, num_elements: int, max_abs: float | None, max_ulp: int | None) -> None:
        """Hold the measures."""
        self.num_differing = num_differing
        self.num_elements = num_elements
        self.max_abs = max_abs
        self.max_ulp = max_ulp


def measure(a: Numbers, b: Numbers) -> Measured | None:
    """Measure how far apart two sets of numbers are, or return None if their lengths differ."""
    if len(a.values) != len(b.values):
        return None
    unequal = [(x, y) for x, y in zip(a.values, b.values, strict=True) if not same_bits(x, y)]
    max_abs = max_ulp = None
    finite = [(x, y) for x, y in unequal if not isinstance(x, str) and not isinstance(y, str) and are_finite(x, y)]
    if len(finite) == len(unequal):
        largest = max((abs(x - y) for x, y in finite), default=0)
        max_abs = float(largest) if math.isfinite(largest) else None
        if unequal and a.typecode == b.typecode and a.typecode in INTEGER_OF:
            max_ulp = max(ulp_distance(float(x), float(y), a.typecode) for x, y in finite)
    return Measured(len(unequal), len(a.values), max_abs, max_ulp)


def are_finite(x: float, y: float) -> bool:
    """Whether neither of two numbers is a NaN or an infinity."""
    return math.isfinite(x) and math.isfinite(y)


def same_bits(x: Number, y: Number) -> bool:
    """Whether two numbers are the same bits: 0.0 and -0.0 are not, a NaN and its like are."""
    if isinstance(x, float) and isinstance(y, float):
        return struct.pack("<d", x) == struct.pack("<d", y)
    return type(x) is type(y) and x == y


def have_same_bits(a: Sequence[Number], b: Sequence[Number]) -> bool:
    """Whether two sequences hold the same bits in the same order."""
    return len(a) == len(b) and all(same_bits(x, y) for x, y in zip(a, b, strict=True))


def are_reordered(a: Sequence[Number], b: Sequence[Number]) -> bool:
    """Whether two sequences hold the same bits, in whatever order."""
    return Counter(map(_bits, a)) == Counter(map(_bits, b))


def _bits(x: Number) -> tuple[type, int | str | bytes]:
    """Return what numbers of the same bits, and no others, have in common."""
    return type(x), struct.pack("<d", x) if isinstance(x, float) else x


INTEGER_OF = {"e": "h", "f": "i", "d": "q"}
"""The signed integer of the same width as each float, as `struct` characters."""


def ulp_distance(x: float, y: float, typecode: str) -> int:
    """Return how many steps from one representable number to the next lie between two finite floats.

    The type represents both exactly: ``e``, ``f`` or ``d`` for half, single or double precision. 0 if both are zero.
    """
    return abs(_ordinal(x, typecode) - _ordinal(y, typecode))


def _ordinal(x: float, typecode: str) -> int:
    """Number the floats in increasing order, with both zeros at 0 (IEEE 754: the bits of positives are ordered)."""
    bits: int = struct.unpack(f"<{INTEGER_OF[typecode]}", struct.pack(f"<{typecode}", x))[0]
    sign = 1 << (8 * struct.calcsize(typecode) - 1)
    return bits if bits >= 0 else -(bits + sign)


def explain_order(a: Sequence[Number], b: Sequence[Number]) -> str:
    """Say how the indices of two batches differ."""
    if have_same_bits(a, b):
        return f"the same {plural(len(a), 'sample')}, drawn in another form"
    if are_reordered(a, b):
        return f"the same {plural(len(a), 'sample')} in another order"
    if len(a) != len(b):
        return f"{plural(len(a), 'sample')} drawn against {len(b)}"
    others = sum((Counter(b) - Counter(a)).values())
    return f"{others} of {plural(len(a), 'sample')} {'is another' if others == 1 else 'are others'}"


def explain_samples(a: Sequence[Number], b: Sequence[Number], indices: Sequence[Number]) -> str | None:
    """Say which samples of a batch differ, from a fingerprint of each."""
    if len(a) != len(b):
        return f"{plural(len(a), 'sample')} against {len(b)}"
    rows = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if not rows:
        return None
    if Counter(a) == Counter(b):
        return f"the same {plural(len(a), 'sample')} in another order"
    if len(rows) == len(a) > 1:
        return f"all {len(a)} samples have other content"
    named = [f"{i} (index {indices[i]})" if len(indices) == len(a) else str(i) for i in rows[:MAX_NAMED]]
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    verb = "has" if len(rows) == 1 else "have"
    return f"sample{'' if len(rows) == 1 else 's'} {', '.join(named)}{more} of {len(a)} {verb} other content"


def explain_exact(a: Sequence[Number], b: Sequence[Number], measured: Measured | None) -> str:
    """Say how two sequences of numbers differ."""
    if measured is None:
        return f"{plural(len(a), 'value')} against {len(b)}"
    if measured.num_differing == 0:
        return "the same values in another shape or data type"
    if are_reordered(a, b):
        return f"the same {plural(len(a), 'value')} in another order"
    if measured.num_elements == 1:
        return "its value differs"
    verb = "differs" if measured.num_differing == 1 else "differ"
    return f"{measured.num_differing} of {plural(measured.num_elements, 'value')} {verb}"


def explain_statistics(a: Numbers, b: Numbers) -> str | None:
    """Say which summary statistics differ, if any does."""
    named = zip(STATISTICS, a.values, b.values, strict=False)
    return ", ".join(f"{name} {x!r} against {y!r}" for name, x, y in named if not same_bits(x, y)) or None


def show_values(values: Sequence[Number]) -> str:
    """Show a number, or the first of several; floats with all their digits."""
    if len(values) == 1:
        return repr(values[0])
    shown = ", ".join(repr(v) for v in values[: MAX_NAMED + 3])
    return f"[{shown}{', …' if len(values) > MAX_NAMED + 3 else ''}]"


def agree_within(numbers: tuple[Numbers, Numbers], tolerance: float) -> bool:
    """Whether two sets of numbers agree within a tolerance.

    Floats agree if ``|x - y| <= tolerance * max(1, |x|, |y|)``, two NaN agree, and infinities only with themselves.
    Integers are labels, targets or indices and must be equal.
    """
    a, b = numbers
    if len(a.values) != len(b.values):
        return False
    return all(_close(x, y, tolerance) for x, y in zip(a.values, b.values, strict=True))


def _close(x: Number, y: Number, tolerance: float) -> bool:
    if x == y:
        return True
    if not (isinstance(x, float) and isinstance(y, float)):
        return False
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    if math.isinf(x) or math.isinf(y):
        return False
    return abs(x - y) <= tolerance * max(1.0, abs(x), abs(y))
