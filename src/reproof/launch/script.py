"""Run a training script as Python would, with the recorder waiting for it to import PyTorch.

The script becomes `__main__` of this process: its `sys.argv`, `__file__`, `sys.path[0]`, working folder, output, exit
code and traceback are the same as without reproof. Left out: what is recorded (`reproof.recorder`).
"""

from __future__ import annotations

import atexit
import builtins
import functools
import importlib.machinery
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import types
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wrapt

from reproof.entropy.plan import Plan
from reproof.entropy.programs import LAUNCHERS
from reproof.errors import LaunchError
from reproof.launch.command import MODULE, NOTEBOOK, PROGRAM, interpreter_of, name_command
from reproof.launch.tracebacks import show_exception
from reproof.recorder.children import follow_children
from reproof.recorder.outputs.open_files import flush_files
from reproof.recorder.problems import describe_error
from reproof.recorder.session import is_clean_exit
from reproof.recorder.surroundings import require_torch
from reproof.trace.writer import cannot_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.launch.notebooks import CellWatch
    from reproof.recorder import Recording


EARLIER_HANDLERS: Final = (("logging", "shutdown"), ("multiprocessing.util", "_exit_function"))
"""Modules of Python whose import registers an exit handler, and its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to run.

    Attributes:
        command: As `reproof.launch.command.settle_command` returns it.
        name: Path of a script, dotted name of a module, or a program as the user named it.
        is_module: Whether `name` is a module, as after ``python -m``.
        is_program: Whether `name` is a program, as after ``--``.
    """

    command: tuple[str, ...]
    name: str
    is_module: bool
    is_program: bool
    arguments: tuple[str, ...]

    @property
    def path(self) -> str:
        """The file to run; not for a module."""
        return (shutil.which(self.name) or self.name) if self.is_program else self.name

    @property
    def is_foreign(self) -> bool:
        """Whether it is a program that Python cannot run as a script."""
        return self.is_program and interpreter_of(self.path) is None


