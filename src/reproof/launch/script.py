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
import signal
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wrapt

from reproof.entropy.plan import Plan
from reproof.errors import LaunchError
from reproof.launch.tracebacks import show_exception
from reproof.recorder.children import follow_children
from reproof.recorder.problems import describe_error
from reproof.recorder.session import is_clean_exit
from reproof.recorder.surroundings import require_torch
from reproof.trace.writer import cannot_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to run.

    Attributes:
        name: Path of a script, or dotted name of a module.
        is_module: Whether `name` is a module, as after ``python -m``.
        arguments: The script's own arguments.
    """

    name: str
    is_module: bool
    arguments: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        """The command line after ``python``."""
        return (*(("-m",) if self.is_module else ()), self.name, *self.arguments)


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


def record_target(
    target: Target,
    make_recording: Callable[[], Recording],
    report: Callable[[Recording, Outcome], None],
    plan: Plan | None = None,
) -> Outcome:
    """Run a script under a recording.

    The trace is closed when the process ends, after the script's own threads and exit handlers: they may still train.

    Args:
        target: What to run.
        make_recording: Returns a recording that is not open yet; called once the target is known to start.
        report: Called with the recording and the outcome once the trace is closed.
        plan: What is done with the sources of entropy; None leaves them as they are.

    Raises:
        LaunchError: If there is no such script or module.
        DependencyError: If PyTorch is not installed.
        RecordingError: If the trace cannot be created.

    Effects:
        Replaces `__main__`, `sys.argv` and `sys.path[0]` of this process.
    """
    require_torch()
    prepare_path(target)
    try:
        code, module = load_target(target)
    except LaunchError:
        raise
    except BaseException as error:  # noqa: BLE001  # from the code of a package, which is run to find a module in it
        return end_by(error, target)
    recording = make_recording()
    recording.open()
    recording.tap_entropy(plan or Plan())
    children = follow_children(recording)
    code = recording.recompile(code)
    wrapt.when_imported("torch")(lambda _module: _install(recording))
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

    atexit.register(close)
    call_before_exit(end_at_once)
    outcome = execute(code, module, target)
    return outcome


def call_before_exit(action: Callable[[int], None]) -> None:
    """Have something done when the script ends its process by `os._exit`, which calls no exit handler.

    Args:
        action: Takes the exit status.

    Effects: replaces `os._exit` for the life of the process. Forked children have the original's effect.
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


def _install(recording: Recording) -> None:
    """Hook PyTorch once it is imported; the script's import must succeed even if that fails."""
    try:
        recording.install()
    except Exception as error:  # noqa: BLE001  # anything that an unknown version of PyTorch may cause
        recording.add_problem(f"PyTorch could not be hooked: {type(error).__name__}: {error}")


def prepare_path(target: Target) -> None:
    """Set `sys.argv` and `sys.path[0]` as Python does for a script or a module.

    Raises:
        LaunchError: If the script is not a file that can be read.
    """
    path = Path(target.name)
    if not target.is_module and path.is_dir():
        raise LaunchError(f"{path} is a folder", "name the script in it")
    if not target.is_module and not path.is_file():
        raise LaunchError(f"no script {path}", "check the path; options of reproof go before the script")
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = str(Path.cwd() if target.is_module else path.resolve().parent)
    sys.argv[:] = [target.name, *target.arguments]


def load_target(target: Target) -> tuple[types.CodeType, types.ModuleType]:
    """Compile a script or find a module, and make the `__main__` it will run in.

    Raises:
        LaunchError: If it cannot be read or found.
    """
    return _load_module(target) if target.is_module else _load_script(target)


def _load_script(target: Target) -> tuple[types.CodeType, types.ModuleType]:
    path = absolute_path(target.name)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        raise LaunchError(f"cannot read {target.name}: {error.strerror}", "check the path") from None
    module = make_main(path, cached=None)
    module.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    try:
        return compile(source, path, "exec", dont_inherit=True), module
    except (SyntaxError, ValueError) as error:
        raise LaunchError(f"{target.name} is not a Python script: {error}", "check the script") from None


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

    Raises:
        RecordingError: If it cannot be created.
    """
    stem = target.name.rpartition(".")[2] if target.is_module else Path(target.name).stem
    name = f"{now:%Y%m%d-%H%M%S}-{stem}"
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
