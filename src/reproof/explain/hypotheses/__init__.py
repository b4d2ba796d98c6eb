"""The hypotheses about a divergence, in the order in which they are tested.

    hypothesis   what a hypothesis is: when it applies, its experiments, and the causes that they show
    variations   an operation computes otherwise in varied surroundings
    sources      values that the two runs read differently, files of an earlier run among them
    outside      files that an earlier run left outside of the working folder
    races        threads or processes race, or a timer interrupts the run
    addresses    objects are ordered by where they lie in memory
    operations   an operation does not give the same bits twice, or is where two runs part; or the data have changed
    memory       memory is read before anything has written it
    unseen       a call gives another result for the same inputs, and no tap sees why

To add a hypothesis, write it in a file of its own and give it a place in the tuples below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reproof.explain.hypotheses.addresses import Addresses
from reproof.explain.hypotheses.memory import DecidingMemory, MarkedMemory
from reproof.explain.hypotheses.operations import ChangedData, PartingOperation, UnstableOperation
from reproof.explain.hypotheses.outside import FilesOutside
from reproof.explain.hypotheses.races import Race, suspect_unrepeatable
from reproof.explain.hypotheses.sources import DifferingSources
from reproof.explain.hypotheses.unseen import UnseenSource
from reproof.explain.hypotheses.variations import VariedOperation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.explain.hypotheses.hypothesis import Hypothesis
    from reproof.explain.inquiry import Inquiry
    from reproof.schema import Cause

__all__ = ["BY_COMPUTING", "BY_READING", "FILES_OUTSIDE", "OF_LATER_EVENT", "find_causes", "suspect_unrepeatable"]

BY_READING: Final[tuple[Hypothesis[Any], ...]] = (VariedOperation(), DifferingSources())
"""Those where the divergence is gone when everything is replayed."""

FILES_OUTSIDE: Final = FilesOutside()

BY_COMPUTING: Final[tuple[Hypothesis[Any], ...]] = (
    Race(has_several=True),
    Addresses(),
    MarkedMemory(is_initial=True),
    UnstableOperation(),
    MarkedMemory(is_initial=False),
    DecidingMemory(is_evident=True),
    Race(has_several=False),
    UnseenSource(),
    DecidingMemory(is_evident=False),
    PartingOperation(),
    ChangedData(),
)
"""Those where it shows although everything is replayed."""

OF_LATER_EVENT: Final = tuple(one for one in BY_COMPUTING if not isinstance(one, (MarkedMemory, DecidingMemory)))
"""Those that a divergence may have besides what is read, where another event of its step differs for another reason.

Not memory: it counts only if it reaches the first event, and is read for a warm-up whose result is thrown away.
"""


def find_causes(hypotheses: Iterable[Hypothesis[Any]], inquiry: Inquiry) -> list[Cause]:
    """Return the causes that the first hypothesis finds that finds any; none if none does."""
    return next((causes for hypothesis in hypotheses if (causes := hypothesis.test(inquiry))), [])
