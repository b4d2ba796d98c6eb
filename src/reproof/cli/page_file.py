"""Write the page of a result: `--html FILE`, which replaces an earlier page and nothing else, and `--open`."""

from __future__ import annotations

import shlex
import webbrowser
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import click

from reproof.cli.json_output import is_stream, refuse_unwritable, write_whole
from reproof.cli.options import flag, option
from reproof.errors import TraceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.checking.resuming import ResumeResult
    from reproof.explain.laboratory import Trial
    from reproof.explain.search import Explanation
    from reproof.report.experiments import Experiment
    from reproof.report.records import Report
    from reproof.report.resumes import Shift
    from reproof.reproducing.workflow import Reproduction
    from reproof.schema import Cause, Comparison

MARK: Final = b'<meta name="generator" content="reproof">'
"""Near the start of each page."""

MARK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """Where a page goes; refused as soon as it is named if it cannot go there."""

    path: Path

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        self._refuse()

    def write(self, page: str) -> None:
        """Write a page; the file appears whole or not at all.

        Raises UsageError if it cannot be written, or something else has come to be there.
        """
        self._refuse()
        try:
            write_whole(self.path if is_stream(self.path) else self.path.resolve(), page)
        except OSError as error:
            raise UsageError(
                f"cannot write {self.path}: {error.strerror}", "choose another file for the page"
            ) from None

    def _refuse(self) -> None:
        if str(self.path) == "-":
            raise UsageError("a page goes into a file, not to standard output", "name a file, such as report.html")
        if find_spec("jinja2") is None:
            raise UsageError("a page needs Jinja2, which is not installed", "pip install 'reproof[report]'")
        try:
            refuse_unwritable(self.path if is_stream(self.path) else self.path.resolve())
            is_free = is_stream(self.path) or is_replaceable_page(self.path)
        except OSError as error:
            raise UsageError(
                f"cannot write {self.path}: {error.strerror}", "choose another file for the page"
            ) from None
        if not is_free:
            raise UsageError(f"{self.path} exists and is no earlier page", "name another file, or move this one away")


def is_replaceable_page(path: Path) -> bool:
    """Whether a file is not there, is empty, or is a page of ours. Raises OSError if it cannot be read."""
    if not path.exists():
        return True
    with path.open("rb") as file:
        start = file.read(MARK_BYTES)
    return not start or MARK in start


def read_page_file(_context: click.Context, _option: click.Parameter, path: str | None) -> PageFile | None:
    """Return where a page goes that the user has asked for."""
    return None if path is None else PageFile(path=Path(path))


Html = Annotated[
    PageFile | None,
    option("--html", metavar="FILE", callback=read_page_file, help="Write a page that shows the result."),
]
Open = Annotated[bool, flag("--open", help="Open the page in the browser.")]
Samples = Annotated[
    bool, flag("--samples", help="Keep the samples of the batch where the runs part, for the page: two runs more.")
]


def write_page(
    target: PageFile | None,
    comparison: Comparison,
    explanation: Explanation | None,
    *,
    opens: bool,
    next_command: str | None = None,
) -> None:
    """Write the page of a comparison if one was asked for, tell where it is, and open it if that was asked for.

    It names the command to run next: `next_command`, or what follows from the verdict alone. Raises UsageError if
    `opens` without a page, or it cannot be written; TraceError if a trace cannot be read.
    """
    if target is not None:
        _publish(target, make_report(comparison, explanation, next_command=next_command), opens=opens)


def _publish(target: PageFile, report: Report, *, opens: bool) -> None:
    from reproof.report.page import render_page  # takes longer to import than a comparison takes

    target.write(render_page(report))
    click.echo(f"page: {target.path}", err=True)
    if opens and not webbrowser.open(target.path.resolve().as_uri()):
        click.echo("reproof: no browser was found; open the page by hand", err=True)


