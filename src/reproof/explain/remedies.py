"""What to write instead of the line that is to blame, for every kind of cause.

Where one line can be written otherwise without knowing the rest of the script, a rule of its kind does so
(`reproof.explain.rewriting`). Otherwise the remedy is an instruction (`reproof.explain.kinds`).

Left out: which line is to blame (`reproof.explain.search`), and what each kind is (`docs/causes/`).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reproof.explain.kinds import KINDS
from reproof.explain.script import SCRIPTLESS, Names
from reproof.explain.syntax import Line

if TYPE_CHECKING:
    from reproof.explain.kinds import KindRow
    from reproof.schema import CauseKind

PAGES: Final = "https://github.com/reproof/reproof/blob/main/docs/causes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What removes a cause.

    Attributes:
        kind: Kind of the cause.
        fix: What to write instead, or what to do.
        reason: Why the line is to blame, in one sentence.
        link: Page about causes of this kind.
    """

    kind: CauseKind
    fix: str
    reason: str
    link: str


def remedy_for(kind: CauseKind, source: str, text: str, names: Names = SCRIPTLESS) -> Remedy:
    """Return the remedy for a cause.

    Args:
        kind: Kind of the cause.
        source: What was called or used, such as ``numpy.random.default_rng``, ``set`` or ``aten::index_put_``.
        text: The user's line, or nothing where no line is known.
        names: What the script calls its seed, and what else can be named on that line.
    """
    row = KINDS[kind]
    line = Line.read(text, names)
    rewritten = () if line is None else (rule(line, source) for rule in row.rules)
    fix = next((fix for fix in rewritten if fix is not None), None)
    return Remedy(
        kind=kind,
        fix=fix or instruct(row, source, "" if line is None else line.code).format(seed=names.seed),
        reason=row.reason.format(source=source),
        link=f"{PAGES}/{kind}.md",
    )


def instruct(row: KindRow, source: str, code: str) -> str:
    """Return what to do about a kind of cause, by what was called, otherwise by what is on the line."""
    by_source = (text for word, text in row.instructions.items() if word in source)
    by_line = (text for word, text in row.instructions.items() if is_on(word, code))
    return next(itertools.chain(by_source, by_line), row.instruction)


def is_on(word: str, code: str) -> bool:
    """Whether a word is on a line: as a whole (``set`` is not in ``offset``) or as a variable's start (``LC_``)."""
    return re.search(rf"\b{re.escape(word)}" + ("" if word.isupper() else r"\b"), code) is not None
