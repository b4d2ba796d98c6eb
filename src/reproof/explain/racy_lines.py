"""Tell what threads print at moments that are chance from results, in the lines of two runs.

A thread that evaluates what it has time for prints other lines in each run, and the program then prints how many they
were. Which numbers of a line are results is learned from a run in which the numbers that tensors gave were noted: by
the words around them. Judged are

- numbers that a tensor gave: they are equal where both runs print the line, whichever else they print;
- decimal numbers that no tensor gave, unless a unit of time follows: they may be computed from results, and both runs
  have to print them.

Not judged are whole numbers that no tensor gave (steps, counts) and times. A line of other words is never explained.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from reproof.outputs.records import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reproof.outputs.records import Line
    from reproof.schema import OutputDifference

Role = Literal["result", "computed", "time", "count"]

JUDGED: Final = frozenset({"result", "computed"})
NUMBER: Final = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.]*\d)")
UNIT: Final = re.compile(r"\s?(?:ns|us|µs|ms|s|secs?|seconds?|min|minutes?|h|hours?)(?![\w/])|\s?\w{1,12}/s(?!\w)")
WORKER: Final = re.compile(rf" line \d+ \((?!{re.escape(ELSEWHERE)}).+\)$")
"""How the name of a line ends that another thread than the main one has printed through Python."""

PER_CENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A line without its numbers.

    Attributes:
        words: What stands around them.
        numbers: The numbers as they are printed.
        has_unit: For each of them, whether a unit of time or a rate follows.
    """

    words: str
    numbers: tuple[str, ...]
    has_unit: tuple[bool, ...]


def form_of(text: str) -> Form:
    """Return a line as words and numbers."""
    found = list(NUMBER.finditer(text))
    return Form(
        words=" ".join(NUMBER.sub("#", text).split()),
        numbers=tuple(match.group() for match in found),
        has_unit=tuple(UNIT.match(text, match.end()) is not None for match in found),
    )


class Given:
    """The numbers that tensors gave in a run, as they may be printed."""

    def __init__(self, numbers: frozenset[int | float]) -> None:
        """Take the numbers."""
        self._numbers = numbers
        self._printed: dict[str, frozenset[str]] = {}

    def holds(self, printed: str) -> bool:
        """Whether a number is printed that a tensor gave, rounded, or in per cent."""
        if printed.lstrip("+-").isdecimal():
            return any(type(number) is int and number == int(printed) for number in self._numbers)
        mantissa, exponent, _ = printed.lower().partition("e")
        code = f".{len(mantissa.partition('.')[2])}{'e' if exponent else 'f'}"
        known = self._printed.get(code)
        if known is None:
            texts = (format(float(n) * scale, code) for n in self._numbers for scale in (1, PER_CENT))
            known = self._printed[code] = frozenset(texts)
        return printed.lower().lstrip("+") in known


class Roles:
    """What the numbers of lines are, by the words around them.

    Attributes:
        given: The numbers that tensors gave.
    """

    def __init__(self, lines: Iterable[Line], given: Given) -> None:
        """Learn from the lines of a run and the numbers that tensors gave in it."""
        self.given = given
        forms: defaultdict[str, list[Form]] = defaultdict(list)
        for line in lines:
            if not line.digest:  # else it is only a beginning
                form = form_of(line.text)
                forms[form.words].append(form)
        self._roles = {words: _find_roles(found, given) for words, found in forms.items()}

    def of(self, form: Form) -> tuple[Role, ...] | None:
        """Return the role of each number of a line; None if no line of these words is known."""
        return self._roles.get(form.words)


def _find_roles(forms: Sequence[Form], given: Given) -> tuple[Role, ...]:
    """Return what the numbers of lines of the same words are."""
    roles: list[Role] = []
    for position in range(len(forms[0].numbers)):
        numbers = [form.numbers[position] for form in forms]
        if all(given.holds(number) for number in numbers):
            roles.append("result")
        elif all(form.has_unit[position] for form in forms):
            roles.append("time")
        elif all(number.lstrip("+-").isdecimal() for number in numbers):
            roles.append("count")
        else:
            roles.append("computed")
    return tuple(roles)


def are_explained(
    differences: Iterable[OutputDifference], baseline: Sequence[Line], candidate: Sequence[Line], roles: Roles
) -> bool:
    """Whether two runs differ only in lines that threads print by chance, and in counts and times.

    The differences are those beyond known noise, the lines all lines of both.
    """
    own = [one for one in differences if one.kind != "line" or WORKER.search(one.name) is None]
    if not all(one.kind == "line" and _is_count(one, roles) for one in own):
        return False
    first, second = (_find_results((line for line in lines if line.worker), roles) for lines in (baseline, candidate))
    if first is None or second is None:
        return False
    alone = first.keys() ^ second.keys()
    return all(first[key] == second[key] for key in first.keys() & second.keys()) and not any(
        key.has_computed for key in alone
    )


def _is_count(difference: OutputDifference, roles: Roles) -> bool:
    """Whether a line of the main thread differs in counts and times alone, or is one that holds nothing else."""
    forms = [form_of(text) for text in (difference.baseline, difference.candidate) if text is not None]
    known = roles.of(forms[0])
    if known is None or any(form.words != forms[0].words for form in forms):
        return False
    if len(forms) == 1:
        return JUDGED.isdisjoint(known)
    pairs = zip(forms[0].numbers, forms[1].numbers, known, strict=True)
    return all(first == second or role not in JUDGED for first, second, role in pairs)


class Place(NamedTuple):
    """By what lines of threads stand for each other: the words, and the counts among them."""

    words: str
    counts: tuple[str, ...]
    has_computed: bool


def _find_results(lines: Iterable[Line], roles: Roles) -> dict[Place, set[tuple[str, ...]]] | None:
    """Return the results that threads printed, by place; None if some cannot be told."""
    results: defaultdict[Place, set[tuple[str, ...]]] = defaultdict(set)
    for line in lines:
        form = form_of(line.text)
        known = roles.of(form)
        if known is None or line.digest:
            return None
        numbered = list(zip(form.numbers, known, strict=True))
        counts = tuple(number for number, role in numbered if role == "count")
        place = Place(form.words, counts, "computed" in known)
        results[place].add(tuple(number for number, role in numbered if role in JUDGED))
    return dict(results)
