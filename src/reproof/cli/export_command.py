"""`reproof export`: a trace for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from reproof.errors import UsageError
from reproof.trace import open_trace
from reproof.trace.views.export import ExportFormat, export_trace

FORMATS: dict[str, ExportFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@click.command("export")
@click.argument("run")
@click.option("-o", "--output", metavar="FILE", required=True, help="File to write: NAME.jsonl or NAME.parquet.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
def command(*, run: str, output: str, force: bool) -> int:
    """Write every event of the trace RUN as a row of JSON lines or Parquet, by the ending of FILE."""
    path = Path(output)
    form = FORMATS.get(path.suffix)
    if form is None:
        raise UsageError(f"{output} has an unknown ending", f"use one of {', '.join(FORMATS)}")
    num_rows = export_trace(open_trace(run), path, form, force=force)
    click.echo(f"wrote {num_rows:,} rows to {output}")
    return 0
