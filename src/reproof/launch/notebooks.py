"""Run a notebook in a fresh kernel, whose process records itself.

The cells are executed by nbclient, one after the other, as Jupyter's *Restart and run all* does; nothing is written
into the notebook. What a cell prints is printed here once it has ended, results and pictures as their text. The kernel
is ``reproof run -m ipykernel_launcher`` with the options of this run: from there on a cell is what a script is.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wrapt

from reproof.errors import DependencyError, LaunchError
from reproof.launch.cells import join_cells, read_cells
from reproof.launch.start import start_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from reproof.entropy.process import Taps

KERNEL: Final = ("-m", "ipykernel_launcher", "-f", "{connection_file}")
SHUTDOWN_SECONDS: Final = 3600.0
"""How long a kernel may take to close its trace: it reads what the run has left."""

CONTROL: Final = "Control"
"""Name of the thread of a kernel that hears of its end."""
CONTROL_SECONDS: Final = 10.0
"""How long that may take to say so."""

NEEDED: Final = ("nbclient", "ipykernel")
ASKING: Final = "StdinNotImplementedError"
"""What `input()` raises in a kernel that nobody answers."""

UNANSWERED: Final = (
    "asks for input, which nobody gives while it is run from top to bottom: set the answer in a cell, or read it from "
    "an environment variable or a file"
)
COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")

TIMED: Final = ("<timed exec>", "<timed eval>")
"""Names that IPython gives the code of ``%time`` and ``%%time``."""


def require_jupyter() -> None:
    """Check that what executes notebooks is installed. Raises DependencyError if it is not."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise DependencyError(f"{name} is not installed", "pip install 'reproof[notebook]'")


def run_notebook(path: Path, options: Sequence[str]) -> int:
    """Execute a notebook and return the exit code: 1 if a cell has failed.

    The options are those of `reproof run` for its kernel, the folder of the trace among them. Raises LaunchError if it
    is no notebook, or its kernel cannot be started; DependencyError if Jupyter is not installed.
    """
    require_jupyter()
    read_cells(path)
    import nbformat
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="reproof-kernel-") as folder:
        start = [*start_command("reproof.cli", replaces_first=True), "run", *options, "--kernel", str(path), *KERNEL]
        manager = AsyncKernelManager(
            connection_file=str(Path(folder) / "kernel.json"),
            ip=str(Path(folder) / "kernel"),
            transport="ipc",  # no port that another program could have
            shutdown_wait_time=SHUTDOWN_SECONDS,
        )
        manager._kernel_spec = KernelSpec(argv=start, display_name="reproof", language="python")  # noqa: SLF001  # no public way to one that is not installed
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=None,
            shutdown_kernel="graceful",
            store_widget_state=False,
            on_cell_executed=lambda cell, **_: show_outputs(cell),
        )
        try:
            client.execute(cleanup_kc=True)
        except CellExecutionError as error:
            return 0 if (error.ename, error.evalue) == ("SystemExit", "0") else 1
        except DeadKernelError:
            print("reproof: the kernel of the notebook died", file=sys.stderr)  # noqa: T201  # nobody else says it
            return 1
        except RuntimeError as error:
            raise LaunchError(f"the kernel of {path} did not start: {error}", "see what it said above") from None
    return 0


def show_outputs(cell: Any) -> None:
    """Print what a cell has put out, as text."""
    for output in cell.get("outputs", ()):
        if output["output_type"] == "stream":
            stream = sys.stderr if output["name"] == "stderr" else sys.stdout
            stream.write(output["text"])
        elif output.get("ename") == ASKING:
            sys.stderr.write(f"reproof: the notebook {UNANSWERED}\n")
        elif output["output_type"] == "error":
            text = "\n".join(output["traceback"]) + "\n"
            sys.stderr.write(text if sys.stderr.isatty() else COLOUR.sub("", text))
        elif "text/plain" in output.get("data", {}):
            sys.stdout.write(str(output["data"]["text/plain"]) + "\n")
    sys.stdout.flush()
    sys.stderr.flush()


