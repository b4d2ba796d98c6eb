"""Tell results that the clock has decided from times that are merely shown.

A training that averages, evaluates or prunes for as long as it has time gives other results in each run. With the clock
of another run it gives that run's, as times do. Two things are no times:

- a matrix of floating-point numbers that was saved, by both runs under one name in one step;
- a number that a tensor gave, in a line of the same words and counts in both runs: one that a word of a result labels,
  or with so many digits that it is no time by chance.

Left out: values in files, which may be written at any moment, and numbers that Python or NumPy computes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reproof.explain.racy_lines import NUMBER, Roles, form_of
from reproof.outputs.vocabulary import find_result_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.schema import OutputDifference

MATRIX: Final = re.compile(r"(?:torch\.b?float\d+|float(?:16|32)) \[\d+, \d+")
"""How a saved matrix is shown. NumPy's times are float64."""

NUM_DIGITS: Final = 6
"""A time of so many digits is not by chance one of a thousand numbers that tensors gave."""


def find_results(differences: Iterable[OutputDifference], roles: Roles | None) -> tuple[OutputDifference, ...]:
    """Return the differences that are results.

    Args:
        differences: Between two runs that differ by their clocks alone.
        roles: What the numbers of lines are, from a run with the clock of the baseline; None if that is not known.
    """
    return tuple(one for one in differences if _is_matrix(one) or (roles is not None and _is_result(one, roles)))


def _is_matrix(difference: OutputDifference) -> bool:
    sides = (difference.baseline, difference.candidate)
    return difference.kind == "saved" and all(side is not None and MATRIX.match(side) for side in sides)


def _is_result(difference: OutputDifference, roles: Roles) -> bool:
    text, other = difference.baseline, difference.candidate
    if difference.kind != "line" or text is None or other is None:
        return False
    forms = form_of(text), form_of(other)
    known = roles.of(forms[0])
    if known is None or forms[0].words != forms[1].words:
        return False
    pairs = list(zip(known, forms[0].numbers, forms[1].numbers, strict=True))
    if any(role == "count" and first != second for role, first, second in pairs):
        return False
    labelled = find_result_words(text).labelled
    starts = [match.start() for match in NUMBER.finditer(text)]
    return any(
        role == "result" and first != second and not first.lstrip("+-").isdecimal()
        for (role, first, second), start in zip(pairs, starts, strict=True)
        if start in labelled or _count_digits(first) >= NUM_DIGITS
    )


def _count_digits(number: str) -> int:
    mantissa = re.split("[eE]", number)[0]
    return len(re.sub(r"\D", "", mantissa).lstrip("0"))
