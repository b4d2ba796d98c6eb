"""Each kind of cause has its row, its page and its test case."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from reproof.explain.kinds import KINDS, SURROUNDINGS
from reproof.launch.variations import NAMES
from reproof.schema import CAUSE_KINDS

ROOT = Path(__file__).resolve().parents[3]
PAGES = ROOT / "docs" / "causes"
CASES = runpy.run_path(str(ROOT / "tests" / "causes" / "cases.py"))["CASES"]
HEADINGS = ["Symptom", "Why", "Fix", "Proof", "Source"]

BETWEEN_SCRIPTS = {
    "code-change": "tests/integration/test_explain_command.py",
    "data-change": "tests/unit/explain/hypotheses/test_operations.py",
}
"""Kinds that no single script can plant, and where they are tested."""


def test_each_kind_has_its_row() -> None:
    """Nothing is in the table that is no kind of cause."""
    assert set(KINDS) == set(CAUSE_KINDS)


@pytest.mark.parametrize("kind", CAUSE_KINDS)
def test_each_kind_has_its_test_case(kind: str) -> None:
    """A training in `tests/causes` whose fault it is, or a test of two scripts."""
    if kind in BETWEEN_SCRIPTS:
        assert f'"{kind}"' in (ROOT / BETWEEN_SCRIPTS[kind]).read_text(encoding="utf-8")
    else:
        assert [case.name for case in CASES if kind in case.kinds]


@pytest.mark.parametrize("kind", CAUSE_KINDS)
def test_each_kind_has_its_page(kind: str) -> None:
    """It tells symptom, reason, fix, proof and source."""
    text = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# `{kind}`")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    assert "https://" in text.partition("## Source")[2]


def test_the_index_names_every_page() -> None:
    """docs/causes/README.md links to the page of each kind, and no other page lies there."""
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in PAGES.glob("*.md")} - {"README"} == set(CAUSE_KINDS)
    assert [kind for kind in CAUSE_KINDS if f"({kind}.md)" not in index] == []


def test_each_variation_belongs_to_one_kind() -> None:
    """It is one by itself, or changes what sources of one kind give."""
    changed = [name for row in KINDS.values() for name in row.variations]
    assert sorted([*SURROUNDINGS, *changed]) == sorted(NAMES)
