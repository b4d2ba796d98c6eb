"""`reproof bundle from-study`: train a trial of an old study again, and keep it as a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from reproof.cli.json_output import FROM_STUDY, JsonFile, json_option, write_json
from reproof.cli.lines import section
from reproof.cli.options import (
    COUNT,
    PATH,
    POSITIVE,
    Options,
    argument,
    explain_option,
    flag,
    option,
    pass_options,
    project_option,
)
from reproof.cli.reproduce_command import METRIC_COLUMNS, draw_verdict, tell
from reproof.cli.table import draw_table
from reproof.schema.telling import printable

if TYPE_CHECKING:
    from reproof.integrations.from_study import FromStudy, FromStudyRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class FromStudyOptions(Options):
    """The options of `reproof bundle from-study`, as its help tells them."""

    entry: Annotated[str, argument(metavar="SCRIPT.py:TRAIN")]
    storage: Annotated[
        str | None,
        option("--storage", metavar="URL|FILE", envvar="REPROOF_STORAGE", help="Where the study is stored."),
    ]
    studies: Annotated[
        tuple[str, ...], option("--study", multiple=True, help="Its name; of several, the best of all trials is taken.")
    ]
    trial: Annotated[int | None, option("--trial", type=COUNT, help="Number of the trial.  [default: the best]")]
    params: Annotated[
        Path | None, option("--params", type=PATH, help="Parameters as JSON or YAML, such as MLflow or W&B write them.")
    ]
    value: Annotated[
        str | None,
        option("--value", metavar="NUMBER|METRIC", help="What was reached with --params: a number, or its metric."),
    ]
    objectives: Annotated[
        tuple[str, ...],
        option(
            "--objective",
            multiple=True,
            metavar="NAME",
            help="What a stored value is of: value (the best reported), last, or TARGET.METRIC.  [default: value]",
        ),
    ]
    config: Annotated[
        Path | None, option("--config", type=PATH, help="Every value of the configuration; parameters are put into it.")
    ]
    suggest: Annotated[
        str | None,
        option("--suggest", metavar="FUNCTION", help="Of the script: makes a configuration of a trial."),
    ]
    seed: Annotated[int | None, option("--seed", type=COUNT, help="Seed, if the configuration has none.")]
    seed_key: Annotated[str, option("--seed-key", default="training.seed", help="Key of the seed.")]
    device: Annotated[str, option("--device", default="cpu", help="What to train on.")]
    threads: Annotated[int | None, option("--threads", type=POSITIVE, help="Threads of one CPU operation.")]
    project: Annotated[Path, project_option("the project")]
    folder: Annotated[Path, option("-o", "--bundle", type=PATH, default=Path("optuna_best"))]
    keep_code: Annotated[bool, flag("--keep-code", help="Keep the text of the project's modules in the bundle.")]
    diagnoses: Annotated[bool, explain_option(help="Search for the reason by experiment if numbers differ, or not.")]
    json_file: Annotated[JsonFile | None, json_option(FROM_STUDY)]

    def to_request(self) -> FromStudyRequest:
        """Return which trial becomes a bundle. Raises DependencyError if Optuna is not installed."""
        from reproof.integrations.from_study import FromStudyRequest
        from reproof.integrations.stored_trials import StudyRequest

        is_study = self.params is None and self.storage is not None
        study = StudyRequest(storage=self.storage or "", names=self.studies, trial=self.trial) if is_study else None
        return self.fill(FromStudyRequest, study=study)


@click.command("from-study")
@pass_options(FromStudyOptions)
def command(options: FromStudyOptions) -> int:
    """Train a trial of a study that has no bundle again, keep it as one, and compare it with what was stored.

    The configuration is made by the script's suggest(trial), or of --config, or is the parameters themselves. The
    bundle is kept whatever the comparison shows. Exits with 0 for identical or equivalent, 1 for not reproduced, 2 if
    it cannot tell.
    """
    from reproof.integrations.from_study import make_from_study

    found = make_from_study(options.to_request(), tell)
    if write_json(found.to_json(), options.json_file):
        for line in draw(found, options.folder):
            click.echo(line)
    return found.judgement.exit_code


def draw(found: FromStudy, folder: Path) -> list[str]:
    """Return the lines that describe what was made."""
    judgement, stored = found.judgement, found.stored
    name = "the parameters" if stored.number is None else f"trial {stored.number} of study {stored.study}"
    told = " (in what was kept)" if judgement.verdict == "identical" else ""
    rows = draw_table(METRIC_COLUMNS, judgement.per_target) if judgement.per_target else []
    return [
        f"{printable(name)}: {draw_verdict(judgement)}{told}",
        *section("Why", [printable(reason) for reason in judgement.reasons]),
        *section("Stored values", rows),
        "",
        f"kept as trained now: {printable(str(folder))}; next: reproof reproduce {printable(str(folder))}",
    ]
