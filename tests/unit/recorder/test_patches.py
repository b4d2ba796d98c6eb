"""Functions are replaced for a time, by any number of recordings, and are the originals again afterwards."""

from __future__ import annotations

import inspect
import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.recorder.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable


def greet(name: str, *, loud: bool = False) -> list[str]:
    """Greet somebody."""
    return [name.upper() if loud else name]


def adding(word: str) -> Callable[[Callable[..., list[str]]], Callable[..., list[str]]]:
    """Return what wraps a function so that a word comes after its result."""

    def make(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
        def replacement(*args: Any, **kwargs: Any) -> list[str]:
            return [*original(*args, **kwargs), word]

        return replacement

    return make


@pytest.fixture
def owner() -> SimpleNamespace:
    """Return what has a function to replace."""
    return SimpleNamespace(greet=greet)


def test_a_replacement_looks_like_the_original(owner: SimpleNamespace) -> None:
    """Name, documentation and signature stay: frameworks look at them."""
    patches = Patches()
    patches.replace(owner, "greet", adding("!"))
    assert owner.greet("you", loud=True) == ["YOU", "!"]
    assert (owner.greet.__name__, owner.greet.__doc__) == ("greet", "Greet somebody.")
    assert inspect.signature(owner.greet) == inspect.signature(greet)
    patches.restore()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_original_is_back_whatever_the_order(owner: SimpleNamespace, order: tuple[int, ...]) -> None:
    """Of overlapping replacements each works until it is undone, and with the last one the original is back."""
    patches = [Patches() for _ in range(3)]
    for i, patch in enumerate(patches):
        patch.replace(owner, "greet", adding(str(i)))
    assert owner.greet("a") == ["a", "0", "1", "2"]
    for number, i in enumerate(order, start=1):
        patches[i].restore()
        waiting = {str(j) for j in order[number:]}
        assert waiting <= set(owner.greet("a"))
    assert owner.greet is greet


def test_what_somebody_else_has_wrapped_stays(owner: SimpleNamespace) -> None:
    """A wrapper of the training's own around ours is not taken away with ours."""
    patches = Patches()
    patches.replace(owner, "greet", adding("ours"))
    ours = owner.greet
    owner.greet = theirs = lambda name: [*ours(name), "theirs"]
    patches.restore()
    assert owner.greet is theirs
    assert owner.greet("a")[-1] == "theirs"


def test_one_replacement_may_follow_another(owner: SimpleNamespace) -> None:
    """Replacing again after a restore wraps the original and nothing that is left."""
    for word in ("x", "y"):
        patches = Patches()
        patches.replace(owner, "greet", adding(word))
        assert owner.greet("a") == ["a", word]
        patches.restore()
    assert owner.greet is greet


def test_restoring_twice_does_nothing_more(owner: SimpleNamespace) -> None:
    """What else was to be undone is undone once."""
    calls: list[str] = []
    patches = Patches()
    patches.on_restore(lambda: calls.append("first"))
    patches.on_restore(lambda: calls.append("second"))
    patches.restore()
    patches.restore()
    assert calls == ["second", "first"]
