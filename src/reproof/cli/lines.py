"""Lines of text for a person at a terminal: sections, the first few of many, and what a terminal may print."""

from __future__ import annotations

MAX_SHOWN = 8


def section(title: str, lines: list[str]) -> list[str]:
    """Return lines under a title; nothing if there are no lines."""
    return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def limit(lines: tuple[str, ...]) -> list[str]:
    """Return the first lines, and how many there are beyond."""
    more = [f"… and {len(lines) - MAX_SHOWN} more"] if len(lines) > MAX_SHOWN else []
    return [*map(printable, lines[:MAX_SHOWN]), *more]


def printable(text: str) -> str:
    """Return a text with control characters and lone surrogates escaped, so that it cannot steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number with thousands separated, and its noun; `nouns` is the plural where no ``s`` makes it."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
