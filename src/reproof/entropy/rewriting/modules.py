"""Compile the user's modules so that calls which no function of ours can stand in for pass through us.

Two are always looked for, in modules that hold their names as text: `numpy.datetime64("now")`, a compiled type that
nothing may be put in the place of, and files opened by the path of the system's random device. In experiments sets and
hashes are passed as well (`recompiling`). All other modules are compiled, and cached, as without us.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib.machinery
import io
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.rewriting.allocations import ALLOCATING, FILLER, Allocations
from reproof.entropy.rewriting.hooking import Hooking
from reproof.entropy.rewriting.recompiling import Reordering, call, compile_changed, last_name
from reproof.entropy.sites import USER, name_file, owner_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.plan import Plan

MOMENT: Final = "__reproof_moment__"
OPENED: Final = "__reproof_opened__"
NOW: Final = frozenset({"now", "today"})
DEVICES: Final = frozenset({"/dev/urandom", "/dev/random"})


class Moments(ast.NodeTransformer):
    """Passes `numpy.datetime64` through our function wherever it is called, under whatever name it was imported."""

    NAME: Final = "datetime64"

    def __init__(self) -> None:
        """Look for its own name first; `import ... as` adds others."""
        self._names = {self.NAME}

    @classmethod
    def is_in(cls, source: bytes) -> bool:
        """Whether a module may read the clock by it."""
        return cls.NAME.encode() in source and any(word.encode() in source for word in NOW)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Add the name under which it is imported."""
        self._names |= {alias.asname for alias in node.names if alias.name == self.NAME and alias.asname}
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Pass what is called."""
        self.generic_visit(node)
        if last_name(node.func) in self._names and node.args:
            node.func = call(MOMENT, [node.func], node.func)
        return node


class Openings(ast.NodeTransformer):
    """Passes what `open` returns through our function."""

    NAME: Final = "open"

    @classmethod
    def is_in(cls, source: bytes) -> bool:
        """Whether a module may open the random device."""
        return any(path.encode() in source for path in DEVICES)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Pass what is returned."""
        self.generic_visit(node)
        return call(OPENED, [node], node) if last_name(node.func) == self.NAME else node


class Calls:
    """What recompiled modules call in the place of `numpy.datetime64` and `open`."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Tap what they call."""
        self._interceptor = interceptor
        tap = Tap(
            source="numpy.datetime64",
            kind="wall-clock",
            applies=lambda value=None, *_: isinstance(value, str) and value in NOW,
            encode=str,
            decode=lambda text, _value, *unit: sys.modules["numpy"].datetime64(text, *unit),
        )
        self._read_moment = interceptor.tap(self._make_moment, tap)

    def install(self) -> None:
        """Provide what recompiled modules call. Effects: adds names to `builtins`."""
        vars(builtins).update(
            {MOMENT: self._pass_moment, OPENED: self._pass_opened, ALLOCATING: FILLER.pass_allocating}
        )

    def _pass_moment(self, kind: Any) -> Any:
        """Return what reads the clock by `numpy.datetime64`; all else as it is."""
        numpy = sys.modules.get("numpy")
        return self._read_moment if numpy is not None and kind is numpy.datetime64 else kind

    def _make_moment(self, *arguments: Any) -> Any:
        numpy = sys.modules["numpy"]
        moment = numpy.datetime64(*arguments)
        shift = self._interceptor.plan.time_shift
        if not shift or not isinstance(arguments[0], str) or arguments[0] not in NOW:
            return moment
        return (moment + numpy.timedelta64(int(shift), "s")).astype(moment.dtype)

    def _pass_opened(self, opened: Any) -> Any:
        """Return a random device that notes what is read; all other files as they are."""
        if getattr(opened, "name", None) not in DEVICES or type(opened) not in {io.BufferedReader, io.FileIO}:
            return opened
        return Device(opened, self._tap_device)

    def _tap_device(self, read: Callable[..., bytes]) -> Callable[..., bytes]:
        tap = Tap(
            source="/dev/urandom",
            kind="os-entropy",
            encode=bytes.hex,
            decode=lambda value, *_args: bytes.fromhex(value),
        )
        return self._interceptor.tap(read, tap)


class Device:
    """An opened random device, of which each read is noted."""

    def __init__(self, file: Any, tap: Callable[[Callable[..., bytes]], Callable[..., bytes]]) -> None:
        """Read from this file."""
        self._file = file
        self.read = tap(file.read)
        self.read1 = tap(getattr(file, "read1", file.read))

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        view = memoryview(buffer).cast("B")
        view[:] = self.read(len(view))
        return len(view)

    def __enter__(self) -> Device:  # noqa: PYI034  # not meant to be derived from
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the file."""
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        """Return what the file has."""
        return getattr(self._file, name)


def install(interceptor: Interceptor) -> None:
    """Have the user's modules compiled anew when they are imported, if they have to be changed.

    So is a script that `runpy` runs by its path, as each spawned child does with that of its parent. Effects: adds
    names to `builtins`, replaces the method by which source files are compiled, and the function of `runpy` for it.
    """
    Calls(interceptor).install()
    loader = importlib.machinery.SourceFileLoader
    get_code = loader.get_code

    def get_code_changed(self: Any, fullname: str) -> CodeType | None:
        return compile_module(self.get_filename(fullname), interceptor.plan) or get_code(self, fullname)

    loader.get_code = get_code_changed  # type: ignore[method-assign]
    module: Any = runpy
    read = module._get_code_from_file  # noqa: SLF001  # it asks no loader

    def read_changed(*names: str) -> Any:  # Python 3.11 and before: a pair of the code and the last of the names
        found = read(*names)
        changed = compile_module(os.path.abspath(names[-1]), interceptor.plan)  # noqa: PTH100  # as text
        if changed is None:
            return found
        return (changed, *found[1:]) if isinstance(found, tuple) else changed

    module._get_code_from_file = read_changed  # noqa: SLF001


def compile_module(path: str, plan: Plan) -> CodeType | None:
    """Compile a module or script of the user's that has to be changed; return None for all others."""
    if owner_of(path) != USER:
        return None
    try:
        source = Path(path).read_bytes()
    except OSError:
        return None  # the import system, or whoever runs it, has its own error
    changes = find_changes(path, source, plan)
    return compile_changed(source, path, *changes) if changes else None


def change_cell(tree: ast.AST, path: str, source: str, plan: Plan) -> ast.AST:
    """Return a statement of a cell of a notebook, changed as a module is; `source` is the text of all its cells."""
    for change in find_changes(path, source.encode(), plan, is_whole=False):
        tree = change.visit(tree)
    return ast.fix_missing_locations(tree)


def find_changes(path: str, source: bytes, plan: Plan, *, is_whole: bool = True) -> list[ast.NodeTransformer]:
    """Return what changes code of the user's; what does is given all of the source, or parts of it."""
    changes: list[ast.NodeTransformer] = [kind() for kind in (Moments, Openings) if kind.is_in(source)]
    if plan.watches_orders:
        changes.append(Reordering())
    if plan.watches_memory:
        changes.append(Allocations())
    if plan.watches_calls:
        hooking = Hooking(name_file(path))
        changes.append(hooking)
        if not is_whole:
            with contextlib.suppress(SyntaxError):  # what only IPython understands
                hooking.read(ast.parse(source))
    return changes
