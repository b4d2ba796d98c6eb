"""Which file of one run is which of the other: paired by their names without known noise, then by their order.

A folder named after the time, a process number in the name of a log: two runs never agree on them. Left out on purpose:
any other likeness of names. ``best_acc0.91.pt`` and ``best_acc0.93.pt`` state different results.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from reproof.outputs.masks import mask_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reproof.outputs.records import FileOutput
    from reproof.outputs.surroundings import Surroundings

_COPY = re.compile(r"\d+")


class FilePair(NamedTuple):
    """A file of each run, or of one of them."""

    baseline: FileOutput | None
    candidate: FileOutput | None

    @property
    def name(self) -> str:
        """The name in the baseline, else in the candidate."""
        file = self.baseline or self.candidate
        return "" if file is None else file.name


def pair_files(
    baseline: Iterable[FileOutput],
    candidate: Iterable[FileOutput],
    surroundings: tuple[Surroundings | None, Surroundings | None],
    ignored: Sequence[str] = (),
) -> list[FilePair]:
    """Return pairs of files, in the order of the baseline's names; then those of the candidate alone.

    Several files whose masked names are equal are paired in the order of their own names, since times in names grow.
    Names that match a pattern of `ignored` are not compared.
    """
    baseline, candidate = list(baseline), list(candidate)
    groups, others = (
        _group((file for file in files if file.is_written), known, ignored)
        for files, known in zip((baseline, candidate), surroundings, strict=True)
    )
    pairs: list[FilePair] = []
    for name, files in groups.items():
        matching = others.pop(name, [])
        pairs += (FilePair(*pair) for pair in zip(files, matching, strict=False))
        pairs += (FilePair(file, None) for file in files[len(matching) :])
        pairs += (FilePair(None, file) for file in matching[len(files) :])
    return [*pairs, *(FilePair(None, file) for files in others.values() for file in files)]


def is_ignored(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name matches one of the patterns: as a whole, or its last part if the pattern has no folder.

    ``*`` stands for any characters, ``/`` too, so that ``wandb/*`` is all that is in there.
    """
    last = name.rpartition("/")[2]
    return any(
        fnmatchcase(name, pattern) or ("/" not in pattern and fnmatchcase(last, pattern)) for pattern in patterns
    )


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """Return a key that sorts names as people do: ``step_9`` before ``step_10``."""
    texts, numbers = _COPY.split(name), [*map(_to_int, _COPY.findall(name)), 0]
    return tuple(zip(texts, numbers, strict=True))


def _to_int(digits: str) -> int:
    return int(digits[:40])


def _group(
    files: Iterable[FileOutput], surroundings: Surroundings | None, ignored: Sequence[str]
) -> dict[str, list[FileOutput]]:
    groups: dict[str, list[FileOutput]] = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        if not is_ignored(file.name, ignored):
            name = file.name if surroundings is None else mask_name(file.name, surroundings)
            groups.setdefault(name, []).append(file)
    return groups
