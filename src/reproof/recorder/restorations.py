"""Note what a training saves of its state and what it loads again: optimizers, schedulers, scalers, random generators.

Only `reproof resume-check` uses it. Digests prove that a piece of state is missing after resuming; these notes say
which of two pieces it is if the digests fit both, and where in the script the missing call belongs.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import sys
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from reproof.entropy.sites import find_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reproof.recorder.context import Context
    from reproof.recorder.session import Recording

Action = Literal["made", "saved", "loaded"]
Piece = Literal["optimizer", "scheduler", "scaler", "rng"]

CLASSES: Final[tuple[tuple[Piece, str, str], ...]] = (
    ("optimizer", "torch.optim.optimizer", "Optimizer"),
    ("scheduler", "torch.optim.lr_scheduler", "LRScheduler"),
    ("scaler", "torch.amp.grad_scaler", "GradScaler"),
)
"""Pieces of state that are objects: piece, module, class."""

METHODS: Final[dict[str, Action]] = {"state_dict": "saved", "load_state_dict": "loaded"}

GENERATORS: Final[tuple[tuple[str, str, str, Action], ...]] = (
    ("python", "random", "getstate", "saved"),
    ("python", "random", "setstate", "loaded"),
    ("numpy", "numpy.random", "get_state", "saved"),
    ("numpy", "numpy.random", "set_state", "loaded"),
    ("torch", "torch", "get_rng_state", "saved"),
    ("torch", "torch", "set_rng_state", "loaded"),
    ("torch", "torch.random", "get_rng_state", "saved"),
    ("torch", "torch.random", "set_rng_state", "loaded"),
    ("cuda", "torch.cuda", "get_rng_state", "saved"),
    ("cuda", "torch.cuda", "set_rng_state", "loaded"),
    ("cuda", "torch.cuda", "get_rng_state_all", "saved"),
    ("cuda", "torch.cuda", "set_rng_state_all", "loaded"),
)
"""Functions that read or set a global generator: its name, module, function, what it does. The methods of
`torch.Generator` are of a type that cannot be changed; the state of a loader's generator is in the trace."""


MAX_STATES: Final = 256
"""States of a generator that are known again when they are put back: of those read last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What a training did with a piece of its state.

    Attributes:
        action: ``made`` (it exists before the first step), ``saved`` (its state was read) or ``loaded`` (it was set).
        piece: Kind of state.
        name: Its class, or the name of the generator.
        file: File of the line that did it, None if that is not the user's.
        line: 1-based.
    """

    action: Action
    piece: Piece
    name: str
    file: str | None = None
    line: int | None = None


def read_restorations(path: Path) -> tuple[Restoration, ...] | None:
    """Return the notes of a run, or None if there are none that can be read."""
    try:
        return tuple(Restoration(**entry) for entry in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class RestorationWatch:
    """Notes saving and loading for one recording, and writes the notes when it ends."""

    _context: Context

    def __init__(self, recording: Recording, path: Path) -> None:
        """Install the watch as soon as PyTorch is imported."""
        self._path = path.absolute()  # the script may change its working folder
        self._notes: dict[Restoration, None] = {}
        self._has_objects = False
        self._read: dict[str, deque[bytes]] = {}
        recording.await_torch(self._install)

    def _install(self, context: Context) -> None:
        self._context = context
        patches = context.patches
        patches.on_restore(self._write)
        for piece, module, name in CLASSES:
            for owner in list_classes(getattr(importlib.import_module(module), name)):
                for method, action in METHODS.items():
                    if method in vars(owner):
                        patches.replace(owner, method, self._note_methods(action, piece))
        for generator, module, function, action in GENERATORS:
            if hasattr(source := sys.modules.get(module), function):
                patches.replace(source, function, self._note_functions(action, generator))
        hooks: Any = importlib.import_module("torch.optim.optimizer")
        patches.on_restore(hooks.register_optimizer_step_pre_hook(self._note_objects).remove)

    def _note_methods(self, action: Action, piece: Piece) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def method(thing: Any, *args: Any, **kwargs: Any) -> Any:
                self._note(action, piece, type(thing).__name__)
                return original(thing, *args, **kwargs)

            return method

        return wrap

    def _note_functions(self, action: Action, generator: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def function(*args: Any, **kwargs: Any) -> Any:
                caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001  # the documented way to the stack
                is_own = caller.startswith("torch.")  # fork_rng and the like put back what they found
                if action == "loaded":
                    if not is_own and not self._puts_back(generator, args, kwargs):
                        self._note(action, "rng", generator)
                    return original(*args, **kwargs)
                state = original(*args, **kwargs)
                self._keep(generator, state)
                if not is_own:
                    self._note(action, "rng", generator)
                return state

            return function

        return wrap

    def _keep(self, generator: str, state: Any) -> None:
        """Keep the digest of a state that was read, to know it when it is put back."""
        with self._context.problems.guard("restored state"):
            self._read.setdefault(generator, deque(maxlen=MAX_STATES)).append(digest_state(state))

    def _puts_back(self, generator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether a state that is set was read by this process: then it comes from no checkpoint.

        Evaluations and checks before a training put back what they found.
        """
        with self._context.problems.guard("restored state"):
            states = {digest_state(state) for state in (*args, *kwargs.values())}
            return not states.isdisjoint(self._read.get(generator, ()))
        return False

    def _note(self, action: Action, piece: Piece, name: str) -> None:
        if self._context.is_active:
            with self._context.problems.guard("restored state"):
                site = find_site()
                where = (None, None) if site is None else (site.file, site.line)
                self._notes[Restoration(action=action, piece=piece, name=name, file=where[0], line=where[1])] = None

    def _note_objects(self, *_: Any) -> None:
        """Note once, before the first optimizer step, which objects there are whose state can be saved."""
        if self._has_objects:
            return
        self._has_objects = True
        with self._context.problems.guard("restored state"):
            classes = [(piece, getattr(sys.modules[module], name)) for piece, module, name in CLASSES]
            for thing in gc.get_objects():
                for piece, owner in classes:
                    if issubclass(type(thing), owner):  # `isinstance` would ask proxies for their class
                        self._notes[Restoration(action="made", piece=piece, name=type(thing).__name__)] = None

    def _write(self) -> None:
        with self._context.problems.guard("restored state"):
            self._path.write_text(json.dumps([asdict(note) for note in self._notes]), encoding="utf-8")


def digest_state(state: Any) -> bytes:
    """Return a digest of the state of a generator, in the forms that the functions of `GENERATORS` take and return."""
    return hashlib.blake2b(b"".join(_spell(state)), digest_size=16).digest()


def _spell(state: Any) -> Iterator[bytes]:
    if isinstance(state, (list, tuple)):
        for part in state:
            yield from _spell(part)
    elif isinstance(state, dict):
        for key in sorted(state, key=str):
            yield from _spell(state[key])
    elif hasattr(state, "tobytes"):  # an array
        yield state.tobytes()
    elif hasattr(state, "cpu"):
        yield state.detach().cpu().numpy().tobytes()
    else:
        yield repr(state).encode()


def list_classes(base: type) -> Iterator[type]:
    """Yield a class and all that derive from it, each once."""
    pending, seen = [base], set()
    while pending:
        found = pending.pop()
        if found not in seen:
            seen.add(found)
            pending += found.__subclasses__()
            yield found
