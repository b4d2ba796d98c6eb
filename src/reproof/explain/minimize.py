"""Find the smallest set of suspects that explains a divergence, with few experiments.

The divide-and-conquer search of QuickXplain (U. Junker, AAAI 2004), which needs about k log(n/k) experiments for k
causes among n suspects, after two guesses: the likeliest suspects alone, of which one is right for most scripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NUM_GUESSES: Final = 2

T = TypeVar("T")


def minimize(suspects: Sequence[T], explains: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Return a smallest set that explains, of which no member can be left out.

    The suspects, likeliest first, explain together; `explains` makes an experiment with some. More never explain less,
    so that none is made with some of those that did not, or with more than those that did.
    """
    known: dict[tuple[T, ...], bool] = {}

    def explains_once(chosen: tuple[T, ...]) -> bool:
        if chosen not in known:
            refuted = any(not found and set(chosen) <= set(more) for more, found in known.items())
            implied = any(found and set(chosen) >= set(fewer) for fewer, found in known.items())
            known[chosen] = implied or (not refuted and explains(chosen))
        return known[chosen]

    for suspect in suspects[:NUM_GUESSES] if len(suspects) > 1 else ():
        if explains_once((suspect,)):
            return (suspect,)
    return tuple(_minimize((), tuple(suspects), explains_once, is_background_new=False))


def _minimize(
    background: tuple[T, ...],
    suspects: tuple[T, ...],
    explains: Callable[[tuple[T, ...]], bool],
    *,
    is_background_new: bool,
) -> tuple[T, ...]:
    """Return what is needed of the suspects in addition to the background."""
    if is_background_new and explains(background):
        return ()
    if len(suspects) == 1:
        return suspects
    half = (len(suspects) + 1) // 2
    likelier, rest = suspects[:half], suspects[half:]
    of_rest = _minimize(background + likelier, rest, explains, is_background_new=True)
    if background and len(of_rest) == 1:
        explains(of_rest)  # most scripts have one cause: if so, nothing that holds more need be tried
    of_likelier = _minimize(background + of_rest, likelier, explains, is_background_new=bool(of_rest))
    return of_likelier + of_rest
