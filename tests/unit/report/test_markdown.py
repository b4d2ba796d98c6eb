"""Rows as Markdown: what a reviewer needs, and nothing of a run is markup in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reproof.report.markdown import code, escape, render_markdown

if TYPE_CHECKING:
    from pathlib import Path


class TestMarkdown:
    """For a pull request."""

    def test_verdict_divergence_and_counts(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """What a reviewer needs, in a few lines."""
        text = render_markdown(make_report(*parted))
        assert text.startswith("### ≠ The runs part in step 5, in the order of a batch\\.\n")
        assert "**First divergence:** step 5, batch (order), `loader0(100) indices`" in text
        assert "| loss | 12 | 7 |" in text

    def test_nothing_of_a_run_is_markup(self) -> None:
        """Neither in text nor in code, whatever fences it has."""
        assert escape("<b>[x](http://a) @user #1\nnext") == "\\<b\\>\\[x\\]\\(http\\:\\/\\/a\\) \\@user \\#1 next"
        assert code("a``b|c") == "``` a``b\\|c ```"
