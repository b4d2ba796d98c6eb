"""Threads or processes race, or a timer interrupts the run: the order in which things happen is not fixed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.remedies import REMARK
from reproof.explain.suspects import Suspect, collect_suspects

if TYPE_CHECKING:
    from collections.abc import Collection

    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.schema import Cause

STARTED: Final = frozenset({"threading.Thread", "multiprocessing.Process", "random numbers in the tasks of a pool"})
"""What runs beside the main thread, and may race with it."""

COMBINED: Final = frozenset({"loss", "gradient", "update"})
"""Stages in which what threads have computed has been put together."""

RETURN_GRADIENTS: Final = "have each task return its gradients: what it adds to .grad itself has no order"

SHARED: Final = "parameters in shared memory"
"""Source that is noted where an optimizer steps on parameters that other processes may hold."""

TIMERS: Final = frozenset({"signal.alarm", "signal.setitimer"})
"""Sources that are noted when they interrupt a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race(Hypothesis[tuple["Trial", "Trial"]]):
    """Several threads or processes race with each other, or a single one with the main thread.

    Attributes:
        has_several: Which of both; several are likelier to race, and are tried earlier.
    """

    has_several: bool

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether so many threads or processes were started."""
        num_started = len(find_started(inquiry))
        return num_started > 1 if self.has_several else num_started == 1

    def experiments(self, inquiry: Inquiry) -> tuple[Trial, Trial] | None:
        """Let threads take turns, twice; return both runs if they are identical to each other."""
        plan = Plan(baseline=inquiry.baseline, serializes=True)
        run, num_steps = inquiry.laboratory.run, inquiry.num_steps
        one = run("everything replayed, threads take turns", plan, num_steps=num_steps)
        two = run(f"as experiment {one.number}, once more", plan, num_steps=num_steps, compare_with=one.trace)
        return (one, two) if two.agrees_through(inquiry.step) else None

    def causes(self, inquiry: Inquiry, found: tuple[Trial, Trial]) -> list[Cause]:
        """Name the line that waits for what they compute, if it came in another order, or that started the first.

        Between them comes the line that trains what other processes train.
        """
        one, two = found
        evidence = (
            f"two runs with everything replayed in which threads take turns are identical through step {inquiry.step} "
            f"(experiments {one.number} and {two.number}); with everything replayed but threads running freely they "
            "differ"
        )
        shared = find_unrepeatable(inquiry, {SHARED}) if share_parameters(inquiry) else []
        awaited = find_awaited(inquiry)
        cause = inquiry.name(awaited or next(iter((*shared, *find_started(inquiry)))), evidence)
        if awaited is None or inquiry.first.stage == "loss" or cause.change is None:
            return [cause]
        # Whether the threads add up gradients themselves, or who waits for them does, is not seen.
        change = replace(cause.change, remark=RETURN_GRADIENTS)
        return [replace(cause, fix=f"{cause.fix.partition(REMARK)[0]}{REMARK}{RETURN_GRADIENTS}", change=change)]


def find_started(inquiry: Inquiry) -> list[Suspect]:
    """Return the lines that started threads or processes before the divergence, once for each that was started."""
    found = []
    for sources in read_ledgers(inquiry.replica.trace).values():
        for source in sources.values():
            if source.source in STARTED and source.steps and source.steps[0] <= inquiry.last_read_step:
                suspect = Suspect(
                    key=source.key, kind="concurrency", source=source.source, file=source.file, line=source.line
                )
                found += [suspect] * len(source.values)
    return found


def find_awaited(inquiry: Inquiry) -> Suspect | None:
    """Return the line at which results of threads came in another order; None where data, not results, are read."""
    if inquiry.first.stage not in COMBINED:
        return None
    lines = (one for one in inquiry.suspects if one.kind == "concurrency" and one.source not in STARTED)
    return min((one for one in lines if one.line is not None), key=lambda one: (one.file, one.line), default=None)


def share_parameters(inquiry: Inquiry) -> bool:
    """Whether several processes trained parameters in the same memory: then runs agree, or do not, by chance."""
    num_processes = sum(
        any(s.source == SHARED for s in one.values()) for one in read_ledgers(inquiry.candidate).values()
    )
    return num_processes > 1


def find_unrepeatable(inquiry: Inquiry, sources: Collection[str]) -> list[Suspect]:
    """Return the lines with one of these sources, which are the same in each run."""
    read = collect_suspects(read_ledgers(inquiry.candidate), {}, inquiry.last_read_step, inquiry.first.label)
    return [one for one in read if one.source in sources]


def suspect_unrepeatable(inquiry: Inquiry) -> list[Cause]:
    """Return the lines that started a timer which interrupted the run, or that trained what other processes train."""
    told = dict.fromkeys(
        TIMERS, "a timer interrupted the run before it diverged; no experiment can have it do so at the same moment"
    )
    if share_parameters(inquiry):
        told[SHARED] = (
            "several processes changed the same parameters, each when it got there; no experiment can have them do so "
            "in the same order"
        )
    return [inquiry.name(one, told[one.source], is_confirmed=False) for one in find_unrepeatable(inquiry, told)]
