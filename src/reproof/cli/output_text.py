"""Tell how the outputs of two runs compare: lines printed, values saved, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.cli.lines import limit
from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from reproof.schema import OutputDifference, OutputResult


def output_lines(output: OutputResult | None) -> list[str]:
    """Return the lines of section *Output*; none where no output was recorded."""
    if output is None:
        return []
    if not (output.num_saved or output.num_lines or output.num_files or output.notes or output.not_compared):
        return []
    lines = [count_line(output)]
    if output.num_masked_lines or output.num_noise:
        lines.append(noise_line(output))
    if output.harmless is not None:
        lines.append(f"{plural(len(output.told), 'difference')} harmless: {output.harmless}")
    elif output.differences:
        lines += limit(tuple(difference_line(difference) for difference in output.told))
    lines += limit(tuple(output.notes))
    lines += limit(tuple(f"not compared: {one.what}: {one.why}" for one in output.not_compared))
    return [printable(line) for line in lines]


def count_line(output: OutputResult) -> str:
    """Say how much was compared, and whether it is equal."""
    counts = ((output.num_lines, "line"), (output.num_saved, "saved value"), (output.num_files, "file"))
    told = ", ".join(plural(number, noun) for number, noun in counts if number) or "nothing"
    if not output.differences:
        return f"{told}, equal"
    return f"{told}, {plural(len(output.told), 'difference')}"


def noise_line(output: OutputResult) -> str:
    """Say what was left out of account as known noise."""
    counts = ((output.num_masked_lines, "line"), (output.num_noise, "other place"))
    told = " and ".join(plural(number, noun) for number, noun in counts if number)
    verb = "differs" if output.num_masked_lines + output.num_noise == 1 else "differ"
    return f"{told} {verb} in times, rates, process numbers or temporary names only"


def difference_line(difference: OutputDifference) -> str:
    """Say what differs, in one line."""
    return f"{difference.name}: {' → '.join(map(shorten, difference.sides))}"


def shorten(text: str, size: int = 60) -> str:
    """Return the beginning of a text, with dots if it goes on."""
    return text if len(text) <= size else f"{text[: size - 1]}…"
