"""What to write instead of the line that is to blame, for every kind of cause.

Where one line can be written otherwise without knowing the rest of the script, a rule of its kind does so
(`reproof.explain.rewriting`). Otherwise the remedy is an instruction (`reproof.explain.kinds`).

Left out: which line is to blame (`reproof.explain.search`), and what each kind is (`docs/causes/`).
"""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from reproof.explain.doors import BEHIND_DOORS, PACKAGES_OF_AGENTS, tell_door
from reproof.explain.kinds import KINDS
from reproof.explain.script import SCRIPTLESS, Names
from reproof.explain.syntax import Line
from reproof.schema import Fix

if TYPE_CHECKING:
    from reproof.explain.kinds import KindRow
    from reproof.schema import CauseKind, FixAction

REMARK: Final = "    # "
"""Between what to write and what is said about it."""

ALIKE: Final = 0.45
"""Share of two lines that they have in common if one is the other with a part replaced."""

PAGES: Final = "https://github.com/reproof/reproof/blob/main/docs/causes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What removes a cause.

    Attributes:
        fix: What to write instead, or what to do.
        reason: Why the line is to blame, in one sentence.
        link: Page about causes of this kind.
        is_by_rule: Whether a rule has written the line otherwise; else the fix is the instruction of its kind.
    """

    kind: CauseKind
    fix: str
    reason: str
    link: str
    is_by_rule: bool = False

    def to_change(self, file: str | None, line: int | None, text: str) -> Fix:
        """Return the fix as a change of the source."""
        code, _, remark = self.fix.partition(REMARK)
        action: FixAction = "insert" if is_python(code) else "advise"
        if self.is_by_rule and is_same_statement(text, code):
            return Fix(action="replace", file=file, line=line, old=text, new=code, remark=remark)
        return Fix(action=action, file=file, line=line, old="", new=code, remark=remark)


def remedy_for(
    kind: CauseKind, source: str, text: str, names: Names = SCRIPTLESS, through: str | None = None
) -> Remedy:
    """Return the remedy for a cause.

    `source` is what was called or used, such as ``set`` or ``aten::index_put_``, `text` the user's line or nothing,
    `names` what the script calls its seed and what else can be named there, `through` the package that called it.
    """
    row = KINDS[kind]
    line = Line.read(text, names)
    rewritten = () if line is None else (rule(line, source) for rule in row.rules)
    fix = next((fix for fix in rewritten if fix is not None), None)
    is_behind = kind in BEHIND_DOORS or (kind == "unseeded-rng" and through in PACKAGES_OF_AGENTS)
    door = tell_door(line, through) if is_behind else None
    return Remedy(
        kind=kind,
        fix=fix or door or instruct(row, source, "" if line is None else line.code).format(seed=names.seed),
        reason=row.reason.format(source=source),
        link=f"{PAGES}/{kind}.md",
        is_by_rule=fix is not None,
    )


def is_python(text: str) -> bool:
    """Whether a text is code, and no sentence."""
    try:
        ast.parse(text if not text.endswith(":") else f"{text} pass")
    except (SyntaxError, ValueError):
        return False
    return True


def is_same_statement(old: str, new: str) -> bool:
    """Whether one line is the other with a part replaced, rather than a line to be written elsewhere."""
    return bool(old) and SequenceMatcher(None, old, new, autojunk=False).ratio() > ALIKE


def instruct(row: KindRow, source: str, code: str) -> str:
    """Return what to do about a kind of cause, by what was called, otherwise by what is on the line."""
    by_source = (text for word, text in row.instructions.items() if word in source)
    by_line = (text for word, text in row.instructions.items() if is_on(word, code))
    return next(itertools.chain(by_source, by_line), row.instruction)


def is_on(word: str, code: str) -> bool:
    """Whether a word is on a line: as a whole (``set`` is not in ``offset``) or as a variable's start (``LC_``)."""
    return re.search(rf"\b{re.escape(word)}" + ("" if word.isupper() else r"\b"), code) is not None
