"""Find dates, clocks and seconds since 1970 in a text that lie within the run, or a day of it.

Left out on purpose: every date beyond that. It is data of the user's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reproof.outputs.surroundings import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.outputs.surroundings import Surroundings

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_MONTH: Final = r"(?P<name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_WEEKDAY: Final = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?[ _]{1,2})?"
_CLOCK: Final = r"[012]?\d:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?(?!\w))?"
_NAMED_CLOCK: Final = r"[012]\d[_h-][0-5]\d[_m-][0-5]\ds?(?:[._-]\d{3,9})?(?![\d])"
"""As names of files have it; without colons a shorter one might be any number."""
_ZONE: Final = r"(?: ?(?:Z|UTC|GMT|CES?T|[ECMP][SD]T|BST|IST|JST|[+-]\d\d:?\d\d)(?!\w))?"
_TIME: Final = rf"(?:(?:,? {{1,2}}(?:at )?|[T_@/-]{{1,2}}){_CLOCK}{_ZONE}|[ T_@/-]{{1,2}}{_NAMED_CLOCK})?"

DATES: Final = (
    re.compile(rf"(?<!\d)(?P<y>20\d\d)(?P<sep>[-/._])(?P<m>[01]\d)(?P=sep)(?P<d>[0-3]\d)(?!\d){_TIME}"),
    re.compile(r"(?<![\d.])(?P<y>20\d\d)(?P<m>[01]\d)(?P<d>[0-3]\d)"
               r"(?:[-_T]?[012]\d[0-5]\d(?:[0-5]\d)?(?:[-_.]\d{3,9})?)?Z?(?![\d]|\.\d)"),
    re.compile(rf"(?<![A-Za-z]){_WEEKDAY}{_MONTH}[ _-]{{0,2}}(?P<d>\d{{1,2}})(?!\d)(?:,?[ _]{{1,2}}(?P<y>20\d\d))?"
               rf"{_TIME}(?:[ _]{{1,2}}(?P<y2>20\d\d)(?!\d))?"),
    re.compile(rf"(?<![A-Za-z\d]){_WEEKDAY}(?P<d>\d{{1,2}})[ _-]{_MONTH}(?:[ _-](?P<y>20\d\d)(?!\d))?{_TIME}"),
    re.compile(rf"(?<![\d/.])(?P<d>\d{{1,2}})(?P<either>[/.-])(?P<m>\d{{1,2}})(?P=either)(?P<y>20\d\d)(?!\d){_TIME}"),
    re.compile(r"(?<!\w)[IWEFD](?P<m>[01]\d)(?P<d>[0-3]\d) \d\d:\d\d:\d\d\.\d{1,9}"),
    re.compile(r"(?<![\d/.])(?P<m>[01]?\d)/(?P<d>[0-3]?\d)(?:/\d\d)?[ T]{1,2}"
               r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: [AP]M)?"),
)  # fmt: skip
"""ISO, compact, ctime and e-mail, day or month first, glog, month and day with a clock."""

MAY_BE_DATE: Final = re.compile(r"20\d\d|\d:\d|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec")
CLOCK: Final = re.compile(
    r"(?:^[\s\[(<]{0,4}|\b(?:at|since|until|started|made|generated|finished|begin|end|now|time)[:=]?\s{1,2}[\[(]?)"
    r"(?P<value>(?P<h>[012]?\d):(?P<min>[0-5]\d):(?P<s>[0-5]\d)(?:[.,]\d{1,9})?(?: ?[AP]M)?)(?![\d:])",
    re.IGNORECASE,
)
"""A time of day at the beginning of a line, or after a word that tells of a moment."""

EPOCH: Final = re.compile(r"(?<![A-Za-z\d])(?<!\d\.)(?P<s>1\d{9})(?:(?:\d{3}){1,3}|\.\d{1,20})?(?![\w.]|\.\d)")
EPOCH_IN_NAME: Final = re.compile(r"(?<!\d)(?P<s>1\d{9})(?:(?:\d{3}){1,3}|[._]\d{1,9}(?!\d))?(?!\d)")
"""Seconds since 1970, or thousandths, millionths and billionths of them."""
JULIAN: Final = re.compile(r"(?<![\w.])(?P<days>2[45]\d{5}\.\d{3,12})(?![\w.])")
"""Days since 4714 BC with a fraction, as databases count them (``julianday('now')`` of SQLite)."""
JULIAN_1970: Final = 2_440_587.5


def find_dates(text: str, surroundings: Surroundings) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each date of the run, with the time of day beside it."""
    if not MAY_BE_DATE.search(text):
        return
    for pattern in DATES:
        for match in pattern.finditer(text):
            if _is_of_run(match.groupdict(), surroundings):
                yield match.span()


def find_clocks(text: str, surroundings: Surroundings) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each time of day that lies within the run."""
    for match in CLOCK.finditer(text) if ":" in text else ():
        hour = int(match["h"])
        hours = {hour, hour % 12, hour % 12 + 12} if match["value"][-1] in "Mm" else {hour}
        if any(surroundings.holds_clock(told, int(match["min"]), int(match["s"])) for told in hours):
            yield match.span("value")


def find_epochs(text: str, surroundings: Surroundings, *, in_name: bool = False) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each number that counts seconds since 1970 and lies within the run or a day of it.

    Of Julian days, the numbers of a moment within the run itself.
    """
    for match in (EPOCH_IN_NAME if in_name else EPOCH).finditer(text):
        if surroundings.holds_time(int(match["s"])):
            yield match.span()
    for match in JULIAN.finditer(text):
        if surroundings.holds_moment((float(match["days"]) - JULIAN_1970) * DAY_SECONDS):
            yield match.span()


def _is_of_run(told: dict[str, str | None], surroundings: Surroundings) -> bool:
    name, number, day = told.get("name"), told.get("m"), int(told.get("d") or 0)
    month = MONTHS.index(name.lower()) + 1 if name else int(number or 0)
    year = told.get("y") or told.get("y2")
    if year is None:
        return (month, day) in surroundings.days
    is_swapped = told.get("either") is not None and surroundings.holds_date(int(year), day, month)
    return is_swapped or surroundings.holds_date(int(year), month, day)
