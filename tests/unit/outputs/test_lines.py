"""From pieces of text to the lines that are left standing, and how the lines of two runs are compared."""

from __future__ import annotations

import pytest

from reproof.outputs import lines as lines_module
from reproof.outputs.lines import MAX_LINE_CHARACTERS, LineCollector, split_lines


def collect(*pieces: str, worker: str = "") -> list[str]:
    """Return the lines of text that is written in pieces."""
    collector = LineCollector()
    for piece in pieces:
        collector.write("stdout", piece, worker)
    return [line.text for line in collector.finish()[0]]


class TestScreen:
    """What is overwritten is no line."""

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("a\nb\n", ["a", "b"]),
            ("a\r\nb", ["a", "b"]),
            ("10%\r20%\r30%\n", ["30%"]),
            ("\r 1/2\r 2/2\ndone\n", [" 2/2", "done"]),
            ("bar\r     \rnext\n", ["next"]),
            ("bar\x1b[2K\rnext\n", ["next"]),
            ("\x1b[1mbold\x1b[0m text\n", ["bold text"]),
            ("\x1b]0;title\x07text\n", ["text"]),
            ("ab\x08c\n", ["ac"]),
            ("\n\n  \n", []),
            ("a  \n", ["a"]),
            ("outer 0\n\rinner 1\x1b[A\n\rinner 2\x1b[A\router 1\n", ["outer 1", "inner 2"]),
        ],
    )
    def test_lines_left_standing(self, text: str, lines: list[str]) -> None:
        """Carriage returns, movements of the cursor and erasing leave the last drawing."""
        assert split_lines(text) == lines

    def test_a_piece_may_end_anywhere(self) -> None:
        """Escapes and line ends are cut between two writes."""
        text = "a\r\nb\x1b[31mred\x1b[0m\r20%\r\n\x1b]0;t\x07c\n"
        assert collect(*text) == collect(text) == ["a", "20%", "c"]

    def test_how_often_a_bar_is_drawn_does_not_matter(self) -> None:
        """A slow and a fast run of nested bars leave the same lines."""

        def draw(refreshes: int) -> list[str]:
            pieces = [f"\router {n}\n\rinner {n}\x1b[A" for n in range(refreshes)]
            return collect(*pieces, "\router done\n\rinner done\x1b[A\n\n")

        assert draw(3) == draw(200) == ["outer done", "inner done"]

    def test_a_row_without_an_end_is_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Text without a newline does not fill the memory."""
        monkeypatch.setattr(lines_module, "MAX_ROW_CHARACTERS", 10)
        assert [len(line) for line in collect("x" * 25)] == [10, 10, 5]


class TestLimits:
    """What is beyond the limits is counted, with a digest."""

    def test_a_long_line_keeps_its_beginning_and_a_digest(self) -> None:
        """Two long lines that differ at their end differ in their digests."""
        collector = LineCollector()
        for end in "ab":
            collector.write("stdout", "x" * MAX_LINE_CHARACTERS + end + "\n")
        first, second = collector.finish()[0]
        assert first.text == second.text == "x" * MAX_LINE_CHARACTERS
        assert first.digest != second.digest

    def test_lines_beyond_the_limit_are_counted(self) -> None:
        """They are not kept, and another one of them gives another digest."""

        def collect_unkept(last: str) -> tuple[int, str]:
            collector = LineCollector(max_lines=2)
            collector.write("stdout", f"a\nb\nc\n{last}\n")
            lines, unkept = collector.finish()
            assert [line.text for line in lines] == ["a", "b"]
            return unkept[0].count, unkept[0].digest

        assert collect_unkept("d") == collect_unkept("d")
        assert collect_unkept("d")[0] == collect_unkept("e")[0] == 2
        assert collect_unkept("d") != collect_unkept("e")

    def test_the_order_of_unkept_lines_counts_for_the_main_thread_alone(self) -> None:
        """A race of two workers gives one digest."""

        def digest(lines: str, worker: str) -> str:
            collector = LineCollector(max_lines=0)
            collector.write("stdout", "\n".join(lines), worker)
            return collector.finish()[1][0].digest

        assert digest("ab", "w") == digest("ba", "w")
        assert digest("ab", "") != digest("ba", "")

    def test_characters_are_limited_too(self) -> None:
        """Few long lines reach the other limit."""
        collector = LineCollector(max_characters=10)
        collector.write("stderr", "123456\n123456\n")
        lines, unkept = collector.finish()
        assert (len(lines), unkept[0].count) == (1, 1)