def end_control_first(module: Any) -> None:
    """Have a kernel that ends wait for the thread that was told so, before it stops what that thread still writes to.

    Otherwise each may wait for the other for ever (ipykernel 7), and nobody ends such a kernel: its trace may take long
    to close. Effects: replaces `IOPubThread.stop`.
    """
    original = module.IOPubThread.stop

    def stop(output: Any) -> None:
        for thread in threading.enumerate():
            if thread.name == CONTROL and thread is not threading.current_thread():
                thread.stop()  # type: ignore[attr-defined]  # ipykernel's own
                thread.join(CONTROL_SECONDS)
        original(output)

    module.IOPubThread.stop = stop


class CellWatch:
    """Within the kernel: gives the code of cells its file names, and knows whether the last one has failed.

    Attributes:
        failure: How the last cell failed, in words; None if it did not.
        on_start: Called before the first cell.
    """

    def __init__(self, notebook: Path) -> None:
        """Begin in the kernel of a notebook.

        Effects: changes the working folder to that of the notebook, and waits for IPython to be imported.
        """
        self.failure: str | None = None
        self.on_start: Callable[[], None] = lambda: None
        self._notebook = Path(os.path.abspath(notebook))  # noqa: PTH100  # Path has nothing that keeps links
        cells = read_cells(self._notebook)
        self._sources = {cell.number: cell.source for cell in cells}
        self._source = join_cells(cells)[0]
        self._taps: Taps | None = None
        self._name, self._raw, self._num_before = "", "", 0
        wrapt.when_imported("ipykernel.compiler")(self._name_cells)
        wrapt.when_imported("IPython.core.interactiveshell")(self._watch_shells)
        wrapt.when_imported("ipykernel.iostream")(end_control_first)

    def enter(self, taps: Taps | None) -> None:
        """Go where Jupyter runs a notebook, its own folder, and have the generators begin with the first cell.

        A kernel draws from that of `random` before, one number for each time that somebody asks who it is.
        """
        os.chdir(self._notebook.parent)
        self._taps = taps
        if taps is not None:
            self.on_start = taps.generators.begin_anew

    def _name_cells(self, module: Any) -> None:
        """Name the code of cells, that below a magic such as ``%%capture`` or ``%%time`` too, by cell and line."""
        original = module.XCachingCompiler.__call__

        def get_code_name(_compiler: Any, raw: str, _code: str, number: int) -> str:
            self._name, self._raw = f"{self._notebook}[{number}]", raw
            before, found, _ = self._sources.get(number, "").partition(raw.strip())
            self._num_before = before.count("\n") if found else 0
            return self._name

        def compile_code(compiler: Any, source: Any, filename: str, symbol: str, **options: Any) -> Any:
            num_before = self._num_before if filename == self._name else 0
            if filename in TIMED:
                num_before = self._count_before_timed(sys._getframe(1))  # noqa: SLF001
                filename = self._name
            if isinstance(source, ast.AST):
                ast.increment_lineno(source, num_before)
                if self._taps is not None and filename == self._name:
                    source = self._taps.change_cell(source, filename, self._source)
            return original(compiler, source, filename, symbol, **options)

        module.XCachingCompiler.get_code_name = get_code_name
        module.XCachingCompiler.__call__ = compile_code

    def _count_before_timed(self, frame: FrameType | None) -> int:
        """Return how many lines of the cell stand before what is timed: all to ``%%time``, or to that of ``%time``."""
        if self._raw.startswith("%%"):
            return self._num_before + 1
        while frame is not None and frame.f_code.co_filename != self._name:
            frame = frame.f_back
        return self._num_before if frame is None else frame.f_lineno - 1

    def _watch_shells(self, module: Any) -> None:
        original: Callable[..., None] = module.InteractiveShell.init_events

        def init_events(shell: Any) -> None:
            original(shell)
            shell.events.register("pre_run_cell", self._begin_cell)
            shell.events.register("post_run_cell", self._note_result)

        module.InteractiveShell.init_events = init_events

    def _begin_cell(self, _info: Any) -> None:
        self.on_start()
        self.on_start = lambda: None

    def _note_result(self, result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        raised = UNANSWERED if type(error).__name__ == ASKING else f"raised {type(error).__name__}: {error}"
        self.failure = None if error is None else f"cell {getattr(result, 'execution_count', None)} {raised}"
