"""The cells of a notebook are read as they are saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reproof.errors import LaunchError
from reproof.explain.script import read_names
from reproof.launch.cells import describe_disorder, read_cells, read_code, read_line, read_lines
from reproof.schema import split_cell

if TYPE_CHECKING:
    from pathlib import Path


def write_notebook(path: Path, *cells: tuple[str | list[str], int | None], kind: str = "code") -> Path:
    """Write a notebook of cells with code and the numbers under which they were executed."""
    content = [{"cell_type": kind, "source": source, "execution_count": count} for source, count in cells]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": content}), encoding="utf-8")
    return path


def test_cells_have_the_numbers_that_a_fresh_kernel_gives(tmp_path: Path) -> None:
    """One without code is not executed, and a text may be saved as lines."""
    path = write_notebook(tmp_path / "a.ipynb", ("import torch\n", 4), (" \n", None), (["x = 1\n", "y = 2"], None))
    assert [(cell.number, cell.source, cell.saved_count) for cell in read_cells(path)] == [
        (1, "import torch\n", 4),
        (2, "x = 1\ny = 2", None),
    ]
    assert read_line(f"{path}[2]", 2) == "y = 2"
    assert (read_line(f"{path}[2]", 3), read_lines(f"{path}[3]")) == ("", [])
    assert read_cells(write_notebook(tmp_path / "b.ipynb", ("text", None), kind="markdown")) == ()


def test_a_cell_has_the_names_of_those_before_it(tmp_path: Path) -> None:
    """What only IPython understands is none of its Python."""
    path = write_notebook(
        tmp_path / "a.ipynb",
        ("SEED = 3\n!ls\nfiles = !ls *.txt\nx = SEED %2", 1),
        ("%matplotlib inline\nx = 1", 2),
        ("y = 2", 3),
    )
    text, line = read_code(f"{path}[2]", 2)
    assert (text.split("\n")[line - 1], "y = 2" in text) == ("x = 1", False)
    assert read_names(text, line).seed == "SEED"
    (tmp_path / "a.py").write_text("a\nb\n", encoding="utf-8")
    assert read_code(tmp_path / "a.py", 2) == ("a\nb\n", 2)
    assert read_code(tmp_path / "b.ipynb[1]", 2) == ("", 2)


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    """In one line."""
    for text in ("", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}'):
        (tmp_path / "a.ipynb").write_text(text, encoding="utf-8")
        with pytest.raises(LaunchError, match="is not a notebook"):
            read_cells(tmp_path / "a.ipynb")
        assert read_lines(tmp_path / "a.ipynb[1]") == []


def test_any_other_file_is_read_as_it_is(tmp_path: Path) -> None:
    """Brackets in the name of a script mean nothing."""
    (tmp_path / "train[3].py").write_text("a\nb\n", encoding="utf-8")
    assert read_line(tmp_path / "train[3].py", 2) == "b\n"
    assert split_cell("train[3].py") == ("train[3].py", None)
    assert split_cell("a/train.ipynb[12]") == ("a/train.ipynb", 12)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([None, None], None),
        ([1, 2, 3], None),
        ([2, 1, 3], "in another order than they stand in: [2] [1] [3]"),
        ([1, None, 2], "not run when the others were: [1] [] [2]"),
        ([1, 2, 5], "run again, or were changed or removed since: [1] [2] [5]"),
    ],
)
def test_saved_counts_tell_how_cells_were_run(tmp_path: Path, counts: list[int | None], told: str | None) -> None:
    """From the top to the end in a fresh kernel, or not; a notebook without counts tells nothing."""
    path = write_notebook(tmp_path / "a.ipynb", *(("x = 1", count) for count in counts))
    found = describe_disorder(read_cells(path))
    assert found is None if told is None else (found or "").endswith(told)
