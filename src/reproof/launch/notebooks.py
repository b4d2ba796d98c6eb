"""Run a notebook in a fresh kernel, whose process records itself.

The cells are executed by nbclient, one after the other, as Jupyter's *Restart and run all* does; nothing is written
into the notebook. What a cell prints is printed here once it has ended, results and pictures as their text. The kernel
is ``reproof run -m ipykernel_launcher`` with the options of this run: from there on a cell is what a script is.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wrapt

from reproof.errors import DependencyError, LaunchError
from reproof.launch.cells import read_cells
from reproof.launch.start import start_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KERNEL: Final = ("-m", "ipykernel_launcher", "-f", "{connection_file}")
SHUTDOWN_SECONDS: Final = 3600.0
"""How long a kernel may take to close its trace: it reads what the run has left."""

NEEDED: Final = ("nbclient", "ipykernel")


def require_jupyter() -> None:
    """Check that what executes notebooks is installed.

    Raises:
        DependencyError: If it is not.
    """
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise DependencyError(f"{name} is not installed", "pip install 'reproof[notebook]'")


def run_notebook(path: Path, options: Sequence[str]) -> int:
    """Execute a notebook and return the exit code: 1 if a cell has failed.

    Args:
        path: The notebook.
        options: Those of `reproof run` for its kernel, the folder of the trace among them.

    Raises:
        LaunchError: If it is no notebook, or its kernel cannot be started.
        DependencyError: If Jupyter is not installed.
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
        elif output["output_type"] == "error":
            sys.stderr.write("\n".join(output["traceback"]) + "\n")
        elif "text/plain" in output.get("data", {}):
            sys.stdout.write(str(output["data"]["text/plain"]) + "\n")
    sys.stdout.flush()
    sys.stderr.flush()


class CellWatch:
    """Within the kernel: gives the code of cells its file names, and knows whether the last one has failed.

    Attributes:
        failure: How the last cell failed, in words; None if it did not.
    """

    def __init__(self, notebook: Path) -> None:
        """Begin in the kernel of a notebook.

        Effects: changes the working folder to that of the notebook, and waits for IPython to be imported.
        """
        self.failure: str | None = None
        self._notebook = Path(os.path.abspath(notebook))  # noqa: PTH100  # Path has nothing that keeps links
        wrapt.when_imported("ipykernel.compiler")(self._name_cells)
        wrapt.when_imported("IPython.core.interactiveshell")(self._watch_shells)

    def enter_folder(self) -> None:
        """Go where Jupyter runs a notebook: its own folder."""
        os.chdir(self._notebook.parent)

    def _name_cells(self, module: Any) -> None:
        def get_code_name(_compiler: Any, _raw: str, _code: str, number: int) -> str:
            return f"{self._notebook}[{number}]"

        module.XCachingCompiler.get_code_name = get_code_name

    def _watch_shells(self, module: Any) -> None:
        original: Callable[..., None] = module.InteractiveShell.init_events

        def init_events(shell: Any) -> None:
            original(shell)
            shell.events.register("post_run_cell", self._note_result)

        module.InteractiveShell.init_events = init_events

    def _note_result(self, result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        number = getattr(result, "execution_count", None)
        self.failure = None if error is None else f"cell {number} raised {type(error).__name__}: {error}"
