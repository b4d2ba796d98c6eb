"""Compare two records of a hand-made batch check, key by key: shapes, targets, labels, sums, whatever was kept.

Such a record does not hold the batches, so that no comparison of two of them can prove that the content is identical:
the sum of a batch is the same in any order of its samples. Within a tolerance they are *equivalent*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.closeness import agree_within, explain_exact, have_same_bits, measure, show_values
from reproof.legacy.records import LegacyValue, read_records
from reproof.schema import Comparison, Difference, Numbers, StageCount, Verdict
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.closeness import Number

    Batch = dict[str, LegacyValue]

DEFAULT_TOLERANCE: Final = 1e-6
"""That of the hand-made check."""

LIMIT: Final = "equal records do not show equal batches: a sum is the same in another order, or with samples swapped"


def compare_legacy(baseline: Path, candidate: Path, *, tolerance: float | None, max_differences: int) -> Comparison:
    """Compare two records of a hand-made check.

    The tolerance is for floats, as in `compare`; None for `DEFAULT_TOLERANCE`. Everything else must be equal. At most
    `max_differences` differing fields are described. Raises TraceError if one of them cannot be read or is not such a
    record.
    """
    tolerance = DEFAULT_TOLERANCE if tolerance is None else tolerance
    batches_a, batches_b = read_records(baseline), read_records(candidate)
    differences: list[Difference] = []
    num_within = num_fields = 0
    for position, (fields_a, fields_b) in enumerate(zip(batches_a, batches_b, strict=False)):
        for name in (name for name in fields_a if name in fields_b):
            num_fields += 1
            found = compare_field(position, name, fields_a[name], fields_b[name])
            if found is None:
                continue
            if agree(fields_a[name], fields_b[name], tolerance):
                num_within += 1
            else:
                differences.append(found)
    structure = explain_structure(batches_a, batches_b)
    return Comparison(
        verdict=judge(differences, structure),
        runs=(str(baseline), str(candidate)),
        num_events=num_fields,
        num_tensors=0,
        num_steps=min(len(batches_a), len(batches_b)),
        counts=(StageCount(stage="batch", compared=num_fields, differing=len(differences)),),
        structure=structure,
        first=differences[0] if differences else None,
        differences=tuple(differences[:max_differences]),
        tolerance=tolerance,
        num_within_tolerance=num_within,
        limits=(LIMIT,),
    )


def judge(differences: list[Difference], structure: tuple[str, ...]) -> Verdict:
    """Give the verdict: never *identical*, since the content was not kept."""
    if differences:
        return "diverged"
    return "inconclusive" if structure else "equivalent"


def explain_structure(a: tuple[Batch, ...], b: tuple[Batch, ...]) -> tuple[str, ...]:
    """Say what one record has and the other lacks."""
    if not a or not b:
        return ("one of the records holds no batch",)
    found: dict[str, None] = {}
    for fields_a, fields_b in zip(a, b, strict=False):
        found |= dict.fromkeys(f"only the baseline has {name}" for name in fields_a if name not in fields_b)
        found |= dict.fromkeys(f"only the candidate has {name}" for name in fields_b if name not in fields_a)
    if not any(name in fields_b for fields_a, fields_b in zip(a, b, strict=False) for name in fields_a):
        found["the two records have no key in common"] = None
    if len(a) != len(b):
        amount = plural(len(a), "batch", "batches")
        found[f"the baseline holds {amount} and the candidate {len(b)}"] = None
    return tuple(found)


def agree(a: LegacyValue, b: LegacyValue, tolerance: float) -> bool:
    """Whether a field of both records has the same form, and numbers that agree within a tolerance."""
    return form(a) == form(b) and agree_within(as_numbers(a, b), tolerance)


def compare_field(position: int, name: str, a: LegacyValue, b: LegacyValue) -> Difference | None:
    """Return how a field of a batch differs, or None if it is the same to the bit."""
    numbers = as_numbers(a, b)
    if form(a) == form(b) and have_same_bits(numbers[0].values, numbers[1].values):
        return None
    measured = measure(*numbers)
    return Difference(
        rank=0,
        step=position,
        stage="batch",
        detail="content",
        name=name,
        baseline=show_values(numbers[0].values),
        candidate=show_values(numbers[1].values),
        explanation=explain_exact(numbers[0].values, numbers[1].values, measured),
        num_differing=None if measured is None else measured.num_differing,
        num_elements=None if measured is None else measured.num_elements,
        max_abs=None if measured is None else measured.max_abs,
        max_ulp=None if measured is None else measured.max_ulp,
    )


def as_numbers(a: LegacyValue, b: LegacyValue) -> tuple[Numbers, Numbers]:
    """Return the values of a field of both records as numbers; what is none stands as it is."""
    flat: tuple[tuple[Number, ...], ...] = (tuple(flatten(a)), tuple(flatten(b)))
    is_float = any(isinstance(x, float) for values in flat for x in values)
    typecode = "d" if is_float else "q"
    return Numbers("exact", typecode, flat[0]), Numbers("exact", typecode, flat[1])


def flatten(value: LegacyValue) -> list[Number]:
    """Return the values of a field in order: a single one, or nested sequences of them."""
    if isinstance(value, tuple):
        return [number for item in value for number in flatten(item)]
    return [value if isinstance(value, int | float | str) else repr(value)]


def form(value: LegacyValue) -> object:
    """Return how values are nested, and what they are unless numbers: no text equals a number, bytes or None."""
    if isinstance(value, tuple):
        return tuple(form(item) for item in value)
    return None if isinstance(value, int | float) else type(value)
