"""What is known of a run while its output is captured: the numbers of its processes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from reproof.recorder.outputs.capture import find_process_numbers


class TestProcessNumbers:
    """What Linux has given to programs since a run began."""

    @pytest.fixture
    def tell(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Return what sets the text of ``/proc/loadavg``; None takes the file away."""

        def tell(text: str | None) -> None:
            def read_text(path: Path, **_: Any) -> str:
                assert path == Path("/proc/loadavg")
                if text is None:
                    raise FileNotFoundError(path)
                return io.StringIO(text).read()

            monkeypatch.setattr(Path, "read_text", read_text)

        return tell

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0.20 0.18 0.12 1/80 150\n", (100, 150)),
            ("0.20 0.18 0.12 1/80 100\n", (100, 100)),
            ("0.20 0.18 0.12 1/80 99\n", None),
            ("0.20 x\n", None),
            ("", None),
            (None, None),
        ],
        ids=["later ones", "none", "begun anew", "no number", "empty", "no such file"],
    )
    def test_the_first_and_the_last(self, text: str | None, expected: tuple[int, int] | None, tell: Any) -> None:
        """From its own number on; nothing where the system does not tell, or has begun anew."""
        tell(text)
        assert find_process_numbers(100) == expected

    @pytest.mark.skipif(not Path("/proc/loadavg").exists(), reason="no such file here")
    def test_a_child_is_among_them(self) -> None:
        """On the system itself."""
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        found = find_process_numbers(os.getpid())
        assert found is None or found[0] <= child <= found[1]
