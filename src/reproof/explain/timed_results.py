"""Tell results that the clock has decided from times that are merely shown.

A training that averages, evaluates or prunes for as long as it has time gives other results in each run. With the clock
of another run it gives that run's, as times do. Two things are no times:

- a matrix of floating-point numbers that was saved, by both runs under one name in one step;
- a number that a tensor gave, in a line of the same words and counts in both runs: one that a word of a result labels,
  or with so many digits that it is no time by chance;
- the same of a value, row or line of a file, if all counts in the file are equal: else it is of another moment.

Left out: numbers that Python or NumPy computes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reproof.explain.racy_lines import NUMBER, Given, Roles, form_of
from reproof.outputs.vocabulary import find_result_words
from reproof.schema.output import DIGEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.schema import OutputDifference

MATRIX: Final = re.compile(r"(?:torch\.b?float\d+|float(?:16|32)) \[\d+, \d+")
"""How a saved matrix is shown. NumPy's times are float64."""

NUM_DIGITS: Final = 6
"""A time of so many digits is not by chance one of a thousand numbers that tensors gave."""

KEY: Final = re.compile(r"\['([^']*)'\]$")
"""How a value of a file is called, at the end of its name."""


def find_results(differences: Iterable[OutputDifference], roles: Roles | None) -> tuple[OutputDifference, ...]:
    """Return the differences that are results.

    `roles` is from a run with the clock of the baseline; None if what the numbers of lines are is not known.
    """
    differences = tuple(differences)
    if roles is None:
        return tuple(filter(_is_matrix, differences))
    undated = {_file_of(one) for one in differences if one.kind == "file" and _has_count(one)}
    return tuple(
        one for one in differences if _is_matrix(one) or _is_result(one, roles) or _is_filed(one, roles.given, undated)
    )


def states_result(difference: OutputDifference) -> bool:
    """Whether a run states a result, by a word that labels it, with a number that the other does not have there."""
    swapped = replace(difference, baseline=difference.candidate, candidate=difference.baseline)
    for one in (difference, swapped):
        text, numbers, others = _read_numbers(one)
        equal = {start for (start, number), (_, other) in zip(numbers, others, strict=False) if number == other}
        if find_result_words(text).labelled - equal:
            return True
    return False


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
        role == "result" and first != second and not _is_whole(first)
        for (role, first, second), start in zip(pairs, starts, strict=True)
        if start in labelled or _count_digits(first) >= NUM_DIGITS
    )


def _is_filed(difference: OutputDifference, given: Given, undated: set[str]) -> bool:
    """Whether a value, row or line of a file differs in a number that a tensor gave."""
    if difference.kind != "file" or _file_of(difference) in undated:
        return False
    text, numbers, others = _read_numbers(difference)
    labelled = find_result_words(text).labelled
    return any(
        number != other
        and not _is_whole(number)
        and given.holds(number)
        and (start in labelled or _count_digits(number) >= NUM_DIGITS)
        for (start, number), (_, other) in zip(numbers, others, strict=True)
    )


def _file_of(difference: OutputDifference) -> str:
    """Return the name of the file, or its beginning if there are blanks or brackets in it."""
    return re.split(r"[ \[]", difference.name)[0]


def _has_count(difference: OutputDifference) -> bool:
    """Whether a part of a file differs in more than decimal numbers, or is in one run alone."""
    if difference.baseline is None or difference.candidate is None:
        return True
    texts = [DIGEST.sub("", side) for side in (difference.baseline, difference.candidate)]
    if form_of(texts[0]).words != form_of(texts[1]).words:
        return True
    _, numbers, others = _read_numbers(difference)
    return any(first != second and _is_whole(first) for (_, first), (_, second) in zip(numbers, others, strict=True))


def _read_numbers(difference: OutputDifference) -> tuple[str, list[tuple[int, str]], list[tuple[int, str]]]:
    """Return what the baseline has, after its name, and the numbers of both with where they stand."""
    key = KEY.search(difference.name)
    label = f"{key[1]}: " if key is not None else ""
    texts = [f"{label}{DIGEST.sub('', side or '')}" for side in (difference.baseline, difference.candidate)]
    numbers = [[(match.start(), match.group()) for match in NUMBER.finditer(text)] for text in texts]
    return texts[0], numbers[0], numbers[1]


def _is_whole(number: str) -> bool:
    return number.lstrip("+-").isdecimal()


def _count_digits(number: str) -> int:
    mantissa = re.split("[eE]", number)[0]
    return len(re.sub(r"\D", "", mantissa).lstrip("0"))
