"""Find where an operation belongs: phase, module and the user's line.

In backward, autograd calls from C++, and the only line of the user's on the stack is that of `backward()` itself. But
the node that is evaluated has the sequence number that it got when the forward operation made it: the place that was
noted under that number then is where the operation of backward belongs.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch.autograd import graph

from reproof.entropy.sites import USER, Site, owner_of, site_of
from reproof.recorder.steps import STEP_CODE

if TYPE_CHECKING:
    from types import FrameType

    from reproof.recorder.registry import Registry
    from reproof.schema import OpPhase

MAX_NODES: Final = 1 << 19
"""Nodes of autograd whose places are kept at most: a graph may outlive its step."""

MAX_FRAMES_ABOVE: Final = 8
"""Frames above the user's in which the `step` of an optimizer of the user's own is looked for."""

GENERATED: Final = "torchinductor_"
"""Part of the paths of files that PyTorch's compiler writes."""

NOWHERE: Final = Site("", 0, "")
ENGINE_CODE: Final = getattr(getattr(graph, "_engine_run_backward", None), "__code__", None)
"""The code that enters autograd's engine: frames above it do not belong to the operation of backward."""

_next_sequence_number = getattr(torch._C._autograd, "_get_sequence_nr", None)  # noqa: SLF001  # no public getter
_current_node = getattr(torch._C, "_current_autograd_node", None)  # noqa: SLF001
_graph_task = torch._C._current_graph_task_id  # noqa: SLF001


class Whereabouts(NamedTuple):
    """Where an operation belongs."""

    phase: OpPhase
    module: str
    site: Site


class ModuleStack(threading.local):
    """The modules that a thread is in, innermost last: each with its name once it is known."""

    def __init__(self) -> None:
        """Start outside of all modules."""
        self.entries: list[list[Any]] = []


class OpSites:
    """Finds where operations belong, for one recording."""

    def __init__(self, registry: Registry, stack: ModuleStack) -> None:
        """Start without nodes of autograd."""
        self._registry = registry
        self._stack = stack
        self._by_node: dict[int, tuple[str, Site]] = {}
        self._next = 0
        self._previous = ("", NOWHERE)
        self._thread = 0

    def start(self) -> None:
        """Begin to note the nodes of autograd that the current thread makes."""
        self._thread = threading.get_ident()
        self._next = 0 if _next_sequence_number is None else _next_sequence_number()

    def end_step(self) -> None:
        """Forget the oldest nodes if there are too many."""
        if len(self._by_node) > MAX_NODES:
            for number in list(self._by_node)[: MAX_NODES // 2]:
                del self._by_node[number]

    def locate(self) -> Whereabouts:
        """Return where the operation under way belongs; called by `OpRecorder._before`."""
        frame, found_inside, in_step = self._find_frame(sys._getframe(2))  # noqa: SLF001  # the documented way
        site = NOWHERE if frame is None else site_of(frame)
        module = self._current_module()
        if _graph_task() != -1:  # autograd evaluates a graph
            # A frame of the user's inside of backward is one of a custom function or hook, and the place itself.
            # Else the frame is that which called `backward()`, and the place is that of the forward operation.
            if not found_inside:
                module, site = self._place_of_node(site)
            self._note_nodes((module, site))
            return Whereabouts("backward", module, site)
        # An operation that makes no node and is in no module may still be an optimizer's. The search up the stack ends
        # at the user's frame, and the `step` of an optimizer that the user has written is above it.
        made_node = self._note_nodes((module, site))
        if in_step or (frame is not None and not torch.is_grad_enabled() and is_in_step(frame)):
            return Whereabouts("optimizer", module, site)
        return Whereabouts("forward" if made_node or module else "other", module, site)

    @staticmethod
    def _find_frame(frame: FrameType | None) -> tuple[FrameType | None, bool, bool]:
        """Return the user's innermost frame, whether it runs inside of backward, and inside of an optimizer's step."""
        found_inside, in_step = True, False
        while frame is not None:
            code = frame.f_code
            if owner_of(code.co_filename) == USER and GENERATED not in code.co_filename:
                break
            if code is ENGINE_CODE:
                found_inside = False
            elif code is STEP_CODE:
                in_step = True
            frame = frame.f_back
        return frame, found_inside and frame is not None, in_step

    def _current_module(self) -> str:
        entries = self._stack.entries
        if not entries:
            return ""
        innermost = entries[-1]
        if innermost[1] is None:
            name = self._registry.find_name(innermost[0])
            if name is None:
                return type(innermost[0]).__name__
            innermost[1] = name
        name = innermost[1]
        return str(name)

    def _note_nodes(self, place: tuple[str, Site]) -> bool:
        """Note which nodes of autograd the operation has made; return whether it has made one.

        An operation's node is the newest when it is executed; nodes between are what PyTorch has added after the
        operation before, as it does for changes in place.
        """
        if _next_sequence_number is None or threading.get_ident() != self._thread:
            return False
        now = _next_sequence_number()
        made_node = now > self._next
        if made_node:
            for number in range(max(self._next, now - MAX_FRAMES_ABOVE), now - 1):
                self._by_node[number] = self._previous
            self._by_node[now - 1] = place
            self._next = now
        self._previous = place
        return bool(made_node)

    def _place_of_node(self, backward: Site) -> tuple[str, Site]:
        """Return the place of the forward operation whose backward is under way; else the call of `backward`."""
        node = None if _current_node is None else _current_node()
        if node is None:
            return "", backward
        place = self._by_node.get(node._sequence_nr())  # noqa: SLF001  # no public getter
        if place is not None:
            return place
        leaf = getattr(node, "variable", None)  # a gradient is accumulated
        name = None if leaf is None else self._registry.find_parameter_name(leaf)
        return (name or "").rpartition(".")[0], backward


def is_in_step(frame: FrameType) -> bool:
    """Whether the user's frame belongs to an optimizer of their own: PyTorch's wrapper of `step` is just above it."""
    above = frame.f_back
    for _ in range(MAX_FRAMES_ABOVE):
        if above is None:
            return False
        if above.f_code is STEP_CODE:
            return True
        above = above.f_back
    return False
