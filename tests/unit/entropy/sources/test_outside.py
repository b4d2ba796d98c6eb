"""Whether a file outside of the working folder is an earlier run's; real runs are in `tests/causes` and integration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.handled import mark
from reproof.entropy.plan import Plan
from reproof.entropy.sources.outside import OutsideFiles

if TYPE_CHECKING:
    from pathlib import Path


def test_an_error_of_a_handler_is_not_taken_for_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `TimeoutError` is an `OSError`, too, and may come while a file is looked at."""
    interceptor: Any = SimpleNamespace(plan=Plan())
    files = OutsideFiles(interceptor, since=0.0)
    assert not files._is_of_earlier(str(tmp_path / "missing"))
    late = TimeoutError("time is up")
    mark(late)

    def interrupt(_: str) -> None:
        raise late

    monkeypatch.setattr(files, "_stat", interrupt)
    with pytest.raises(TimeoutError, match="time is up"):
        files._is_of_earlier(str(tmp_path / "missing"))
