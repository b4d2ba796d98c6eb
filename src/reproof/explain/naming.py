"""Turn a suspect into a cause that a person can act on: the line as it stands, the fix, the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.explain.remedies import remedy_for
from reproof.explain.script import SCRIPTLESS, read_names
from reproof.launch.cells import read_code, read_line
from reproof.schema import Cause

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.explain.suspects import Suspect


def name_cause(suspect: Suspect, folder: Path, step: int, evidence: str, *, is_confirmed: bool) -> Cause:
    """Return the cause that a suspect is. A cause without file and line is none that is confirmed."""
    text, names = "", SCRIPTLESS
    if suspect.file is not None and suspect.line is not None:
        path = str(folder / suspect.file)
        text = read_line(path, suspect.line).strip()
        names = read_names(*read_code(path, suspect.line))
    remedy = remedy_for(suspect.kind, suspect.source, text, names, suspect.through)
    return Cause(
        kind=suspect.kind,
        source=suspect.source,
        file=suspect.file,
        line=suspect.line,
        text=text,
        confirmed=is_confirmed and suspect.file is not None and suspect.line is not None,
        step=step,
        evidence=evidence,
        fix=remedy.fix,
        reason=remedy.reason,
        link=remedy.link,
        change=remedy.to_change(suspect.file, suspect.line, text),
    )
