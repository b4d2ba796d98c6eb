"""Look for poison in every event of a poisoned run, and write down which show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from reproof.entropy.rewriting.allocations import FILLER
from reproof.recorder.probes.copies import tensors_in
from reproof.recorder.probes.modes import enter_mode, leave_mode
from reproof.recorder.probes.poison import Poison, PoisonMode, fill_array, patch_numpy
from reproof.recorder.tracing import without_transforms
from reproof.schema import PoisonedEvent
from reproof.trace.probes import write_poisoned

if TYPE_CHECKING:
    from reproof.recorder.context import Context
    from reproof.schema import Probes, Stage


PLACES: Final = "poison.places.jsonl"
"""File in which the processes of a run number the places that allocate memory."""


MAX_EVENTS: Final = 4096
"""Names of events that are known to show poison; further ones are left out."""


class PoisonHooks:
    """The probe for uninitialised memory of one recording, in the thread that started it."""

    def __init__(self, context: Context, probes: Probes, rank: int) -> None:
        """Begin to fill memory and to look at events.

        Effects: enters a dispatch mode and replaces `numpy.empty` and `numpy.empty_like` until the patches of the
        context are restored.
        """
        self._context = context
        self._rank = rank
        self._poison = Poison(probes.other_memory, context.folder / PLACES)
        self._mode = PoisonMode(self._poison, self._on_error)
        self._found: dict[tuple[Stage, str], PoisonedEvent] = {}
        self._left: dict[tuple[Stage, str], PoisonedEvent] = {}
        self._is_child = False
        patch_numpy(context.patches, self._poison, lambda: self._mode.is_active)
        context.evidence.look = self.look
        FILLER.fill = self._fill
        enter_mode(self._mode)
        context.patches.on_restore(self._close)
        context.on_fork.append(self._deactivate)

    def look(self, stage: Stage, name: str, value: Any) -> None:
        """Look for poison in what becomes an event; of each name, the last event with poison is kept."""
        if not self._mode.is_active or self._is_child:
            return
        # Final states are read whenever a model dies, before events that come earlier in the order of the trace.
        known = self._left if stage == "final" else self._found
        if len(known) >= MAX_EVENTS and (stage, name) not in known:
            return
        self._poison.read_shared()
        tensor = as_tensor(value)
        found = None if tensor is None else self._poison.find(tensor)
        if found is None or tensor is None:
            return
        known.pop((stage, name), None)  # the order is that of the last events
        known[stage, name] = PoisonedEvent(
            stage=stage,
            name=name,
            step=self._context.frames.step,
            file=found.site.file,
            line=found.site.line,
            function=found.site.function,
            num_poisoned=found.num_poisoned,
            num_elements=tensor.numel(),
        )

    def _on_error(self, name: str, values: Any) -> None:
        """Look at the arguments of an operation that raises: integers of poison, for instance, are no valid indices."""
        for value in tensors_in(values):
            self.look("forward", f"input of {name}", value)

    def _close(self) -> None:
        """Stop, and write the events that show poison and the places whose memory was filled."""
        self._mode.is_active = False
        FILLER.fill = None
        leave_mode(self._mode)
        with self._context.problems.guard("poison"):
            self._poison.read_shared()
            places = tuple((site.file, site.line) for site in self._poison.sites if site.file)
            events = (*self._found.values(), *self._left.values())
            write_poisoned(self._context.folder, self._rank, events, tuple(dict.fromkeys(places)))

    def _deactivate(self) -> None:
        """Go on filling in a forked child, but look at nothing: poison shows where the training receives its data."""
        self._is_child = True

    def _fill(self, array: Any, unwritten: Any) -> None:
        if self._mode.is_active:
            fill_array(self._poison, array, unwritten)


def as_tensor(value: Any) -> torch.Tensor | None:
    """Return a tensor, without what `torch.func` wraps around it, or an array as one; None for anything else."""
    if not isinstance(value, torch.Tensor):
        try:
            return torch.from_numpy(value)
        except (TypeError, ValueError):
            return None
    return without_transforms(value)
