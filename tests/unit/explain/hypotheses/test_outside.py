"""When a file outside of the working folder is to blame; real runs are in `tests/causes`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reproof.explain.hypotheses.outside import FilesOutside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.schema import Difference


def read_files(folder: Path, **files: int) -> None:
    """Write the ledger of a run that opened these files of an earlier run on these lines."""
    entries: list[Any] = []
    for number, (name, line) in enumerate(files.items()):
        place = {"place": number, "key": f"open@a.py:{line}", "kind": "state-on-disk", "source": "open"}
        entries += [{**place, "file": "a.py", "line": line, "function": "f", "through": None}]
        entries += [[[number, f"/elsewhere/{name}"]]]
    (folder / "rank0.entropy").write_text("\n".join(map(json.dumps, entries)))


def test_only_files_that_must_be_hidden_are_to_blame(
    first: Difference, make_inquiry: Callable[..., Any], tmp_path: Path
) -> None:
    """First all are hidden, then one after the other."""
    read_files(tmp_path, log=3, cache=5)
    inquiry = make_inquiry(None, first, None)
    inquiry = replace(inquiry, replica=replace(inquiry.replica, first=first))
    causes = FilesOutside().test(inquiry)
    hidden = [plan.hides for plan in inquiry.laboratory.plans]
    assert hidden == [("/elsewhere/cache", "/elsewhere/log"), ("/elsewhere/cache",), ("/elsewhere/log",)]
    assert [(cause.kind, cause.line, cause.confirmed) for cause in causes] == [("state-on-disk", 3, True)]


def test_nothing_is_hidden_where_replaying_helps(make_inquiry: Callable[..., Any], tmp_path: Path) -> None:
    """The files were there in that run, too."""
    read_files(tmp_path, log=3)
    assert FilesOutside().test(make_inquiry()) == []
