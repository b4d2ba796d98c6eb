"""Times that compiled code has measured are noted and given back where they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.autograd import profiler_util

from reproof.entropy.interception import Interceptor
from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.entropy.sources.clocks import tap_profiler

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_table_of_the_profiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for, or printed: the one of the run that is replayed."""
    events = profiler_util.EventList([])
    monkeypatch.setattr(profiler_util.EventList, "table", profiler_util.EventList.table)  # put back at the end
    interceptor = Interceptor(tmp_path, "0", Plan(baseline="x"))
    interceptor.values_of = lambda _key: ["1.5 us"]  # type: ignore[method-assign]
    tap_profiler(interceptor, profiler_util)
    assert events.table() == "1.5 us"
    assert str(events) == "1.5 us"
    interceptor.flush()
    found = read_ledgers(tmp_path)["0"].values()
    assert [(source.kind, source.values) for source in found] == [("wall-clock", ["1.5 us"])] * 2
