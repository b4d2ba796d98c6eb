"""Each tap has one row, by which it is put in with what it needs."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.registry import Row, install_rows

if TYPE_CHECKING:
    from types import ModuleType

ROOM = Path(__file__).resolve().parents[3] / "src" / "reproof" / "entropy"
WINGS = ("sources", "races", "rewriting", "calls")
SHARED: dict[Any, Any] = {"interceptor": "the interceptor", "generators": "the generators", "workers": "the workers"}


def list_modules(wing: str) -> list[str]:
    """Return the names of the modules of a wing, but for its table."""
    return sorted(path.stem for path in (ROOM / wing).glob("*.py") if path.stem not in {"__init__", "table"})


def test_a_tap_of_what_is_there_is_put_in_at_once_with_what_it_needs() -> None:
    """The function of each row is called in the order of the rows, with what the row names in its order."""
    calls: list[tuple[Any, ...]] = []
    rows = (
        Row(install=lambda *given: calls.append(given)),
        Row(install=lambda *given: calls.append(given), needs=("workers", "generators")),
    )
    install_rows(rows, SHARED)
    assert calls == [("the interceptor",), ("the workers", "the generators")]


def test_a_tap_of_a_module_waits_until_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its function is called once the module is there, and gets it as the last argument."""
    (tmp_path / "module_of_a_registry_test.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    calls: list[tuple[str, ModuleType]] = []
    row = Row(install=lambda *given: calls.append(given), after="module_of_a_registry_test")
    install_rows((row,), SHARED)
    assert calls == []
    module = importlib.import_module("module_of_a_registry_test")
    assert calls == [("the interceptor", module)]
    del sys.modules[module.__name__]


@pytest.mark.parametrize("wing", WINGS)
def test_whatever_can_be_installed_has_a_row(wing: str) -> None:
    """Each module of a wing with a function `install` is named in the table of that wing."""
    named = (ROOM / wing / "table.py").read_text(encoding="utf-8")
    for module in list_modules(wing):
        tree = ast.parse((ROOM / wing / f"{module}.py").read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "install" for node in tree.body):
            assert f"{module}.install" in named, f"no row for {wing}/{module}.py in {wing}/table.py"


@pytest.mark.parametrize("wing", WINGS)
def test_each_file_of_a_wing_is_on_its_map(wing: str) -> None:
    """The docstring of the wing has a line for each of its files, and for no other."""
    docstring = importlib.import_module(f"reproof.entropy.{wing}").__doc__ or ""
    lines = re.findall(r"^- (`.*?`):", docstring, flags=re.MULTILINE)
    named = [name for line in lines for name in re.findall(r"`(\w+)`", line)]
    assert sorted(named) == sorted([*list_modules(wing), "table"])
