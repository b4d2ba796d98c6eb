"""`reproof doctor`: which conditions of determinism hold here, and what a script does against them."""

from __future__ import annotations

from pathlib import Path

import click

from reproof.cli.doctor_text import draw_diagnosis
from reproof.cli.json_output import DIAGNOSIS, JsonFile, write_json
from reproof.doctor import diagnose
from reproof.errors import UsageError


@click.command("doctor")
@click.argument("script", required=False, metavar="[SCRIPT|FOLDER]")
@click.option(
    "--json",
    "json_path",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write the result as JSON to FILE, or to standard output without one.",
)
@click.option("--no-torch", is_flag=True, help="Do not import PyTorch; the conditions that it alone can tell say so.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Look at the script alone, and leave the conditions out; never imports PyTorch."
)
@click.option("--why", is_flag=True, help="Also say why each condition matters, how to set it, and where it says so.")
def command(*, script: str | None, json_path: str | None, no_torch: bool, quiet: bool, why: bool) -> int:
    """Tell what in a SCRIPT keeps its training from reproducing, and which conditions of determinism hold here.

    The script and the modules of its folder that it imports are read, never run. A FOLDER stands for all scripts in
    it; without either only the conditions are told. Nothing is changed.

    Exits with 0 if nothing was found in the script, or there is none, 1 if something was, 2 for an error. Conditions
    that do not hold do not change the exit code.
    """
    script, json_path = tell_apart(script, json_path)
    if quiet and script is None:
        raise UsageError("--quiet prints what was found in a script, and none is named", "name a script or a folder")
    target = None if script is None else Path(script)
    json_file = None if json_path is None else JsonFile(path=json_path, keys=DIAGNOSIS)
    diagnosis = diagnose(target, ask_torch=not (no_torch or quiet), with_checks=not quiet)
    if write_json(diagnosis.to_json(), json_file):
        draw_diagnosis(diagnosis, is_explained=why)
    return diagnosis.exit_code


def tell_apart(script: str | None, json_path: str | None) -> tuple[str | None, str | None]:
    """Return the script and the JSON file: in ``--json train.py`` the name is meant as the script.

    Raises UsageError if JSON would replace a script.
    """
    if json_path is None or not (json_path.endswith(".py") or Path(json_path).is_dir()):
        return script, json_path
    if script is not None:
        raise UsageError(f"--json {json_path} would replace a script", "name another file for --json")
    return json_path, "-"
