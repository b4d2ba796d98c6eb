"""What keeps a training from reproducing, as far as its script shows: one module per way in.

Each module has a function `find` that yields findings. All follow one rule: when it is not certain, say nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.doctor.rules import generators, late_seeds, loaders, memory, order, outside, seeding, settings

if TYPE_CHECKING:
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.records import Finding

RULES: Final = (
    seeding.find,
    late_seeds.find,
    generators.find,
    outside.find,
    order.find,
    loaders.find,
    settings.find,
    memory.find,
)


def find_all(reading: Reading) -> tuple[Finding, ...]:
    """Return what all rules find in a script, in the order of its files and lines, each place once per kind."""
    order_of = {source.shown: position for position, source in enumerate(reading.program.sources)}
    found = {(item.kind, item.file, item.line): item for rule in RULES for item in rule(reading)}
    return tuple(sorted(found.values(), key=lambda item: (order_of.get(item.file, 0), item.line, item.kind)))
