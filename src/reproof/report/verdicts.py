"""The verdict as one sentence with its place in it, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.report.kinds import words_of
from reproof.report.records import Span, VerdictRow
from reproof.report.steps import name_process
from reproof.schema.telling import as_sentence, capitalize, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Comparison, Difference

GLYPHS: Final = {"identical": "=", "equivalent": "≈", "diverged": "≠", "inconclusive": "?"}

MAX_NAMED: Final = 3
"""Models that are named."""

NOTHING: Final = "Nothing could be compared."

STAGES: Final = {
    "init": "the initial state of the model",
    "batch": "a batch",
    "forward": "the model's output",
    "loss": "the loss",
    "gradient": "a gradient",
    "update": "an update",
    "metric": "a metric",
    "final": "what the training leaves",
    "output": "their output",
}
"""Where runs part, in words."""


def describe_verdict(comparison: Comparison, *, was_explained: bool, command: str) -> VerdictRow:
    """Return the verdict. `command` is the script and its arguments, for what to run next."""
    first = comparison.first
    meaning = tuple(_explain_divergence(comparison, first, was_explained) if first else _explain_equality(comparison))
    share, label = _measure(comparison)
    return VerdictRow(
        verdict=comparison.verdict,
        glyph=GLYPHS[comparison.verdict],
        headline=say_verdict(comparison),
        meaning=meaning,
        equal_share=share,
        bar_label=label,
        next_command=_say_next(comparison, command, was_explained=was_explained),
    )


def say_verdict(comparison: Comparison, parting: str = "The runs part") -> str:
    """Return the verdict as one sentence, which begins with `parting` if the runs part."""
    first = comparison.first
    if comparison.verdict == "diverged" and first is not None:
        what = f"the {first.detail} of a batch" if first.stage == "batch" and first.detail else STAGES[first.stage]
        name = name_process(comparison, (first.process, first.rank))
        process = f" {'on' if name.startswith('rank') else 'of'} {name}" if name else ""
        outside = {"final": " after the last step", "output": ""}
        if not first.step:  # a model that is used later has its initial state there
            outside["init"] = " before they begin"
        where = outside.get(first.stage, f" in step {first.step:,}")
        comma = "," if where or process else ""
        return f"{parting}{where}{process}{comma} in {what}."
    if comparison.verdict == "identical":
        return "Both runs are identical to the bit." if comparison.num_steps else "No training step was recorded."
    if comparison.verdict == "equivalent":
        return f"The runs agree within {comparison.tolerance:g}, not to the bit."
    if not comparison.num_events:
        return NOTHING
    if _has_open_output(comparison) and not comparison.skipped and not comparison.structure:
        return "The trainings are equal, and what they put out differs."
    return "No difference was found, but not everything was compared."


def _has_open_output(comparison: Comparison) -> bool:
    """Whether outputs differ of which it is not known what by."""
    return comparison.first is None and comparison.output is not None and comparison.output.is_open


def _explain_divergence(comparison: Comparison, first: Difference, was_explained: bool) -> Iterator[Span]:  # noqa: FBT001
    if first.stage == "output":
        yield Span("All ")
        yield Span(f"{plural(comparison.num_events, 'event')} of {plural(comparison.num_steps, 'step')}", "strong")
        yield Span(" are equal to the bit. ")
    elif first.step == 0:
        yield Span("They part in their very first step. ")
    elif first.num_events:
        yield Span("The ")
        yield Span(plural(first.num_events, "event"), "strong")
        yield Span(f" before it {'is' if first.num_events == 1 else 'are'} equal to the bit. ")
    else:
        verb = "is" if first.step == 1 else "are"
        yield Span(f"The {plural(first.step, 'step')} before {verb} equal to the bit. ")
    if comparison.untrained:
        yield Span("Everything of what is trained is equal; what differs belongs to ")
        yield Span(", ".join(comparison.untrained[:MAX_NAMED]), "code")
        yield Span(", which no optimizer ever holds. ")
    causes = comparison.causes
    proved = [cause for cause in causes if cause.confirmed]
    if not causes:
        told = "No cause could be proved." if was_explained else "No cause was searched for."
        yield Span(told)
        return
    cause = (proved or list(causes))[0]
    words = words_of(cause.kind)
    where = f"{cause.file}:{cause.line}" if cause.line is not None else cause.file or cause.source
    if len(proved) > 1:
        yield Span(f"{len(proved)} causes are proved, the first: ")
    else:
        yield Span("The cause is proved: " if proved else "A cause is suspected, not proved: ")
    if where not in words:  # a change of the data has no place but that
        yield Span(where, "code")
        yield Span(", ")
    yield Span(f"{words}.", "strong")


def _explain_equality(comparison: Comparison) -> Iterator[Span]:
    events = f"{plural(comparison.num_events, 'event')} of {plural(comparison.num_steps, 'step')}"
    if comparison.verdict == "identical":
        all_of_them, are = ("The ", "is") if comparison.num_events == 1 else ("All ", "are")
        yield Span(all_of_them)
        yield Span(events, "strong")
        tensors = plural(comparison.num_tensors, "tensor")
        yield Span(
            f" {are} equal, {tensors} in all: every batch, output, loss, gradient and update "
            f"that was recorded at level {comparison.level}. Nothing was left out."
            if comparison.level not in {None, "batches"}
            else f" {are} equal, {tensors} in all. Nothing else was recorded."
        )
    elif comparison.verdict == "equivalent":
        yield Span(f"{comparison.num_within_tolerance:,} of {plural(comparison.num_events, 'event')}", "strong")
        verb = "differs in its" if comparison.num_events == 1 else "differ in their"
        yield Span(f" {verb} bits, none by more than the tolerance that you gave.")
    elif not comparison.num_events:
        reasons = (*comparison.structure, *dict.fromkeys(one.why for one in comparison.skipped))
        yield Span(f"{capitalize('; '.join(reasons[:3]))}. " if reasons else "")
        yield Span("What is recorded is what a DataLoader, a model, backward() and an optimizer do.")
    else:
        count = len(comparison.skipped) + len(comparison.structure)
        yield Span(f"{events} are equal. ")
        if count:
            yield Span("" if comparison.unfinished is None else f"{as_sentence(comparison.unfinished)} ")
            yield Span(f"Not compared: {count}, listed under ")
            yield Span("What was compared", "strong")
            yield Span(". ")
        if _has_open_output(comparison):
            yield Span("The outputs differ, and whether that is noise is for an experiment to tell. ")
        yield Span("So this is no proof.")


def _measure(comparison: Comparison) -> tuple[float, str]:
    """Return how much of the run is equal from its start on, and that in words."""
    first = comparison.first
    if first is None:
        told = {
            "identical": "equal to the bit throughout",
            "equivalent": "equal within the tolerance throughout",
        }.get(comparison.verdict, "equal as far as it was compared")
        return 1.0, told
    if not first.is_within_steps:
        return 0.985, "the output differs ▸" if first.stage == "output" else "parts after the last step ▸"
    if first.step == 0:
        return 0.0, "◂ they differ from step 0 on"
    num_steps = max((one.num_steps for one in comparison.steps), default=comparison.num_steps)
    share = min(1.0, first.step / max(1, num_steps))
    return share, f"◂ parts in step {first.step:,}"


def _say_next(comparison: Comparison, command: str, *, was_explained: bool) -> str:
    if not command:
        return ""
    if comparison.verdict == "identical":
        return f"reproof check --vary all {command}"
    if comparison.verdict == "diverged" or (_has_open_output(comparison) and not was_explained):
        return f"reproof check {command}" if was_explained else "reproof explain " + " ".join(comparison.runs)
    return ""
