"""What both runs printed, side by side: the lines that differ, and in them the words."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from reproof.report.records import LinePair, OutputRow, Span
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from reproof.schema import OutputDifference, OutputResult

ENDING: Final = ".output.txt"
"""Of the file beside a trace that holds what the run printed."""

MAX_BYTES: Final = 400_000
MAX_LINES: Final = 400
"""Lines that are compared; of longer outputs the beginning."""
MAX_SHOWN: Final = 120
MAX_CHARACTERS: Final = 300
TOKENS: Final = re.compile(r"\w+|\s+|.")
WORDS: Final = re.compile(r"\s+|[^\s]+")


def describe_output(traces: Sequence[Path], result: OutputResult | None) -> OutputRow | None:
    """Return what two runs printed; None if neither that nor a comparison of it is known."""
    texts = [_read(trace) for trace in traces]
    if texts[0] is None or texts[1] is None:
        if result is None:
            return None
        return OutputRow(told=_tell_result(result), lines=(), differing=tuple(_tell_difference(result)))
    pairs = list(pair_lines(texts[0][:MAX_LINES], texts[1][:MAX_LINES]))
    shown = {_read_pair(pair) for pair in pairs[:MAX_SHOWN]}
    differing = () if result is None else tuple(_tell_difference(result, shown))
    count = sum(not pair.is_equal for pair in pairs)
    total = max(len(texts[0]), len(texts[1]))
    if texts[0] == texts[1]:
        told = (
            f"Both runs printed the same: {plural(len(texts[0]), 'line')}."
            if texts[0]
            else "Neither run printed anything."
        )
    elif result is not None and not result.differences:
        told = f"{_tell_result(result)} What is marked is in another order, or known noise such as a time."
    else:
        told = f"{count or 'Some'} of {plural(total, 'line')} {'differs' if total == 1 else 'differ'}."
    return OutputRow(
        told=told, lines=tuple(pairs[:MAX_SHOWN]), num_left_out=max(0, total - MAX_SHOWN), differing=differing
    )


def pair_lines(a: list[str], b: list[str]) -> Iterator[LinePair]:
    """Yield the lines of two outputs, equal ones side by side."""
    for tag, start_a, stop_a, start_b, stop_b in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for offset in range(max(stop_a - start_a, stop_b - start_b)):
            x = a[start_a + offset] if start_a + offset < stop_a else None
            y = b[start_b + offset] if start_b + offset < stop_b else None
            if tag == "equal" or x is None or y is None:
                spans = [None if text is None else (Span(text[:MAX_CHARACTERS]),) for text in (x, y)]
                yield LinePair(baseline=spans[0], candidate=spans[1], is_equal=tag == "equal")
            else:
                yield _compare_words(x[:MAX_CHARACTERS], y[:MAX_CHARACTERS])


def mark_changes(text: str, other: str) -> tuple[Span, ...]:
    """Return a line of code in pieces, those marked that another line has not."""
    tokens = TOKENS.findall(text)
    found = SequenceMatcher(None, tokens, TOKENS.findall(other), autojunk=False)
    spans = []
    for tag, start, stop, _, _ in found.get_opcodes():
        if piece := "".join(tokens[start:stop]):
            spans.append(Span(piece, "" if tag == "equal" else "changed"))
    return tuple(spans)


def _compare_words(a: str, b: str) -> LinePair:
    words = WORDS.findall(a), WORDS.findall(b)
    sides: tuple[list[Span], list[Span]] = ([], [])
    for tag, start_a, stop_a, start_b, stop_b in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        for side, own, part in zip(sides, words, (slice(start_a, stop_a), slice(start_b, stop_b)), strict=True):
            if text := "".join(own[part]):
                side.append(Span(text, "" if tag == "equal" else "changed"))
    return LinePair(baseline=tuple(sides[0]), candidate=tuple(sides[1]), is_equal=False)


def _read(trace: Path) -> list[str] | None:
    path = trace.with_name(trace.name + ENDING)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode("utf-8", errors="replace").splitlines()


def _read_pair(pair: LinePair) -> tuple[str, str]:
    """Return both lines as they were; nothing for a line that a run has not."""
    a, b = ("".join(span.text for span in side or ()).strip() for side in (pair.baseline, pair.candidate))
    return a, b


def _tell_difference(result: OutputResult, shown: Collection[tuple[str, str]] = ()) -> Iterator[str]:
    """Yield a line for each difference; not for printed lines that are shown side by side."""
    told = [one for one in result.told if _spell(one) not in shown or one.kind != "line"]
    for one in told[:MAX_SHOWN]:
        yield f"{one.name}: {' → '.join(one.sides)}"


def _spell(one: OutputDifference) -> tuple[str, str]:
    return (one.baseline or "").strip(), (one.candidate or "").strip()


def _tell_result(result: OutputResult) -> str:
    count = len(result.told)
    compared = [(result.num_lines, "line"), (result.num_files, "file"), (result.num_saved, "saved value")]
    told = ", ".join(plural(number, noun) for number, noun in compared if number) or "nothing was put out"
    return f"{plural(count, 'difference')}: {told}." if count else f"All agree: {told}."
