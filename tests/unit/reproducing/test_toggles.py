"""Which surroundings are set as they were, and which of them is found to matter."""

from __future__ import annotations

import pytest

from reproof.bundle.surroundings import EnvironmentRow
from reproof.reproducing.toggles import Toggle, find_restoring, list_toggles


def row(name: str, original: str, here: str) -> EnvironmentRow:
    """Return a circumstance that differs."""
    return EnvironmentRow(name=name, original=original, here=here, grade="matters")


def test_threads_are_set_back_only_where_the_user_asked_for_others() -> None:
    """Without --threads a re-run has the bundle's number already."""
    rows = (row("torch.threads.intraop", "2", "1"),)
    assert [toggle.threads for toggle in list_toggles(rows, forced_threads=1)] == [2]
    assert list_toggles(rows, forced_threads=None) == ()


def test_variables_are_set_or_taken_away() -> None:
    """A variable that was not set is taken away; one that is none of the known is never set."""
    rows = (
        row("variables.MKL_CBWR", "not set", "COMPATIBLE"),
        row("variables.ONEDNN_MAX_CPU_ISA", "AVX2", "not set"),
        row("variables.LD_PRELOAD", "/tmp/evil.so", "not set"),  # noqa: S108  # a name in a hostile bundle
        row("packages.numpy", "1", "2"),
    )
    variables = [variable for toggle in list_toggles(rows, None) for variable in toggle.variables]
    assert variables == [("MKL_CBWR", None), ("ONEDNN_MAX_CPU_ISA", "AVX2")]


@pytest.mark.parametrize(("original", "here", "emulated"), [("AVX2", "AVX512", True), ("AVX512", "AVX2", False)])
def test_a_processor_is_emulated_by_one_that_can_more(
    original: str,
    here: str,
    emulated: bool,  # noqa: FBT001  # a parameter
) -> None:
    """Instructions can be left unused; they cannot be made up."""
    toggles = list_toggles((row("torch.cpu_capability", original, here),), None)
    assert [toggle.variables for toggle in toggles] == ([(("ATEN_CPU_CAPABILITY", "avx2"),)] if emulated else [])


def make_toggles(names: str) -> tuple[Toggle, ...]:
    """Return toggles of these names."""
    return tuple(Toggle(name=name, original="1", here="2") for name in names)


@pytest.mark.parametrize("needed", ["a", "c", "bc", "abcd", "ad"])
def test_the_smallest_set_that_restores_is_found(needed: str) -> None:
    """Whichever of several differences are to blame, they are found, no more and no fewer, none of them tried twice."""
    tried: list[frozenset[str]] = []

    def restores(chosen: tuple[Toggle, ...]) -> bool:
        tried.append(frozenset(toggle.name for toggle in chosen))
        return set(needed) <= tried[-1]

    found = find_restoring(make_toggles("abcd"), restores)
    assert {toggle.name for toggle in found} == set(needed)
    assert len(tried) == len(set(tried))


def test_nothing_is_confirmed_where_nothing_restores() -> None:
    """One experiment with all of them shows it."""
    tried: list[int] = []

    def restores(chosen: tuple[Toggle, ...]) -> bool:
        tried.append(len(chosen))
        return False

    assert find_restoring(make_toggles("abc"), restores) == ()
    assert tried == [3]
