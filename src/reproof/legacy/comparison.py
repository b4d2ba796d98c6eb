"""Compare two records of the hand-made batch check: shapes, targets, labels, sums and standard deviations.

Such a record does not hold the batches, so that no comparison of two of them can prove that the content is identical:
the sum of a batch is the same in any order of its samples. Within a tolerance they can be called *equivalent*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.closeness import agree_within, count, explain_exact, have_same_bits, measure, show_values
from reproof.legacy.records import LegacyBatch, LegacyValue, legacy_fields, read_legacy
from reproof.schema import Comparison, Difference, Numbers, Skipped, StageCount, Verdict

if TYPE_CHECKING:
    from pathlib import Path

NOT_KEPT = Skipped(what="content of data1 and data2", why="the record keeps only their sum and standard deviation")


def compare_legacy(baseline: Path, candidate: Path, *, tolerance: float | None, max_differences: int) -> Comparison:
    """Compare two records of the hand-made check.

    Args:
        baseline: Pickle of one run.
        candidate: Pickle of the other.
        tolerance: For sums and standard deviations, as in `compare`; None compares bits.
        max_differences: How many differing fields to describe.

    Raises:
        TraceError: If one of them cannot be read or is not such a record.
    """
    batches_a, batches_b = read_legacy(baseline), read_legacy(candidate)
    num_batches = min(len(batches_a), len(batches_b))
    differences: list[Difference] = []
    num_within = num_fields = 0
    for position in range(num_batches):
        fields_a, fields_b = legacy_fields(batches_a[position]), legacy_fields(batches_b[position])
        num_fields += len(fields_a)
        for name in fields_a:
            found = compare_field(position, name, fields_a[name], fields_b[name])
            if found is None:
                continue
            if tolerance is not None and agree(fields_a[name], fields_b[name], tolerance):
                num_within += 1
            else:
                differences.append(found)
    structure = explain_structure(batches_a, batches_b)
    return Comparison(
        verdict=judge(differences, structure, tolerance),
        runs=(str(baseline), str(candidate)),
        num_events=num_fields,
        num_tensors=0,
        num_steps=num_batches,
        counts=(StageCount(stage="batch", compared=num_fields, differing=len(differences)),),
        skipped=(NOT_KEPT,) if tolerance is None else (),
        structure=structure,
        first=differences[0] if differences else None,
        differences=tuple(differences[:max_differences]),
        tolerance=tolerance,
        num_within_tolerance=num_within,
    )


def judge(differences: list[Difference], structure: tuple[str, ...], tolerance: float | None) -> Verdict:
    """Give the verdict: never *identical*, since the content was not kept."""
    if differences:
        return "diverged"
    return "inconclusive" if structure or tolerance is None else "equivalent"


def explain_structure(a: tuple[LegacyBatch, ...], b: tuple[LegacyBatch, ...]) -> tuple[str, ...]:
    """Say what one record has and the other lacks."""
    if not a or not b:
        return ("one of the records holds no batch",)
    if len(a) != len(b):
        return (f"the baseline holds {count(len(a), 'batch').replace('batchs', 'batches')} and the candidate {len(b)}",)
    return ()


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
    """Return the values of a field of both records as numbers."""
    flat = (tuple(flatten(a)), tuple(flatten(b)))
    is_float = any(isinstance(x, float) for values in flat for x in values)
    typecode = "d" if is_float else "q"
    return Numbers("exact", typecode, flat[0]), Numbers("exact", typecode, flat[1])


def flatten(value: LegacyValue) -> list[int | float | str]:
    """Return the values of a field in order: a single one, or nested sequences of them."""
    if isinstance(value, tuple):
        return [number for item in value for number in flatten(item)]
    return [value]


def form(value: LegacyValue) -> object:
    """Return how values are nested, whatever they are."""
    return tuple(form(item) for item in value) if isinstance(value, tuple) else None
