"""What the magics of notebooks do; IPython itself is stood in for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

import reproof
from reproof.errors import UsageError
from reproof.integrations.ipython import run_magic
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path


class Shell:
    """Runs cells as IPython does, which shows errors and returns them."""

    def __init__(self) -> None:
        """Begin without magics."""
        self.magics: dict[str, Any] = {}

    def register_magic_function(self, function: Any, kind: str, name: str) -> None:
        """Add a magic."""
        assert kind == "line_cell"
        self.magics[name] = function

    @staticmethod
    def run_cell(cell: str) -> SimpleNamespace:
        """Execute a cell."""
        error = None
        try:
            exec(cell, {"torch": torch})  # noqa: S102  # as IPython does
        except Exception as caught:  # noqa: BLE001  # whatever the cell raises
            error = caught
        return SimpleNamespace(error_before_exec=None, error_in_exec=error)


TRAINING = """
model = torch.nn.Linear(2, 1)
with torch.no_grad():
    model.weight.fill_(1.0), model.bias.fill_(0.0)
model(torch.ones(3, 2)).sum().backward()
"""


def test_a_cell_is_recorded_and_compared(tmp_path: Path) -> None:
    """By the magic that the extension brings; the result shows itself."""
    shell = Shell()
    reproof.load_ipython_extension(shell)
    magic = shell.magics["reproof"]
    for name in "ab":
        assert magic(f"record '{tmp_path / name}'", TRAINING) is None
    found = magic(f"compare '{tmp_path / 'a'}' '{tmp_path / 'b'}'")
    assert found.verdict == "identical"
    assert str(found).startswith("identical: ")
    assert "<b style=" in found._repr_html_()


def test_a_cell_that_fails_leaves_a_trace_that_says_so(tmp_path: Path) -> None:
    """And options are those of `reproof.record`."""
    run_magic(Shell(), f"record --level modules '{tmp_path / 'a'}'", f"{TRAINING}\nraise ValueError(3)")
    header = open_trace(tmp_path / "a").header
    assert (header.status, header.ended, header.level) == ("failed", "the cell raised ValueError: 3", "modules")


@pytest.mark.parametrize(
    ("line", "cell"),
    [("", None), ("record a", None), ("compare a", None), ("compare a b", "x"), ("record", "x"), ("record a b", "x")],
)
def test_anything_else_is_refused(line: str, cell: str | None) -> None:
    """With what there is."""
    with pytest.raises(UsageError, match="write %%reproof record"):
        run_magic(Shell(), line, cell)
    with pytest.raises(UsageError, match="level 'all' is unknown"):
        run_magic(Shell(), "record --level all a", "x")
