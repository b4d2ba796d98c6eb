"""Which lines are tried first of those that allocate memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.explain.hypotheses.memory import looks_unwritten

if TYPE_CHECKING:
    from pathlib import Path


def test_lines_that_say_that_they_allocate_are_known(tmp_path: Path) -> None:
    """By the words of the functions that leave memory unwritten."""
    lines = ["np.log(x, where=x > 0)", "nn.Linear(3, 4)", "self.store.resize_(9)"]
    (tmp_path / "train.py").write_text("\n".join(lines), encoding="utf-8")
    assert [looks_unwritten(tmp_path, "train.py", n) for n in (1, 2, 3)] == [True, False, True]
