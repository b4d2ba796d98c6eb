"""What a hypothesis about a divergence is: when it applies, its experiments, and the causes that they show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from reproof.errors import TraceError

if TYPE_CHECKING:
    from reproof.explain.inquiry import Inquiry
    from reproof.schema import Cause

F = TypeVar("F")
"""What the experiments of a hypothesis have found, as far as it takes to say so."""


class Hypothesis(ABC, Generic[F]):
    """One way in which two runs may have come to differ."""

    def applies(self, inquiry: Inquiry) -> bool:  # noqa: ARG002  # for those that decide by it
        """Whether it can be so, by what the replica has recorded; makes no experiment."""
        return True

    @abstractmethod
    def experiments(self, inquiry: Inquiry) -> F | None:
        """Make the experiments; return what they have found, or None if it is not so.

        Raises BudgetSpentError if no more experiments may be made.
        """

    @abstractmethod
    def causes(self, inquiry: Inquiry, found: F) -> list[Cause]:
        """Return the causes, with the experiments as their evidence; makes no experiment."""

    def test(self, inquiry: Inquiry) -> list[Cause]:
        """Return the causes that this hypothesis finds for a divergence, or none.

        None either where an experiment, or a process of it, was killed and has not left what is to be read.
        """
        try:
            found = self.experiments(inquiry) if self.applies(inquiry) else None
            return [] if found is None else self.causes(inquiry, found)
        except TraceError:
            return []
