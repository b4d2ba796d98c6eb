"""Write results for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from reproof.errors import UsageError


def write_json(result: dict[str, Any], path: str) -> None:
    """Write a result as JSON; ``-`` is standard output.

    Raises:
        UsageError: If the file cannot be written.
    """
    text = json.dumps(result, indent=1)
    if path == "-":
        click.echo(text)
        return
    try:
        Path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "choose another file for --json") from None
