"""Compare what two runs have put out, beside their events."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import count_printed, read_printed, read_programs
from reproof.outputs.comparison import UNWRITTEN, compare_outputs
from reproof.outputs.lines import make_line, split_lines
from reproof.outputs.records import ELSEWHERE, FILLED, LATE, RUNS_ON, UNFINISHED
from reproof.outputs.sidecar import read_output
from reproof.outputs.vocabulary import OF_MACHINE, is_result
from reproof.schema import Difference, OutputDifference, OutputResult, Skipped, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reproof.outputs.comparison import OutputComparison
    from reproof.outputs.records import Line, RunOutput
    from reproof.trace import Trace

STREAM_FILES: Final = {"stdout": ".output.txt", "stderr": ".errors.txt"}
"""Where a process that was started by reproof wrote each stream: beside its trace, under its name and this ending."""

MISSING: Final = "all output"
"""What is not compared where one run alone has recorded any."""
NOTEBOOK: Final = ".ipynb"
OWN: Final = "reproof: "
"""How the lines begin that `reproof run` writes itself."""


def compare_output(baseline: Trace, candidate: Trace, ignored: Sequence[str] = ()) -> OutputResult | None:
    """Compare the outputs of two runs; None if neither recorded any.

    Files whose names match a pattern of `ignored` are not compared.
    """
    found = [
        _compare_rank(baseline, candidate, rank, ignored) for rank in sorted(set(baseline.ranks) & set(candidate.ranks))
    ]
    results = [one for one in found if one is not None]
    if not results:
        return None
    return OutputResult(
        differences=tuple(difference for one in results for difference in one.differences),
        num_saved=sum(one.num_saved for one in results),
        num_lines=sum(one.num_lines for one in results),
        num_files=sum(one.num_files for one in results),
        num_masked_lines=sum(one.num_masked_lines for one in results),
        num_noise=sum(one.num_noise for one in results),
        notes=tuple(note for one in results for note in one.notes),
        not_compared=tuple(what for one in results for what in one.not_compared),
    )


def _compare_rank(baseline: Trace, candidate: Trace, rank: int, ignored: Sequence[str]) -> OutputResult | None:
    first, second = (read_output(trace.folder, rank) for trace in (baseline, candidate))
    if first is None or second is None:
        if first is second:
            return None
        owner = "candidate" if first is None else "baseline"
        return OutputResult(not_compared=(Skipped(what=MISSING, why=f"only the {owner} recorded it"),))
    if first.surroundings is None or second.surroundings is None:  # what was saved until then
        first, second = (replace(one, lines=(), unkept=(), late=(), files=(), notes=()) for one in (first, second))
    elif rank == 0:
        found = _compare_whole((baseline.folder, candidate.folder), (first, second), ignored)
        return name_cells(found) if "".join(baseline.header.command[:1]).endswith(NOTEBOOK) else found
    return _to_result(compare_outputs(first, second, ignored))


def _compare_whole(traces: tuple[Path, Path], outputs: Sequence[RunOutput], ignored: Sequence[str]) -> OutputResult:
    """Compare the outputs of two runs that went to their end, with what was written past Python's streams."""
    untapped = [list(read_untapped(trace, output)) for trace, output in zip(traces, outputs, strict=True)]

    def compare(lines: Sequence[Sequence[Line]]) -> OutputResult:
        first, second = (replace(one, lines=(*one.lines, *more)) for one, more in zip(outputs, lines, strict=True))
        return _to_result(compare_outputs(first, second, ignored))

    found = compare(untapped)
    programs = [read_programs(trace) for trace in traces]
    if not (found.is_open and all(programs) and OF_MACHINE.issuperset(programs[0] | programs[1])):
        return found
    shared, left_out = keep_shared(*untapped)
    if not left_out or any(map(_states_result, left_out)):
        return found
    names = ", ".join(programs[0] | programs[1])
    skipped = Skipped(
        what=f"{len(left_out)} lines of both runs",
        why=f"other programs tell of the machine there, not of the training ({names})",
    )
    found = compare([shared, shared])
    return replace(found, not_compared=(*found.not_compared, skipped))


