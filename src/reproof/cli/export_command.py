"""`reproof export`: a trace for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import click

from reproof.cli.options import Options, Run, flag, option, pass_options
from reproof.errors import UsageError
from reproof.trace import open_trace
from reproof.trace.views.export import ExportFormat, export_trace

FORMATS: dict[str, ExportFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions(Options):
    """The options of `reproof export`, as its help tells them."""

    run: Run
    output: Annotated[
        str, option("-o", "--output", metavar="FILE", required=True, help="File to write: NAME.jsonl or NAME.parquet.")
    ]
    force: Annotated[bool, flag("--force", help="Replace an existing FILE.")]


@click.command("export")
@pass_options(ExportOptions)
def command(options: ExportOptions) -> int:
    """Write every event of the trace RUN as a row of JSON lines or Parquet, by the ending of FILE."""
    path = Path(options.output)
    form = FORMATS.get(path.suffix)
    if form is None:
        raise UsageError(f"{options.output} has an unknown ending", f"use one of {', '.join(FORMATS)}")
    num_rows = export_trace(open_trace(options.run), path, form, force=options.force)
    click.echo(f"wrote {num_rows:,} rows to {options.output}")
    return 0
