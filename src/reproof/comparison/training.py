"""Tell whether all that differs belongs to models that are never trained.

A model may be made only to ask for the size of its output, before anything is seeded. That it differs is a divergence,
and yet nothing of it reaches the training: losses, gradients, updates, final state and output are the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.comparison.alignment import tally_differences

if TYPE_CHECKING:
    from reproof.schema import Stage
    from reproof.trace import RankTrace

OF_TRAINING: Final[frozenset[Stage]] = frozenset({"batch", "loss", "gradient", "final", "output"})
"""Stages in which nothing may differ."""

MAX_DIFFERING: Final = 10_000


def find_untrained(a: RankTrace, b: RankTrace) -> tuple[str, ...]:
    """Return the models to which all differing events belong, if none of them is trained; else none.

    Both traces must have the same events, and none that was skipped. Raises TraceError if a frame that is looked at is
    damaged.
    """
    models, trained = (
        {root_of(event.name) for event in a.events if event.stage == stage} for stage in ("init", "gradient")
    )
    tally = tally_differences(a, b, MAX_DIFFERING)
    if not trained or not tally.has_room:
        return ()
    roots = tuple(dict.fromkeys(root_of(pair.event.name) for pair in tally.pairs))
    return roots if set(roots) <= models - trained else ()


def root_of(name: str) -> str:
    """Return the model that an event tells of: the name of a tensor, an input or an output begins with it."""
    return name.partition(" ")[0].partition(".")[0]
