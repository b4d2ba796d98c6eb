"""An operation does not give the same bits twice, two runs part at one though all is replayed, or data have changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.suspects import Suspect
from reproof.schema.telling import tell_distance
from reproof.trace.probes import read_repetitions

if TYPE_CHECKING:
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.schema import Cause, CauseKind, Difference, OpCause, OpDifference, UnstableOp

KINDS_BY_ORIGIN: Final[dict[OpCause, CauseKind]] = {
    "computed": "nondeterministic-op",
    "random": "unseeded-rng",
    "argument": "unseen-source",
    "outside": "unseen-source",
    "uninitialized": "uninitialized-memory",
}
"""Kind of cause by what made an operation differ."""

UNSEEN: Final = (
    "This line computes with other data, though all that was seen to be read was replayed: they come from compiled "
    "code or another process that has a source of its own."
)
SEED_IT: Final = (
    "follow what this line is given back to the call that makes it; give that a seed, or sort what it returns"
)
"""Both for experiments, which had the same files: no file has changed, and the call is not known that brings it in."""


class UnstableOperation(Hypothesis["UnstableOp"]):
    """An operation gives different bits for the same inputs within one run."""

    def experiments(self, inquiry: Inquiry) -> UnstableOp | None:
        """Repeat each operation; return an unstable one before the divergence.

        Of several, return that at which the runs part, if it is among them.
        """
        repetitions = read_repetitions(inquiry.folder_of(inquiry.repeated), inquiry.first.rank)
        if repetitions is None or is_uninitialized(inquiry):
            return None
        unstable = [op for op in repetitions.unstable if is_before(op, inquiry.first)]
        found = parting_op(inquiry)
        same = [op for op in unstable if found is not None and (op.name, op.line) == (found.name, found.line)]
        return next(iter(same or unstable), None)

    def causes(self, inquiry: Inquiry, found: UnstableOp) -> list[Cause]:
        """Name the operation."""
        names = found.stable_with
        removed = f"with {' or with '.join(names)} always the same" if names else "no condition helped"
        apart = tell_distance(found.num_differing, found.num_elements, found.max_abs, found.max_ulp)
        evidence = (
            f"{found.name} ({found.phase}) gave {found.num_distinct} different results in {found.num_results} "
            f"executions on the same inputs (experiment {inquiry.repeated.number}), two of which differ {apart}; "
            f"{removed}{inquiry.tell_replica()}"
        )
        return [inquiry.name(at_operation(found, "nondeterministic-op", found.name), evidence)]


class PartingOperation(Hypothesis["OpDifference"]):
    """Two runs part at an operation although everything was replayed.

    That memory which nothing had written was read, and held other bits, is seen in the comparison itself. That an
    operation has no result of its own is only suspected, if it was stable when it was repeated. One that was given
    other data is not suspected: the data are; nor one that drew other numbers: the seed is.
    """

    def experiments(self, inquiry: Inquiry) -> OpDifference | None:
        """Return the first operation that differs between the replica and the run that repeats operations."""
        return parting_op(inquiry)

    def causes(self, inquiry: Inquiry, found: OpDifference) -> list[Cause]:
        """Name what made the operation differ."""
        source = "torch" if found.cause == "random" else found.name
        suspect = at_operation(found, KINDS_BY_ORIGIN[found.cause], source)
        repeated = "; it was stable when repeated" if found.cause == "computed" else ""
        evidence = f"with everything replayed, {found.explanation} (experiment {inquiry.repeated.number}){repeated}"
        evidence += inquiry.tell_replica()
        cause = inquiry.name(suspect, evidence, is_confirmed=found.cause == "uninitialized")
        return [replace(cause, reason=UNSEEN, fix=SEED_IT) if cause.kind == "unseen-source" else cause]


class ChangedData(Hypothesis["Trial"]):
    """Runs that were recorded earlier had other data than lie there now: all runs of today are the same.

    Within a check all runs had the same files.
    """

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether the baseline was recorded before the search, and parted where data come in."""
        return inquiry.setting.since is None and inquiry.first.stage == "batch" and inquiry.first.detail == "content"

    def experiments(self, inquiry: Inquiry) -> Trial | None:
        """Return the run that repeats the replica, if it is the same."""
        is_apart = not inquiry.replica.agrees_through(inquiry.step)
        return inquiry.repeated if is_apart and inquiry.repeated.agrees_through(inquiry.step) else None

    def causes(self, inquiry: Inquiry, found: Trial) -> list[Cause]:
        """Suspect the files; no line is known."""
        evidence = (
            f"two runs with everything replayed are identical to each other (experiments {inquiry.replica.number} and "
            f"{found.number}), and given other data than the baseline was: a file may have changed since"
        )
        return [inquiry.name(Suspect(key="data", kind="data-change", source="data"), evidence, is_confirmed=False)]


def parting_op(inquiry: Inquiry) -> OpDifference | None:
    """Return the operation at which the run that repeats operations parts from the replica, if one is known."""
    first = inquiry.repeated.first
    return None if first is None else first.op


def is_uninitialized(inquiry: Inquiry) -> bool:
    """Whether that operation read memory which nothing had written."""
    found = parting_op(inquiry)
    return found is not None and found.cause == "uninitialized"


def is_before(op: UnstableOp, first: Difference) -> bool:
    """Whether an operation was executed before the divergence: what comes after has not made it."""
    return first.num_events is None or op.num_events <= first.num_events


def at_operation(op: UnstableOp | OpDifference, kind: CauseKind, source: str) -> Suspect:
    """Return a suspect on the line of an operation."""
    return Suspect(
        key=f"{op.name}@{op.file}:{op.line}", kind=kind, source=source, file=op.file or None, line=op.line or None
    )
