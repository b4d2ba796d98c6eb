"""Code that IPython compiles within a kernel is known by the cell and the line where it stands."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

import pytest

from reproof.launch.notebooks import CellWatch

if TYPE_CHECKING:
    from pathlib import Path

CELLS = ("%%time\nx = 1\n\ny = 2", "%%capture\n%%time\nx = 1\n\ny = 2", "z = 3\n%time x = 1")


@pytest.mark.parametrize(
    ("number", "raw", "code", "place"),
    [
        (1, CELLS[0], "x = 1\n\ny = 2", ("<timed exec>", 4)),
        (2, "x = 1\n\ny = 2", "x = 1\n\ny = 2", (None, 5)),
        (2, "%%time\nx = 1\n\ny = 2", "x = 1\n\ny = 2", ("<timed exec>", 5)),
        (3, CELLS[2], "z = 3\nget_ipython()", (None, 2)),
    ],
)
def test_code_below_a_magic_has_the_name_and_lines_of_its_cell(  # noqa: PLR0917  # a table
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, raw: str, code: str, place: tuple[str | None, int]
) -> None:
    """IPython itself calls what it times `<timed exec>`, and counts the lines below a magic from 1."""
    compiler = pytest.importorskip("ipykernel.compiler").XCachingCompiler
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    for owner, name in ((compiler, "get_code_name"), (compiler, "__call__"), (shell, "init_events")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    path = tmp_path / "train.ipynb"
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in CELLS]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    CellWatch(path)
    made = compiler()
    name = made.get_code_name(raw, raw, number)
    compiled = made(ast.parse(code), place[0] or name, "exec")
    assert compiled.co_filename == f"{path}[{number}]"
    assert max(at for _, _, at in compiled.co_lines() if at) == place[1]
