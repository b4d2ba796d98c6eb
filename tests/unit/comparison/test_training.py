"""When all that differs is of models that no optimizer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import training
from reproof.comparison.training import find_untrained
from reproof.schema import Event
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path


def find(folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Return what is found of two runs."""
    a, b = (open_trace(folder).ranks[0] for folder in folders)
    return find_untrained(a, b)


@pytest.mark.parametrize(
    ("differing", "expected"),
    [(("Thrown.w",), ("Thrown",)), (("Thrown.w", "Net.w"), ()), (("Thrown.w", "Other.w"), ("Thrown", "Other"))],
)
def test_models_that_are_never_trained(
    run: Any, say: Any, monkeypatch: pytest.MonkeyPatch, differing: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """All that differs is theirs; nothing is said where more differs than is looked at."""
    words = [("init", name) for name in ("Thrown.w", "Other.w", "Net.w")] + [("gradient", "Net.w")]

    def say_all(name: str) -> list[Any]:
        return [
            say.data(name if word in differing else "same")._replace(event=Event(stage=stage, name=word, num_tensors=1))
            for stage, word in words
        ]

    runs = tuple(run(name, say_all(name)) for name in "ab")
    assert find(runs) == expected
    monkeypatch.setattr(training, "MAX_DIFFERING", 2)
    assert find(runs) == (expected if len(differing) == 1 else ())