def target_of(command: tuple[str, ...]) -> Target:
    """Return what a settled command is about."""
    is_module, is_program = command[0] == MODULE, command[0] == PROGRAM
    name, *arguments = command[1:] if is_module or is_program else command
    return Target(command=command, name=name, is_module=is_module, is_program=is_program, arguments=tuple(arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a script ended.

    Attributes:
        status: ``complete``, ``failed`` or ``interrupted``.
        exit_code: What the script hands to the shell.
        ended: How it ended, in words, if not by itself.
        error: The exception that ended it, or None.
    """

    status: str
    exit_code: int
    ended: str | None = None
    error: BaseException | None = None


def is_notebook(target: Target) -> bool:
    """Whether it is a notebook, which a kernel executes."""
    return not (target.is_module or target.is_program) and target.name.endswith(NOTEBOOK)


def record_target(
    target: Target,
    make_recording: Callable[[], Recording],
    report: Callable[[Recording, Outcome], None],
    plan: Plan | None = None,
    cells: CellWatch | None = None,
) -> Outcome:
    """Run a script under a recording.

    The trace is closed when the process ends, after the script's own threads and exit handlers: they may still train.

    Args:
        target: What to run.
        make_recording: Returns a recording that is not open yet; called once the target is known to start.
        report: Called with the recording and the outcome once the trace is closed.
        plan: What is done with the sources of entropy; None leaves them as they are.
        cells: Watches the cells of a notebook, if this is its kernel.

    Raises LaunchError if there is no such script, module or program, DependencyError without PyTorch, RecordingError if
    the trace cannot be created. Effects: replaces `__main__`, `sys.argv` and `sys.path[0]` of this process.
    """
    require_torch()
    try:
        loaded = prepare_target(target)
    except LaunchError:
        raise
    except BaseException as error:  # noqa: BLE001  # from the code of a package, which is run to find a module in it
        return end_by(error, target)
    recording = make_recording()
    recording.open()
    recording.tap_entropy(plan or Plan())
    children = follow_children(recording)
    is_new = "torch" not in sys.modules
    wrapt.when_imported("torch")(lambda _module: _install(recording, is_new=is_new))
    outcome = Outcome(status="failed", exit_code=1, ended="the run ended in an exit handler")

    def close() -> None:
        if recording.is_open:  # it is not in a forked child that ends like its parent
            recording.close(outcome.status, outcome.ended, outcome.exit_code)
            report(recording, outcome)
        elif children is not None:
            children.close(outcome.status, outcome.ended, outcome.exit_code)

    def end_at_once(status: int) -> None:
        nonlocal outcome
        outcome = outcome_of_status(status, target)
        close()

    def close_last() -> None:
        flush_files()
        close()

    register_last(close_last)
    call_before_exit(end_at_once)
    if cells is not None:
        cells.enter(recording.taps)
    outcome = run_program(target) if loaded is None else execute(recording.recompile(loaded[0]), loaded[1], target)
    if cells is not None:
        outcome = outcome_of_cells(cells, outcome)  # `close` reports it
    return outcome


def outcome_of_cells(cells: CellWatch, outcome: Outcome) -> Outcome:
    """Return how a notebook ended, whose kernel goes on after a cell that failed."""
    if cells.failure is not None and outcome.status == "complete":
        return Outcome(status="failed", exit_code=1, ended=cells.failure)
    return outcome


def register_last(action: Callable[[], None]) -> None:
    """Have something done when the process ends, after the exit handlers of the script and of `EARLIER_HANDLERS`.

    The one that was registered first is called last. We import these modules before the script does; as if it had done
    so itself, they still write what they hold back, or wait for processes, before what is left is looked at. Effects:
    registers the handlers of these modules anew.
    """
    atexit.register(action)
    for module, name in EARLIER_HANDLERS:
        if (handler := getattr(sys.modules.get(module), name, None)) is not None:
            atexit.unregister(handler)
            atexit.register(handler)


def call_before_exit(action: Callable[[int], None]) -> None:
    """Have something done when the script ends its process by `os._exit`, which calls no exit handler.

    The action takes the exit status. Effects: replaces `os._exit` for the life of the process. Forked children have the
    original's effect.
    """
    original, process = os._exit, os.getpid()

    def exit_at_once(status: int) -> None:
        if os.getpid() == process:
            os._exit = original
            action(status)
        original(status)

    os._exit = functools.wraps(original)(exit_at_once)  # type: ignore[assignment]


def outcome_of_status(status: int, target: Target) -> Outcome:
    """Return how a script ended that has called `os._exit`."""
    if status == 0:
        return Outcome(status="complete", exit_code=0)
    name = Path(target.name).name
    return Outcome(status="failed", exit_code=status, ended=f"{name} called os._exit({status})")


def _install(recording: Recording, *, is_new: bool) -> None:
    """Hook PyTorch once it is imported; the script's import must succeed even if that fails."""
    try:
        recording.install(is_new=is_new)
    except Exception as error:  # noqa: BLE001  # anything that an unknown version of PyTorch may cause
        recording.add_problem(f"PyTorch could not be hooked: {type(error).__name__}: {error}")


def prepare_target(target: Target) -> tuple[types.CodeType, types.ModuleType] | None:
    """Return what is executed in this process and its `__main__`; None for a program that Python cannot run.

    Raises LaunchError if there is no such script or module. Effects: as `prepare_path`; of a program, the Python
    programs that it starts are followed from now on.
    """
    if target.is_foreign:
        LAUNCHERS.add(Path(target.path).name)
        return None
    prepare_path(target)
    return load_target(target)


def prepare_path(target: Target) -> None:
    """Set `sys.argv` and `sys.path[0]` as Python does for a script or a module.

    Raises LaunchError if the script is not a file that can be read.
    """
    path = Path(target.path)
    if not target.is_module and path.is_dir():
        raise LaunchError(f"{path} is a folder", "name the script in it")
    if not target.is_module and not path.is_file():
        raise LaunchError(f"no script {path}", "check the path; options of reproof go before the script")
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = str(Path.cwd() if target.is_module else path.resolve().parent)
    sys.argv[:] = [target.path, *target.arguments]


def load_target(target: Target) -> tuple[types.CodeType, types.ModuleType]:
    """Compile a script or find a module, and make the `__main__` it will run in.

    Raises LaunchError if it cannot be read or found.
    """
    return _load_module(target) if target.is_module else _load_script(target)


def _load_script(target: Target) -> tuple[types.CodeType, types.ModuleType]:
    path = absolute_path(target.path)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        raise LaunchError(f"cannot read {target.name}: {error.strerror}", "check the path") from None
    module = make_main(path, cached=None)
    module.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    try:
        return compile(source, path, "exec", dont_inherit=True), module
    except (SyntaxError, ValueError) as error:  # null bytes are a ValueError in older versions of Python
        if zipfile.is_zipfile(path):
            remedy = f"unpack it, `python -m zipfile -e {target.name} FOLDER`, and name FOLDER/__main__.py"
            raise LaunchError(f"{target.name} is a zip archive, whose code is not recorded", remedy) from None
        line = getattr(error, "lineno", None)
        where = target.name if line is None else f"{target.name}:{line}"
        raise LaunchError(f"{where} is not Python: {getattr(error, 'msg', error)}", "mend the script") from None


def _load_module(target: Target) -> tuple[types.CodeType, types.ModuleType]:
    if target.name.startswith(".") or target.name.endswith(".py"):
        raise LaunchError(f"{target.name} is not the name of a module", "name it as after `import`, or leave out -m")
    try:
        spec = importlib.util.find_spec(target.name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{target.name}.__main__")
    except ModuleNotFoundError as error:
        if not f"{target.name}.__main__.".startswith(f"{error.name}."):
            raise  # the module exists, but an import of its own failed
        spec = None
    except ValueError as error:
        raise LaunchError(f"cannot find module {target.name}: {error}", "check its name and the folder") from None
    code = None if spec is None else getattr(spec.loader, "get_code", lambda _name: None)(spec.name)
    if spec is None or code is None:
        raise LaunchError(f"no module {target.name} to run", "check its name and the folder")
    module = make_main(spec.origin, cached=spec.cached)
    module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
    sys.argv[0] = str(spec.origin)
    return code, module


def run_program(target: Target) -> Outcome:
    """Start a program and wait for it; a signal that ends this process ends it, too."""
    try:
        process = subprocess.Popen(  # noqa: S603  # the user's own program
            [target.name, *target.arguments], executable=target.path
        )
    except OSError as error:
        return Outcome(status="failed", exit_code=1, ended=f"{target.name} could not be started: {error.strerror}")
    previous = signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
    try:
        status = process.wait()
    except KeyboardInterrupt as error:
        process.send_signal(signal.SIGINT)
        process.wait()
        return Outcome(
            status="interrupted", exit_code=128 + signal.SIGINT, ended="the run was interrupted", error=error
        )
    finally:
        signal.signal(signal.SIGTERM, previous)
    if status == 0:
        return Outcome(status="complete", exit_code=0)
    how = f"was ended by signal {-status}" if status < 0 else f"exited with {status}"
    code = 128 - status if status < 0 else status
    return Outcome(status="failed", exit_code=code, ended=f"{target.name} {how}")


def absolute_path(name: str) -> str:
    """Return the path of a script as Python puts it into `__file__`: absolute, and otherwise as it was named."""
    return name if Path(name).is_absolute() else f"{Path.cwd()}{os.sep}{name}"


def make_main(path: str | None, *, cached: str | None) -> types.ModuleType:
    """Return an empty `__main__` with the names that Python gives it."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=builtins, __cached__=cached)
    if "__annotations__" in vars(sys.modules["__main__"]):  # whether Python makes it depends on its version
        module.__annotations__ = {}
    return module


def execute(code: types.CodeType, module: types.ModuleType, target: Target) -> Outcome:
    """Run the code as `__main__` and tell how it ended; an exception is shown as Python shows it."""
    sys.modules["__main__"] = module
    if "__mp_main__" in sys.modules:  # set by `multiprocessing`, which reproof imported; __main__ is now the script's
        sys.modules["__mp_main__"] = module
    try:
        exec(code, module.__dict__)  # noqa: S102  # running the user's script is the purpose
    except BaseException as error:  # noqa: BLE001  # whatever a script may raise
        caught = error
    else:
        return Outcome(status="complete", exit_code=0)
    return end_by(caught, target)  # outside of `except`, so that the script's own hook sees no exception being handled


def end_by(error: BaseException, target: Target) -> Outcome:
    """Do what Python does at the end of a script by an exception, and tell how it ended."""
    if isinstance(error, SystemExit):
        return _end_by_exit(error)
    show_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return Outcome(
            status="interrupted", exit_code=128 + signal.SIGINT, ended="the run was interrupted", error=error
        )
    ended = f"{Path(target.name).name} raised {describe_error(error)}"
    return Outcome(status="failed", exit_code=1, ended=ended, error=error)


def _end_by_exit(error: SystemExit) -> Outcome:
    """Return the outcome of `sys.exit`: none or 0 is success, what is no integer is shown and is failure."""
    if is_clean_exit(error):
        return Outcome(status="complete", exit_code=0)
    if isinstance(error.code, int):
        return Outcome(status="failed", exit_code=error.code & 0xFF, ended=f"the script exited with {error.code}")
    print(error.code, file=sys.stderr)  # noqa: T201  # what Python does with sys.exit("text")
    return Outcome(status="failed", exit_code=1, ended=f"the script exited with {error.code!r}")


def reserve_folder(target: Target, now: Any) -> Path:  # a datetime
    """Create the folder of a run for which the user names none: ``runs/<date>-<time>-<script>``, then ``-2`` and so on.

    Raises RecordingError if it cannot be created.
    """
    name = f"{now:%Y%m%d-%H%M%S}-{name_command(target.command)}"
    number = 1
    while True:
        folder = Path("runs") / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1  # another run started in the same second
        except OSError as error:
            raise cannot_write(folder, error) from error
        else:
            return folder
