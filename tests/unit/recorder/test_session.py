"""Which ends of a block count as the end of a whole run."""

from __future__ import annotations

from reproof.recorder.session import is_clean_exit


def test_which_exits_are_clean() -> None:
    """What the shell takes for success, and nothing else."""
    assert all(is_clean_exit(SystemExit(code)) for code in (None, 0, False, 256))
    assert not any(is_clean_exit(SystemExit(code)) for code in (1, True, 0.0, "", [], (0, 0)))
    assert not is_clean_exit(KeyboardInterrupt())
