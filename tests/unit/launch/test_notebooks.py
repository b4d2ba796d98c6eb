"""Code that IPython compiles within a kernel is known by the cell and the line where it stands."""

from __future__ import annotations

import ast
import json
import threading
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.plan import Plan
from reproof.entropy.rewriting.modules import change_cell
from reproof.launch.notebooks import ASKING, CellWatch, end_control_first, show_outputs

if TYPE_CHECKING:
    from pathlib import Path

CELLS = ("%%time\nx = 1\n\ny = 2", "%%capture\n%%time\nx = 1\n\ny = 2", "z = 3\n%time x = 1")


def watch_cells(folder: Path, monkeypatch: pytest.MonkeyPatch, *sources: str) -> CellWatch:
    """Return the watch over a notebook."""
    compiler = pytest.importorskip("ipykernel.compiler").XCachingCompiler
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    for owner, name in ((compiler, "get_code_name"), (compiler, "__call__"), (shell, "init_events")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources or CELLS]
    content = {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    (folder / "train.ipynb").write_text(json.dumps(content))
    return CellWatch(folder / "train.ipynb")


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
    watch_cells(tmp_path, monkeypatch)
    path = tmp_path / "train.ipynb"
    made = pytest.importorskip("ipykernel.compiler").XCachingCompiler()
    name = made.get_code_name(raw, raw, number)
    compiled = made(ast.parse(code), place[0] or name, "exec")
    assert compiled.co_filename == f"{path}[{number}]"
    assert max(at for _, _, at in compiled.co_lines() if at) == place[1]


def test_an_experiment_changes_cells_as_it_changes_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets and calls pass through functions of ours, on their lines; what another cell compiles stays as it is."""
    watch = watch_cells(tmp_path, monkeypatch, "%time x = 1\n\nz = list(names(x))", "torch.jit.script(body)")
    plan = Plan(watches_orders=True, watches_calls=True)
    watch._taps = SimpleNamespace(change_cell=partial(change_cell, plan=plan))  # type: ignore[assignment]
    made = pytest.importorskip("ipykernel.compiler").XCachingCompiler()
    name = made.get_code_name("z", "z", 1)
    changed = made(ast.parse("z = list(names(x))"), name, "exec")
    assert {"__reproof_order__", "__reproof_entered__"} <= set(changed.co_names)
    body = made(ast.parse("def body(x):\n    return x.size(0)"), name, "exec").co_consts[0]
    assert body.co_names == ("size",)


def test_the_program_begins_with_the_first_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only there: what the kernel has done before is no part of it."""
    watch = watch_cells(tmp_path, monkeypatch)
    begun: list[str] = []
    watch.on_start = lambda: begun.append("here")
    events = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell().events
    events.trigger("pre_run_cell", None)
    events.trigger("pre_run_cell", None)
    assert begun == ["here"]


def test_a_cell_that_asks_for_input_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, in place of the way through IPython; so is why the run has failed."""
    watch = watch_cells(tmp_path, monkeypatch)
    error = type(ASKING, (RuntimeError,), {})("raw_input was called")
    watch._note_result(SimpleNamespace(error_before_exec=None, error_in_exec=error, execution_count=2))
    assert str(watch.failure).startswith("cell 2 asks for input")
    show_outputs({"outputs": [{"output_type": "error", "ename": ASKING, "traceback": ["File frames.py", "raw_input"]}]})
    told = capsys.readouterr().err
    assert told.startswith("reproof: the notebook asks for input")
    assert told.count("\n") == 1


def test_an_error_has_its_colours_in_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """IPython gives them always; where a run has ended badly its last lines are shown as text."""
    traceback = ["\x1b[31mNameError\x1b[39;49m: name"]
    show_outputs({"outputs": [{"output_type": "error", "ename": "NameError", "traceback": traceback}]})
    assert capsys.readouterr().err == "NameError: name\n"


def test_a_kernel_that_ends_waits_for_whom_it_has_told() -> None:
    """Its thread still writes to what the kernel then stops; one that has ended is not waited for."""
    done: list[str] = []
    end = threading.Event()

    class Control(threading.Thread):
        def run(self) -> None:
            end.wait()
            done.append("written")

        def stop(self) -> None:
            end.set()

    Control(name="Control").start()
    module: Any = SimpleNamespace(IOPubThread=type("IOPubThread", (), {"stop": lambda _self: done.append("stopped")}))
    end_control_first(module)
    module.IOPubThread().stop()
    module.IOPubThread().stop()
    assert done == ["written", "stopped", "stopped"]
