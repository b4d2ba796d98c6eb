"""Hold the evidence of two traces against its checksums, and what the chains call equal against its bytes.

The first difference is found by bisection over the chains, which looks at some twenty frames of a million: a digest
that was damaged afterwards in any other frame would go unseen. Whole files are verified where that takes no longer than
starting Python; in larger ones the digests themselves are compared, which a million steps allow too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.trace.files import damaged

if TYPE_CHECKING:
    from reproof.trace import RankTrace, Trace

VERIFIED_BYTES: Final = 1 << 20
"""Size up to which a trace is verified unasked: two of them take some 50 ms (`benchmarks/comparing.py`)."""

DIGESTS_AT_A_TIME: Final = 1 << 12
"""64 KiB: larger pieces take four times as long, since each then gets memory of its own from the system."""


def verify_traces(baseline: Trace, candidate: Trace, *, is_wanted: bool | None) -> bool:
    """Hold every byte of two traces against its checksums and return True, or leave it.

    With `is_wanted` None it is done where both are small. Raises TraceError naming the first thing that is damaged.
    """
    ranks = [rank for trace in (baseline, candidate) for rank in trace.ranks.values()]
    sizes = (sum(rank.num_bytes for rank in trace.ranks.values()) for trace in (baseline, candidate))
    is_done = all(size <= VERIFIED_BYTES for size in sizes) if is_wanted is None else is_wanted
    for rank in ranks if is_done else ():
        rank.verify(reads_numbers=False)
    return is_done


def check_equal_digests(a: RankTrace, b: RankTrace, num_frames: int) -> None:
    """Check that the digests of frames whose chains are equal are equal themselves.

    Raises TraceError if they are not: then one of the traces is damaged.
    """
    stop = a.events_before(num_frames)
    if stop == b.events_before(num_frames) and _have_equal_digests(a, b, stop):
        return
    for trace in (a, b):
        trace.verify()
    raise damaged(a.folder, f"its digests are not those of {b.folder}, and its checksums are")


def _have_equal_digests(a: RankTrace, b: RankTrace, stop: int) -> bool:
    parts = ((start, min(start + DIGESTS_AT_A_TIME, stop)) for start in range(0, stop, DIGESTS_AT_A_TIME))
    return all(a.digests(*part) == b.digests(*part) for part in parts)
