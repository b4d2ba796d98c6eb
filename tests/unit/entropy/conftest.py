"""What tests of files share that are heard of by audit events."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.ledger import Ledger
from reproof.entropy.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def interceptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return an interceptor with a ledger; the working folder and the trace's are beside each other."""
    for name in ("work", "trace", "out"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return SimpleNamespace(folder=tmp_path / "trace", ledger=Ledger(tmp_path / "trace", "0"), plan=Plan())
