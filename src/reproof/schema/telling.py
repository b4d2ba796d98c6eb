"""How results are told: numbers with their nouns, and a verdict as HTML for who looks at it in a notebook."""

from __future__ import annotations

import html
from typing import Final

COLOURS: Final = {"identical": "#15803d", "equivalent": "#15803d", "diverged": "#b91c1c", "inconclusive": "#a16207"}


def draw_html(verdict: str, text: str) -> str:
    """Return a text that begins with a verdict as HTML, the verdict in its colour."""
    rest = html.escape(text.removeprefix(verdict))
    return f'<pre><b style="color:{COLOURS[verdict]}">{verdict}</b>{rest}</pre>'


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number with thousands separated, and its noun; `nouns` is the plural where no ``s`` makes it."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
