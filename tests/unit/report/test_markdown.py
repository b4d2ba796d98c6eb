"""Rows as Markdown: what a reviewer needs, and nothing of a run is markup in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reproof.report.markdown import code, escape, render_markdown
from reproof.report.records import ConditionRow
from reproof.schema import Fix

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.report.records import CauseRow


class TestMarkdown:
    """For a pull request."""

    def test_verdict_divergence_and_counts(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """What a reviewer needs, in a few lines."""
        text = render_markdown(make_report(*parted))
        assert text.startswith("### ≠ The runs part in step 5, in the order of a batch.\n")
        assert "**First divergence:** step 5, batch (order), `loader0(100) indices`" in text
        assert "| loss | 12 | 7 |" in text

    def test_nothing_of_a_run_is_markup(self) -> None:
        """Neither in text nor in code, whatever fences it has."""
        assert escape("<b>[x](http://a) @user #1\nnext") == "\\<b\\>\\[x\\](http\\://a) \\@user \\#1 next"
        assert [escape(text) for text in ("1. x", "+ x", "_x_ y_z", "www.a.b")] == [
            "1\\. x",
            "\\+ x",
            "\\_x\\_ y_z",
            "www\\.a.b",
        ]
        assert code("a``b|c") == "``` a``b\\|c ```"

    def test_a_change_is_a_diff_at_its_line(self, make_report: Any, parted: tuple[Path, Path], cause: CauseRow) -> None:
        """The seed that each run has of its own is no condition to look at, unless it is to blame."""
        fix = Fix(action="replace", file="train.py", line=3, old="x = 1", new="x = 2", remark="as before")
        changed = replace(cause, fix=fix)
        report = make_report(*parted)
        seed = ConditionRow(name="python.hash_seed", baseline="1", candidate="2", differs=True)
        text = render_markdown(replace(report, causes=(changed,), conditions=(seed,)))
        assert "```diff\n@@ train.py:3 @@\n- x = 1\n+ x = 2\n```\n\nAs before.\n" in text
        assert "hash_seed" not in text
        blamed = replace(changed, kind="hash-order")
        assert "| `python.hash_seed` | `1` | `2` |" in render_markdown(
            replace(report, causes=(blamed,), conditions=(seed,))
        )
