"""What is said while the runs of a check are under way, and when they are interrupted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli.check_progress import RunProgress

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("", ""),
        ("a", "reproof: a ended after 1 step\nreproof: no run came to its end; what was recorded is in a\n"),
        ("a b gone", "reproof: gone ended after 1 step\nreproof: kept, as they came to their end: a b\n"),
        ("gone", "reproof: gone ended after 1 step\n"),
    ],
)
def test_an_interrupted_check_says_what_is_kept(
    names: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs that came to their end can be compared; the last one did not, and those of experiments are gone."""
    monkeypatch.chdir(tmp_path)
    progress = RunProgress(is_shown=False)
    for name in names.split():
        trace = tmp_path.relative_to(tmp_path) / name
        if "gone" not in name:
            trace.mkdir()
        request = SimpleNamespace(
            trace=trace, num_steps=None, errors=trace / "errors", shows_output=False, folder=tmp_path
        )
        process: Any = SimpleNamespace(request=request, num_steps=1, seconds=1.0, is_interrupted=True)
        progress.watch([process])
    progress.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == told
