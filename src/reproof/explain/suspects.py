"""The suspects of a divergence: the sources of entropy from which two runs read other values, likeliest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import OF_TASK
from reproof.explain.kinds import KINDS
from reproof.schema import parse_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reproof.entropy.ledger import Ledgers, Source
    from reproof.schema import CauseKind

THROUGH_LIBRARY: Final = 4
"""Less likely by so much: it was read through a package."""

FOLDER_ALONE: Final = 3
"""Less likely by so much: of what an earlier run wrote only the folder was listed, as before it is written again."""

LOOKS_HARMLESS: Final = 6
"""Less likely by so much: the line seems only to name something, or to print it."""

VARIED: Final = -4
"""Likelier by so much: the candidate ran under a variation of what it reads."""

OF_EARLIER: Final = "of earlier files"
"""End of the name under which it is noted that a folder with files of an earlier run is listed."""

START: Final = "@start"
"""End of the keys under which the first states of the global generators are recorded."""

STATE_READS: Final = {
    "random.getstate": "random",
    "numpy.random.get_state": "numpy.random",
    "torch.get_rng_state": "torch",
    "torch.initial_seed": "torch",
}
"""Calls that read the state of a global generator, without drawing from it, and the generator."""

HASH_SEED: Final = "hash-seed"
"""Key of PYTHONHASHSEED as a whole."""

DISK: Final = "disk"
"""Key of the files of an earlier run, and start of the keys of the lines that read them."""

VARIATION: Final = "vary:"
"""Start of the keys of varied surroundings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A source that two runs read differently.

    Attributes:
        key: Name of the source at its line, the same in every run.
        kind: Kind of cause that it would be.
        source: What was called.
        file: The user's file, or None.
        line: The line, or None.
        through: Package through which it was read, or None.
        first_step: Step of its first read.
        num_reads: How often it was read, as far as values are kept.
        reads: Where the state of this global generator was read, as to put it back later: it follows from the first.
        tasks: Keys of the same source in other tasks that were handed in on its line: they come and go together.
        files: Files of an earlier run that are read there, relative to the working folder.
        doubt: Added to the rank of its kind; the more, the less likely.
        order: Rank among those that are equally likely.
    """

    key: str
    kind: CauseKind
    source: str
    file: str | None = None
    line: int | None = None
    through: str | None = None
    first_step: int = 0
    num_reads: int = 0
    reads: tuple[Suspect, ...] = ()
    tasks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    doubt: int = 0
    order: int = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of what is replayed together."""
        return (self.key, *self.tasks, *(read.key for read in self.reads))

    @property
    def words(self) -> str:
        """What was read, and where."""
        if self.file is not None:
            return f"{self.source} at {self.file}:{self.line}"
        return f"the first state of {self.source}" if self.key.endswith(START) else self.key.removeprefix(VARIATION)


def collect_suspects(
    baseline: Ledgers, candidate: Ledgers, last_step: int, process: str | None = None
) -> list[Suspect]:
    """Return the sources that differ between two runs and were read before a divergence, in no order.

    What was first read after `last_step` cannot be the cause. Steps are those of the process with this label: what the
    others read was before, as far as is known; None if all count their steps together.
    """
    found: dict[str, Suspect] = {}
    unused = find_unused(baseline) & find_unused(candidate)
    for reader, a, b in pair_sources(baseline, candidate):
        known = a or b
        if known is None or known.key in found or known.key in unused or not differs(a, b):
            continue
        kind = parse_kind(known.kind)
        first_step = min(source.steps[0] for source in (a, b) if source is not None and source.steps)
        if process is not None and reader != process:
            first_step = 0
        if kind is not None and first_step <= last_step:
            found[known.key] = make_suspect(known, kind, first_step)
    return fold_state_reads(fold_tasks(list(found.values())))


def fold_tasks(suspects: list[Suspect]) -> list[Suspect]:
    """Take the reads of all tasks together that were handed in on one line."""
    by_line: dict[str, Suspect] = {}
    for suspect in suspects:
        line = suspect.key.partition(OF_TASK)[0]
        known = by_line.get(line)
        by_line[line] = suspect if known is None else replace(known, tasks=(*known.tasks, suspect.key))
    return list(by_line.values())


def fold_state_reads(suspects: list[Suspect]) -> list[Suspect]:
    """Take what was read of the state of a global generator together with the first state that it was made from."""
    reads: dict[str, list[Suspect]] = {}
    started = {suspect.source for suspect in suspects if suspect.key.endswith(START)}
    for suspect in suspects:
        if (source := STATE_READS.get(suspect.source)) in started:
            reads.setdefault(str(source), []).append(suspect)
    return [
        replace(suspect, reads=tuple(reads[suspect.source]))
        if suspect.key.endswith(START) and suspect.source in reads
        else suspect
        for suspect in suspects
        if STATE_READS.get(suspect.source) not in started
    ]


def make_suspect(source: Source, kind: CauseKind, first_step: int) -> Suspect:
    """Return a source as a suspect of a kind."""
    return Suspect(
        key=source.key,
        kind=kind,
        source=source.source,
        file=source.file,
        line=source.line,
        through=source.through,
        first_step=first_step,
        num_reads=len(source.values),
        order=int(source.source == "hash" and (source.function or "").endswith("__hash__")),
    )


def differs(a: Source | None, b: Source | None) -> bool:
    """Whether two runs read other values."""
    return (a.values if a is not None else []) != (b.values if b is not None else [])


def pair_sources(baseline: Ledgers, candidate: Ledgers) -> Iterator[tuple[str, Source | None, Source | None]]:
    """Yield what each process of either run read from each source, beside what the same process of the other did."""
    for process in dict.fromkeys([*baseline, *candidate]):
        a, b = baseline.get(process, {}), candidate.get(process, {})
        for key in dict.fromkeys([*a, *b]):
            yield process, a.get(key), b.get(key)


def find_unused(ledgers: Ledgers) -> set[str]:
    """Return the global generators whose first state no process has drawn from."""
    used: set[str] = set()
    unused: set[str] = set()
    for sources in ledgers.values():
        for key, source in sources.items():
            if source.values:
                is_unused = any(note.get("note") == "unused" for note in source.notes)
                (unused if is_unused else used).add(key)
    return unused - used


def rank(suspects: Iterable[Suspect], step: int) -> list[Suspect]:
    """Return suspects, likeliest first.

    One that was first read in the very step of a later divergence is likelier than all that were read from the start:
    those would have shown before.
    """

    def order(suspect: Suspect) -> tuple[int, int, int, str]:
        is_named = suspect.files and suspect.line is not None  # the user's line names the file that a library opens
        likely = KINDS[suspect.kind].rank + (THROUGH_LIBRARY if suspect.through and not is_named else 0)
        likely += suspect.doubt
        likely += FOLDER_ALONE if suspect.source.endswith(OF_EARLIER) else 0
        return (0 if step > 0 and suspect.first_step == step else 1, likely, suspect.order, suspect.key)

    return sorted(suspects, key=order)