def name_cells(found: OutputResult) -> OutputResult:
    """Return the result on a notebook: what its cells print reaches reproof through another process, its kernel."""
    plain = (replace(one, name=one.name.removesuffix(f" ({ELSEWHERE})")) for one in found.differences)
    return replace(found, differences=tuple(plain))


def keep_shared(baseline: Iterable[Line], candidate: Iterable[Line]) -> tuple[list[Line], list[Line]]:
    """Return the lines that both runs have, as often as both do, and all others of both."""
    left = Counter(candidate)
    shared, others = [], []
    for line in baseline:
        if left[line]:
            left[line] -= 1
            shared.append(line)
        else:
            others.append(line)
    return shared, [*others, *left.elements()]


def _states_result(line: Line) -> bool:
    return bool(line.digest) or any(map(is_result, re.findall(r"[A-Za-z]+", line.text)))


def read_untapped(trace: Path, output: RunOutput) -> Iterator[Line]:
    """Yield the lines that were written past Python's streams: by child processes and by compiled code.

    Known only of a process that was started by reproof, which keeps all that it and its children write.
    """
    for stream, written in output.printed:
        path = trace.with_name(trace.name + STREAM_FILES[stream])
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        by_children = count_printed(read_printed(trace), stream)
        if len(text) <= written or len(text) == written + by_children:
            continue
        seen = Counter(line.text for line in output.lines if line.stream == stream)
        for line in split_lines(text):
            record = make_line(line, stream, ELSEWHERE)
            if seen[record.text]:
                seen[record.text] -= 1
            elif not line.startswith(OWN):
                yield record


def _to_result(found: OutputComparison) -> OutputResult:
    differences = (
        OutputDifference(kind=one.kind, name=one.name, baseline=one.baseline, candidate=one.candidate, step=one.step)
        for one in found.differences
    )
    return OutputResult(
        differences=tuple(differences),
        num_saved=found.num_saved,
        num_lines=found.num_lines,
        num_files=found.num_files,
        num_masked_lines=found.num_masked_lines,
        num_noise=len(found.noise),
        notes=found.notes,
        not_compared=tuple(Skipped(what=one.what, why=one.why) for one in found.not_compared),
    )


def judge_output(verdict: Verdict, output: OutputResult | None) -> Verdict:
    """Return the verdict on two runs whose outputs are known as well: what differs there has yet to be explained.

    Nor is it known that runs are the same if the end of what one of them has put out is not.
    """
    is_open = output is not None and (output.is_open or lacks_end(output))
    return "inconclusive" if is_open and verdict in {"identical", "equivalent"} else verdict


def lacks_end(output: OutputResult) -> bool:
    """Whether what a run has put out is missing, too much, or was not read when nobody wrote to it any more."""
    return any(
        one.what in {MISSING, UNWRITTEN}
        or one.why in {UNFINISHED, LATE}
        or one.why.endswith(RUNS_ON)
        or one.why.startswith(FILLED)
        for one in output.not_compared
    )


def describe_output(difference: OutputDifference, num_steps: int) -> Difference:
    """Return a difference in output as a divergence: of a saved value in its step, of all else after the last one."""
    return Difference(
        rank=0,
        step=num_steps if difference.step is None else difference.step,
        stage="output",
        detail=None,
        name=difference.name,
        baseline=difference.sides[0],
        candidate=difference.sides[1],
    )


def find_again(wanted: Iterable[OutputDifference], found: Iterable[OutputDifference]) -> OutputDifference | None:
    """Return the first of some differences that is one of those wanted: the same value, or a line with the same words.

    The numbers of lines and rows shift from run to run, and the numbers in them are what differs.
    """
    keys = {_key(difference) for difference in wanted}
    return next((difference for difference in found if _key(difference) in keys), None)


def _key(difference: OutputDifference) -> tuple[str, str]:
    if difference.kind == "saved":
        return difference.kind, difference.name
    text = difference.baseline if difference.baseline is not None else difference.candidate or ""
    place = difference.name.split(" line ")[0].split(" row ")[0]
    return difference.kind, f"{place}: {''.join(character for character in text if not character.isdigit())}"
