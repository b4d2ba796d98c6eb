"""A script, read: the calls that can happen in it, and where the values of each can go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.doctor.program.names import Names
from reproof.doctor.program.sources import Program
from reproof.doctor.program.statements import Statements

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator
    from pathlib import Path

    from reproof.doctor.program.constants import Constants
    from reproof.doctor.program.flow import CallSite, Use, Walk
    from reproof.doctor.program.graph import Family, Sink
    from reproof.doctor.program.inference import Inference
    from reproof.doctor.program.scopes import Scope


class Reading:
    """What is known of a script without running it. Code that nothing calls is not looked at.

    Attributes:
        program: Its files.
        names: Resolves its names.
        calls: The calls that can happen, file by file and line by line.
        walks: The places where a set of unstable order is walked.
    """

    def __init__(self, script: Path) -> None:
        """Read a script and the modules of its own that it imports.

        Raises:
            UsageError: The script cannot be read.
        """
        self.program = Program(script)
        self.names = Names(self.program)
        self._builder = builder = Statements(self.names)
        for source in self.program.sources:
            builder.read_module(source)
        while builder.waiting:
            builder.read_function(builder.waiting.pop(0))
        order = {source: position for position, source in enumerate(self.program.sources)}
        self.calls: tuple[CallSite, ...] = tuple(
            sorted(builder.call_sites.values(), key=lambda site: (order[site.scope.source], *_place(site.call)))
        )
        self.walks: tuple[Walk, ...] = tuple(
            sorted(builder.walks.values(), key=lambda walk: (order[walk.scope.source], *_place(walk.expression)))
        )
        self._main = self._closure([source.tree for source in self.program.sources], {"call"})

    @property
    def constants(self) -> Constants:
        """Evaluates what the script fixes."""
        return self._builder.constants

    @property
    def inference(self) -> Inference:
        """Infers types."""
        return self._builder.inference

    def statements(self) -> Iterator[tuple[ast.stmt, Scope]]:
        """Yield the statements that can happen, each once."""
        return iter(dict(self._builder.statements).items())

    def find_sink(self, node: int, family: Family) -> Sink | None:
        """Return the nearest place where a value becomes part of the training, or None."""
        return self._builder.graph.find_sink(node, family)

    def is_main(self, function: ast.AST) -> bool:
        """Whether a function is called in the main process, and not only by a loader to fetch data."""
        return function in self._main

    def is_worker_hook(self, function: ast.AST) -> bool:
        """Whether a function is called when a worker of a loader starts, and nowhere else."""
        hooks = [target for uses in self._builder.uses.values() for target, how in uses if how == "worker"]
        return function in self._closure(hooks, {"call", "data"}) and function not in self._main

    def reached_from(self, function: ast.AST) -> set[ast.AST]:
        """Return a function and all that it calls, directly or by a detour."""
        return self._closure([function], {"call"})

    def _closure(self, roots: list[ast.AST], uses: set[Use]) -> set[ast.AST]:
        found, waiting = set(roots), list(roots)
        while waiting:
            for target, how in self._builder.uses.get(waiting.pop(), ()):
                if how in uses and target not in found:
                    found.add(target)
                    waiting.append(target)
        return found


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
