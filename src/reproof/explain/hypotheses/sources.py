"""Values that the two runs read differently: seeds, clocks, orders, files of an earlier run, varied surroundings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reproof.explain.appearance import looks_harmless
from reproof.explain.doors import fold_agents
from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.hypotheses.races import share_parameters
from reproof.explain.hypotheses.variations import ARITHMETIC
from reproof.explain.kinds import KINDS
from reproof.explain.lines import Located, find_drawing_line, find_lines
from reproof.explain.minimize import minimize
from reproof.explain.replays import Replays, is_unseen
from reproof.explain.suspects import LOOKS_HARMLESS, START, VARIED, Suspect, rank

if TYPE_CHECKING:
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Setting
    from reproof.schema import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A smallest set of sources that make the difference.

    Attributes:
        located: Each with its line, and how that was found, as the end of a sentence.
        replays: The experiments on them.
    """

    suspects: tuple[Suspect, ...]
    located: tuple[Located, ...]
    replays: Replays


class DifferingSources(Hypothesis[Needed]):
    """The difference came in through sources of entropy, or through files of an earlier run."""

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether the divergence is gone when everything is replayed, and anything was read differently."""
        return inquiry.agrees(inquiry.replica) and any(s.key not in ARITHMETIC for s in inquiry.suspects)

    def experiments(self, inquiry: Inquiry) -> Needed | None:
        """Search for the smallest set whose values of the baseline take the divergence away."""
        replays = Replays(inquiry=inquiry)
        folder = inquiry.setting.request.folder
        suspects = fold_agents(
            inquiry.suspects, lambda one: find_lines(inquiry.replica, one.source, inquiry.first), folder
        )
        weighed = (weigh(s, inquiry.setting) for s in suspects if s.key not in ARITHMETIC)
        needed = replays.order(minimize(rank(weighed, inquiry.step), replays.explains))
        located = tuple(locate(suspect, inquiry) for suspect in needed)
        if not replays.has_diverged() and replays.explains(()):
            return None  # even the candidate's own values do not bring the divergence back
        is_racing = share_parameters(inquiry)
        is_doubtful = is_racing or inquiry.differs_anyway or any(is_unseen(suspect) for suspect in needed)
        if is_doubtful and not replays.is_proven(needed, is_racing=is_racing):
            return None
        inquiry.removals.add(*needed)
        return Needed(suspects=needed, located=located, replays=replays)

    def causes(self, inquiry: Inquiry, found: Needed) -> list[Cause]:
        """Name each source that is needed."""
        proofs = [found.replays.describe(found.suspects, suspect) for suspect in found.suspects]
        return [
            inquiry.name(place.suspect, f"{proof}{place.told}", is_confirmed=place.is_confirmed)
            for proof, place in zip(proofs, found.located, strict=True)
        ]


def weigh(suspect: Suspect, setting: Setting) -> Suspect:
    """Return a suspect with what its line, and the surroundings of the candidate, tell of it."""
    is_varied = any(name in setting.variations for name in KINDS[suspect.kind].variations)
    doubt = VARIED if is_varied else 0
    if suspect.file is not None and suspect.line is not None and suspect.kind != "state-on-disk":
        path = setting.request.folder / suspect.file
        doubt += LOOKS_HARMLESS if looks_harmless(path, suspect.line, suspect.kind, suspect.source) else 0
    return replace(suspect, doubt=doubt)


def locate(suspect: Suspect, inquiry: Inquiry) -> Located:
    """Return a suspect with its line, and how that was found."""
    if not suspect.key.endswith(START):
        return Located(suspect)
    return find_drawing_line(inquiry, suspect)