def write_reproduction_page(target: PageFile | None, reproduction: Reproduction, *, opens: bool) -> None:
    """Write the page of a reproduced bundle if one was asked for, as `write_page` does that of a comparison.

    Raises UsageError if it cannot be written and TraceError if a trace cannot be read.
    """
    if target is None:
        return
    from reproof.report.certificates import add_certificate

    report = None
    if reproduction.comparison is not None:
        causes = () if reproduction.diagnosis is None else reproduction.diagnosis.causes
        report = make_report(compare_with_bundle(reproduction.comparison, causes), None)
    reference = reproduction.bundle.reference
    replicates = [] if reference is None else [replicate.metrics for replicate in reference.replicates]
    path = "" if reproduction.certificate is None else str(reproduction.certificate)
    _publish(target, add_certificate(report, reproduction.to_json(), replicates, path), opens=opens)


def write_resume_page(target: PageFile | None, result: ResumeResult, command: tuple[str, ...], *, opens: bool) -> None:
    """Write the page of a resumed training if one was asked for, as `write_page` does that of a comparison.

    Raises UsageError if it cannot be written and TraceError if a trace cannot be read.
    """
    if target is None:
        return
    from reproof.report.resumes import Shift, add_resume
    from reproof.report.rows import make_empty

    start, models = result.resume.continues_at, result.resume.models
    if start is None:
        report = make_empty(shlex.join(command))
    else:
        report = make_report(result.comparison, None, shift=Shift(start, models))
    _publish(target, add_resume(report, result.comparison, result.resume.to_json()), opens=opens)


def compare_with_bundle(comparison: Comparison, causes: tuple[Cause, ...]) -> Comparison:
    """Return a comparison made again, with the map of its steps, and without conditions that no bundle gives away."""
    from reproof.bundle.surroundings import strip_private
    from reproof.comparison import compare
    from reproof.environment import compare_environments
    from reproof.trace import open_trace

    told = (strip_private(open_trace(Path(run)).header.environment) for run in comparison.runs)
    return replace(compare(*comparison.runs, maps_steps=True), causes=causes, conditions=compare_environments(*told))


def refuse_opening(target: PageFile | None, *, opens: bool, keeps_samples: bool = False) -> None:
    """Refuse to open a page that is not written, or to keep samples for it. Raises UsageError if that was asked for."""
    if target is None and (opens or keeps_samples):
        raise UsageError(f"{'--open' if opens else '--samples'} without a page", "name the page with --html FILE")


def make_report(
    comparison: Comparison,
    explanation: Explanation | None,
    *,
    shift: Shift | None = None,
    next_command: str | None = None,
) -> Report:
    """Return the rows of a comparison of two traces; `shift` tells how the candidate stands to the baseline.

    Raises UsageError if it is of pickles of the hand-made check and TraceError if a trace cannot be read.
    """
    from reproof.report.resumes import NO_SHIFT
    from reproof.report.rows import build_report
    from reproof.trace import open_trace

    if any(Path(run).is_file() for run in comparison.runs):
        raise UsageError(f"{comparison.runs[0]} is a file", "a page shows two traces; compare pickles by themselves")
    baseline, candidate = (open_trace(Path(run)) for run in comparison.runs)
    report = build_report(
        comparison,
        baseline,
        candidate,
        experiments=list_experiments(() if explanation is None else explanation.trials),
        notes=() if explanation is None else explanation.notes,
        was_explained=explanation is not None,
        shift=shift or NO_SHIFT,
    )
    if next_command is None:
        return report
    return replace(report, verdict=replace(report.verdict, next_command=next_command))


def list_experiments(trials: Sequence[Trial]) -> list[Experiment]:
    """Return experiments as the rows want them, each with the steps that it was to run."""
    from reproof.report.experiments import BASELINE, Experiment

    names: dict[Path | None, str] = {trial.trace: f"experiment {trial.number}" for trial in trials}
    names[None] = BASELINE
    return [
        Experiment(
            number=trial.number,
            purpose=trial.purpose,
            seconds=trial.run.seconds,
            trace=trial.trace,
            window=read_window(trial.trace),
            first=trial.first,
            reference=BASELINE
            if trial.reference is None
            else names.get(trial.reference, f"the {trial.reference.name}"),
            problem=trial.problem,
        )
        for trial in trials
    ]


def read_window(trace: Path) -> int | None:
    """Return after how many steps a run was to end; None if not before its own end, or if that is unknown."""
    from reproof.trace.header import read_header

    try:
        return read_header(trace).num_steps
    except TraceError:
        return None
