"""Open a trace as far as it can be opened, and say what cannot: for looking at what is left of a run.

Comparing never does this: it opens a trace whole (`reproof.trace.reader`) or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.errors import TraceError
from reproof.trace import format as fmt
from reproof.trace.files import list_folder
from reproof.trace.header import read_header
from reproof.trace.rank import RankTrace
from reproof.trace.reader import RECORDED, Trace

if TYPE_CHECKING:
    import os

    from reproof.schema import RunHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvagedTrace:
    """A trace as far as it can be opened.

    Attributes:
        header: What is known of the run once; None if it cannot be read.
        ranks: The processes whose files can be read, without the frames that are damaged at their end.
        damage: What cannot be read, one line each.
    """

    folder: Path
    header: RunHeader | None
    ranks: dict[int, RankTrace]
    damage: tuple[str, ...]

    def verify(self) -> str | None:
        """Check every byte of every process; return the first thing that is damaged, or None."""
        if self.damage or self.header is None:
            return self.damage[0]
        try:
            Trace(self.folder, self.header, self.ranks).verify()
        except TraceError as error:
            return error.problem
        return None

    def explain_incomplete(self) -> str | None:
        """Return why this is not the record of a whole run, or None if it is."""
        if self.header is None:
            return f"how the run ended is unknown: {fmt.RUN_FILE} cannot be read"
        if self.header.status == "complete" and self.damage:
            return "a part of it cannot be read"
        return Trace(self.folder, self.header, self.ranks).explain_incomplete()


def salvage_trace(path: str | os.PathLike[str]) -> SalvagedTrace:
    """Open what can be opened of a trace. Raises TraceError if there is no trace, or nothing of it can be read."""
    folder = Path(path)
    names = list_folder(folder, "trace", RECORDED)
    numbers = sorted(rank for name in names if name.endswith(".frames") and (rank := fmt.rank_of(name)) is not None)
    if fmt.RUN_FILE not in names and not numbers:
        raise TraceError(f"{folder} is not a trace: it has no {fmt.RUN_FILE}", RECORDED, slug="trace-foreign")
    header, errors = _try_header(folder)
    ranks = {}
    for number in numbers:
        try:
            ranks[number] = _open_rank(folder, number, header)
        except TraceError as error:
            errors.append(error)
    if header is None and not ranks:
        raise errors[0]
    damage = [error.problem for error in errors] or ([] if ranks else [f"{folder} holds no recorded process"])
    damage += [line for rank in ranks.values() for line in _leave_out_damaged_end(rank)]
    return SalvagedTrace(folder=folder, header=header, ranks=ranks, damage=tuple(damage))


def _try_header(folder: Path) -> tuple[RunHeader | None, list[TraceError]]:
    try:
        return read_header(folder), []
    except TraceError as error:
        return None, [error]


def _open_rank(folder: Path, number: int, header: RunHeader | None) -> RankTrace:
    if header is not None and number >= header.num_ranks:
        problem = f"{folder} holds files of rank {number}, which the run did not have"
        raise TraceError(problem, "record the run again", slug="trace-damaged")
    run_id = bytes.fromhex(header.run_id) if header is not None and number == 0 else None
    return RankTrace(folder, number, run_id, check_last=False)


def _leave_out_damaged_end(rank: RankTrace) -> list[str]:
    """Shorten the trace of a process to where it can be read, and say what was left out.

    A machine that loses power leaves the last frames without their digests or values.
    """
    num_frames = rank.num_frames
    problem = find_damage(rank, num_frames - 1)
    if problem is None:
        return []
    rank.num_frames = find_sound_end(rank)
    return [problem, f"of the {num_frames} frames of rank {rank.rank} only the first {rank.num_frames} can be read"]


def find_damage(rank: RankTrace, index: int) -> str | None:
    """Return what is wrong with a frame, or None; before the first there is nothing to be wrong."""
    try:
        if index >= 0:
            rank.frame(index)
    except TraceError as error:
        return error.problem
    return None


def find_sound_end(rank: RankTrace) -> int:
    """Return how many frames can be read, where the last cannot.

    Supposes that the damage reaches from one place to the end: looks back at doubling distances, then bisects.
    """
    last, distance = rank.num_frames - 1, 1
    while find_damage(rank, last - distance) is not None:
        distance *= 2
    sound, damaged = max(-1, last - distance), last - distance // 2
    while damaged - sound > 1:
        middle = (sound + damaged) // 2
        if find_damage(rank, middle) is None:
            sound = middle
        else:
            damaged = middle
    return sound + 1
