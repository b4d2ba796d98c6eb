"""Files that a run has appended to: what an earlier run wrote there is not the output of this one.

Of two runs in one folder the second finds what the first has left, so that its log holds both runs. Such a file begins
with everything that the baseline's holds, to the bit, and what follows is as much as the baseline had written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.outputs.records import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reproof.outputs.records import FileOutput, Part

_NUMBER = re.compile(r"\d+(?=\D*$)")


def drop_earlier(baseline: FileOutput, candidate: FileOutput) -> FileOutput:
    """Return the candidate's file without what the baseline had left in it; as it is, if it was not appended to.

    A file may hold several series of parts, such as the tables of a database: each is looked at by itself.
    """
    if not candidate.was_there:
        return candidate
    for is_first_row in (False, True):  # the first row of a table names the columns once, or is appended like any other
        before, after = (_group(file.parts, is_first_row=is_first_row) for file in (baseline, candidate))
        kept = {
            series: _drop_from_series(before.get(series, []), parts, was_there=baseline.was_there)
            for series, parts in after.items()
        }
        if kept != after:
            return replace(candidate, parts=tuple(part for parts in kept.values() for part in parts))
    return candidate


def _drop_from_series(before: Sequence[Part], after: Sequence[Part], *, was_there: bool) -> list[Part]:
    """Return the parts that were appended, under the names that the baseline's own parts have."""
    num_new = len(after) - len(before)
    if before and not num_new and not was_there and _is_doubled(before, after):
        return list(before)
    is_appended = num_new > 0 and [part.digest for part in after[: len(before)]] == [part.digest for part in before]
    if not is_appended or not before or num_new > len(before) or (num_new < len(before) and not was_there):
        return list(after)
    earlier, new = before[: len(before) - num_new], after[len(before) :]
    named = [replace(part, name=own.name) for part, own in zip(new, before[len(earlier) :], strict=True)]
    return [*earlier, *named]


def _is_doubled(before: Sequence[Part], after: Sequence[Part]) -> bool:
    """Whether a line is the baseline's twice: all that the file holds is a line without an end.

    Not the end of it once more: ``0.55`` is another result than ``0.5``.
    """
    if len(before) != 1:
        return False
    first, second = before[0].text.strip(), after[0].text
    return not second.endswith("…") and second.startswith(first) and second.removeprefix(first).strip() == first != ""


def _group(parts: Iterable[Part], *, is_first_row: bool) -> dict[str, list[Part]]:
    """Return the parts by name without the last number: rows of one table, lines of one file."""
    series: defaultdict[str, list[Part]] = defaultdict(list)
    for part in parts:
        series["row " if is_first_row and part.name == COLUMNS else _NUMBER.sub("", part.name)].append(part)
    return series
