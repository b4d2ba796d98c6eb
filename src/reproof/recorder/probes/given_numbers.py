"""Note which numbers tensors gave to Python: what of a line that is printed is a result, and what counts or measures.

Left out: arrays that tensors become by `Tensor.numpy`; numbers that Python computes from those that were given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from reproof.trace.probes import write_given

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.context import Context

MAX_NUMBERS: Final = 200_000
"""So many different numbers are kept; a line that shows a later one is not explained by it."""

GIVING: Final = ("item", "tolist", "__float__", "__int__")


def note_given_numbers(context: Context, rank: int) -> None:
    """Note the numbers that tensors give, and write them down at the end.

    Effects: replaces methods of `torch.Tensor` until the patches of the context are restored.
    """
    found: set[int | float] = set()

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def give(*args: Any, **kwargs: Any) -> Any:
            value = original(*args, **kwargs)
            if context.is_active:
                with context.problems.guard("numbers"):
                    note(found, value)
            return value

        return give

    for name in GIVING:
        context.patches.replace(torch.Tensor, name, wrap)
    context.patches.on_restore(lambda: write_given(context.folder, rank, frozenset(found)))


def note(found: set[int | float], value: Any) -> None:
    """Add a number; of a list its floats alone, as indices are no results."""
    if isinstance(value, list):
        for part in value:
            if not isinstance(part, int):
                note(found, part)
    elif isinstance(value, (int, float)) and len(found) < MAX_NUMBERS:
        found.add(value)
