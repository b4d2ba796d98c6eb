"""Numbers with their nouns, sentences, what may be shown; and a verdict as HTML, for who looks at it in a notebook."""

from __future__ import annotations

import html
from typing import Final

COLOURS: Final = {"identical": "#15803d", "equivalent": "#15803d", "diverged": "#b91c1c", "inconclusive": "#a16207"}


def draw_html(verdict: str, text: str) -> str:
    """Return a text that begins with a verdict as HTML, the verdict in its colour."""
    rest = html.escape(text.removeprefix(verdict))
    return f'<pre><b style="color:{COLOURS[verdict]}">{verdict}</b>{rest}</pre>'


LARGE: Final = 100
HUGE: Final = 1_000_000


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number with thousands separated, and its noun; `nouns` is the plural where no ``s`` makes it."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


def as_sentence(text: str) -> str:
    """Return a text with a capital at its start and a full stop."""
    return f"{capitalize(text)}{'' if text.endswith(('.', '?')) else '.'}" if text else ""


def capitalize(text: str) -> str:
    """Return a text with a capital at its start; the name of an operation or a file stays as it is."""
    return f"{text[:1].upper()}{text[1:]}" if text.partition(" ")[0].rstrip(",:;").isalpha() else text


def printable(text: str, *, keeps: str = "") -> str:
    """Return a text with control characters and lone surrogates escaped, so that it cannot steer a terminal.

    Characters in `keeps` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keeps else c.encode("unicode_escape").decode("ascii") for c in text)


def tell_distance(num_differing: int, num_elements: int, max_abs: float | None, max_ulp: int | None) -> str:
    """Return in how many elements two tensors differ, and by how much at most, where that is known."""
    ulp = "" if max_ulp is None else f" ({max_ulp:,} ulp)"
    most = "" if max_abs is None else f", by {tell_size(max_abs)}{ulp} at most"
    return f"in {num_differing:,} of {plural(num_elements, 'element')}{most}"


def tell_size(size: float) -> str:
    """Return a difference with two digits; one of some size as a whole number, never as ``1.2e+02``."""
    return f"{size:,.0f}" if LARGE <= size < HUGE else f"{size:.2g}"
