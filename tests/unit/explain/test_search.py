"""What a search keeps when its experiments are spent; whole searches are tests of real runs (`tests/causes`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.laboratory import BudgetSpentError
from reproof.explain.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable


def test_what_was_found_is_kept_when_no_more_experiments_may_be_made(
    monkeypatch: pytest.MonkeyPatch, make_inquiry: Callable[..., Any]
) -> None:
    """A step that differs by what is read is searched for operations as well, which may cost more than there is."""
    inquiry = make_inquiry(differs_anyway=True)
    cause: Any = object()
    read: Any = type("Read", (), {"test": lambda *_: [cause]})()
    monkeypatch.setattr("reproof.explain.search.BY_READING", (read,))
    monkeypatch.setattr("reproof.explain.search.open_inquiry", lambda *_: inquiry)
    search = Search(laboratory=inquiry.laboratory, candidate=inquiry.candidate)
    with pytest.raises(BudgetSpentError):
        search.explain(inquiry.first)
    assert search.causes == [cause]
