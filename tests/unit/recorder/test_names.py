"""Names by identity last as long as what they name."""

from __future__ import annotations

from reproof.recorder.names import KnownNames


class Thing:
    """Something to be named."""


def test_the_first_name_stays() -> None:
    """Until the thing is forgotten."""
    names, thing = KnownNames(), Thing()
    names.note(thing, "a")
    names.note(thing, "b")
    assert names.find(thing) == "a"
    names.forget(thing)
    assert names.find(thing) is None


def test_another_thing_at_the_same_address_does_not_inherit_the_name() -> None:
    """Of another type even if nobody saw the first one die."""
    names, thing = KnownNames(), Thing()
    names._names[id(thing)] = (int, "number")
    assert names.find(thing) is None
