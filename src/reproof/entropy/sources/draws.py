"""Find the lines that draw from a global generator which nobody has seeded, by watching its state from line to line.

Whatever draws (Python, a compiled extension, the initialisation of a layer), the state has changed when the next line
of the user's begins. This slows a run down, and is done in experiments alone. In a second run the draws of one line can
be *perturbed*: it finds the generator in another state (that in which the candidate's began, if the plan names it), and
leaves it in the state that it left in the first run, so that nothing else changes. If the run then diverges, that
line's draws matter. Or the draws of one line are *taken back*: all that comes after finds the generator as if the line
had not drawn, as before it was added to the script.
"""

from __future__ import annotations

import functools
import secrets
import sys
import threading
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import START
from reproof.entropy.sites import USER, Site, find_user_frame, is_entry, owner_of, site_of, top_package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType, ModuleType

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.sources.generators import Generators, GlobalGenerator

FIRST_DRAW: Final = "first draw"
"""What is noted of a line besides its draws: how many events were recorded when it began for the first of them."""

MAX_STATES: Final = 64
"""Draws of each line of which the state is kept; those that come later are never perturbed."""


class DrawWatcher:
    """Watches some of the global generators in all threads of this process."""

    def __init__(self, interceptor: Interceptor, generators: Generators) -> None:
        """Watch what the plan names."""
        self._interceptor = interceptor
        self._generators = generators
        self._names = interceptor.plan.watches
        self._perturbed = frozenset(interceptor.plan.perturbs)
        self._taken_back = frozenset(interceptor.plan.takes_back)
        self._before: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        self._program: str | None = None
        self._current: Site | None = None
        self._num_events: int | None = None
        self._under_way: dict[str, tuple[Any, str]] = {}
        self._num_perturbed: dict[str, int] = {}
        self._others: dict[str, Any] = {}
        interceptor.on_child.append(self._enter_child)
        interceptor.on_step.append(self._divide)
        interceptor.on_close.append(self._close)
        generators.on_add.append(self._add)

    def start(self) -> None:
        """Watch from here on.

        Effects: sets the trace function of this thread and of those to come, and how source files are imported.
        """
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        execute = SourceFileLoader.exec_module

        @functools.wraps(execute)
        def exec_module(loader: SourceFileLoader, module: ModuleType) -> None:
            before = sys.gettrace()
            if not self._names or (before is not None and before != self._on_call):  # over, or a debugger's
                execute(loader, module)
                return
            sys.settrace(self._on_call if self._is_watched_module(loader) else None)
            try:
                execute(loader, module)
            finally:
                sys.settrace(before)

        SourceFileLoader.exec_module = exec_module  # type: ignore[method-assign, assignment]

    def _is_watched_module(self, loader: SourceFileLoader) -> bool:
        """Whether the lines of a module are watched while it is imported, and not only the line that imports it.

        A library has thousands of functions that are called meanwhile, and importing PyTorch would take twice as long.
        """
        top = loader.name.partition(".")[0]
        return owner_of(loader.path) == USER or self._program == top

    def _on_call(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event != "call" or not (owner_of(frame.f_code.co_filename) == USER or self._is_of_program(frame)):
            return None
        self._move_to(frame)
        return self._on_event

    def _is_of_program(self, frame: FrameType) -> bool:
        """Whether a frame is of the package whose program it is: that which the line calls on which all begins."""
        outer = frame.f_back
        if self._program is None and outer is not None and is_entry(outer):
            self._program = top_package(frame)
        return self._program is not None and top_package(frame) == self._program

    def _on_event(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self._move_to(frame)
        elif event == "return":
            self._move_to(find_user_frame(frame.f_back))
        return self._on_event

    def _move_to(self, frame: FrameType | None) -> None:
        """Move on to another line: what has changed until now was drawn by the line before."""
        self._end_line()
        self._current = None if frame is None else site_of(frame)
        self._begin_line()

    def _divide(self) -> None:
        """Book what the line under way has drawn when a step begins: a line may train for many steps."""
        self._end_line()
        self._begin_line()

    def _begin_line(self) -> None:
        count = self._interceptor.count_events
        self._num_events = None if count is None else count()
        if self._perturbed and self._current is not None:
            self._begin_perturbed(self._current, self._names)
        if self._taken_back and self._current is not None:
            self._keep_states(self._current)

    def _keep_states(self, site: Site) -> None:
        """Keep the states in which a line finds the generators, if what it draws is taken back."""
        self._before = {
            name: self._generators.by_name[name].read()
            for name in self._names
            if f"{name}@{site.file}:{site.line}" in self._taken_back and name in self._generators.by_name
        }

    def _add(self, generator: GlobalGenerator) -> None:
        """Begin with a generator whose module is imported in the middle of a line, as NumPy's is when it is used."""
        if generator.name in self._names:
            self._last[generator.name] = generator.glance()
            if self._current is not None:
                self._begin_perturbed(self._current, (generator.name,))

    def _end_line(self) -> None:
        for name in self._names:
            generator = self._generators.by_name.get(name)
            if generator is None or not (name in self._under_way or self._is_watched(name)):
                continue
            glance = generator.glance()
            has_drawn = name in self._last and glance != self._last[name]
            if name in self._under_way:
                self._end_perturbed(name, has_drawn=has_drawn)
                glance = generator.glance()
            elif has_drawn and self._current is not None:
                self._note(name, self._current)
                if name in self._before:
                    generator.write(self._before[name])
                    glance = generator.glance()
            self._last[name] = glance
        self._before = {}

    def _is_watched(self, name: str) -> bool:
        return self._interceptor.plan.watches_seeded or self._generators.is_unseeded(name)

    def _note(self, name: str, site: Site) -> None:
        place = self._interceptor.place_on(name, "unseeded-rng", site)
        if place.num_reads == 0:
            self._interceptor.ledger.note(FIRST_DRAW, key=place.key, num_events=self._num_events)
        place.note(self._generators.by_name[name].read() if place.num_reads < MAX_STATES else None)

    def _begin_perturbed(self, site: Site, names: Iterable[str]) -> None:
        for name in names:
            key = f"{name}@{site.file}:{site.line}"
            if key not in self._perturbed or name not in self._generators.by_name:
                continue
            if self._generators.is_unseeded(name) and self._find_state(key) is not None:
                generator = self._generators.by_name[name]
                self._under_way[name] = (generator.read(), key)
                self._write_other(generator, key)
                self._last[name] = generator.glance()

    def _write_other(self, generator: GlobalGenerator, key: str) -> None:
        """Set the state in which a perturbed line draws: it goes on where it ended, from where the candidate began."""
        begun = self._interceptor.candidate.get(self._interceptor.process, {}).get(f"{generator.name}{START}")
        state = self._others.get(key, begun.values[-1] if begun and begun.values else None)
        try:
            generator.write(state)
        except (TypeError, ValueError, RuntimeError):  # not given, or a forked child's, that goes on with its parent's
            generator.scramble(secrets.randbits(32))

    def _find_state(self, key: str) -> Any:
        """Return the state that a line left at its next draw in the run that was watched; None if that is not known."""
        details = self._interceptor.details.get(self._interceptor.process, {}).get(key)
        number = self._num_perturbed.get(key, 0)
        return details.values[number] if details is not None and number < len(details.values) else None

    def _end_perturbed(self, name: str, *, has_drawn: bool) -> None:
        """Leave the generator as the line left it in the run that was watched."""
        before, key = self._under_way.pop(name)
        after = self._find_state(key)
        if has_drawn:
            self._others[key] = self._generators.by_name[name].read()
            self._num_perturbed[key] = self._num_perturbed.get(key, 0) + 1
        self._generators.by_name[name].write(after if has_drawn else before)

    def _close(self) -> None:
        """Book what the line under way has drawn: a run that ends after some steps ends within a line of the user's."""
        self._end_line()
        self._names = ()

    def _enter_child(self) -> None:
        """Start again in a forked child, whose generators have other states and which records nothing."""
        self._interceptor.count_events = None
        self._last.clear()
        self._current = None
        self._before.clear()
        self._under_way.clear()
        self._num_perturbed.clear()
        self._others.clear()


def install(interceptor: Interceptor, generators: Generators) -> None:
    """Watch the global generators that the plan names, if it names any."""
    if interceptor.plan.watches:
        DrawWatcher(interceptor, generators).start()
