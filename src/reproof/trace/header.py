"""`run.json`: what is known of a run once.

It is JSON that people look at, so it may also have been edited, cut, or made by something else: every field is read
with its type. A field that is missing is an error and never filled in.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, get_args

from reproof.credentials import mask_command, mask_text, mask_values
from reproof.errors import TraceError
from reproof.schema import Level, Origin, Parallel, RunHeader
from reproof.trace import format as fmt
from reproof.trace.fields import Fields
from reproof.trace.files import check_version, damaged, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATUSES: Final = ("running", "complete", "failed", "interrupted")
MAX_RANKS: Final = 2**31 - 1


def header_to_json(header: RunHeader) -> dict[str, Any]:
    """Return the content of `run.json`."""
    return {
        "format": fmt.FORMAT,
        "format_version": fmt.FORMAT_VERSION,
        "run_id": header.run_id,
        "status": header.status,
        "ended": header.ended,
        "exit_code": header.exit_code,
        "level": header.level,
        "num_batches": header.num_batches,
        "num_steps": header.num_steps,
        "statistics": header.statistics,
        "num_ranks": header.num_ranks,
        "command": list(mask_command(header.command)),
        "created": header.created,
        "problems": [mask_text(problem) for problem in header.problems],
        "environment": mask_environment(header.environment),
        **({} if header.origin is None else {"process": origin_to_json(header.origin)}),
        **({"parallel": [asdict(one) for one in header.parallel]} if header.parallel else {}),
        **({"remarks": list(header.remarks)} if header.remarks else {}),
    }


def origin_to_json(origin: Origin) -> dict[str, Any]:
    """Return where a process comes from; rank and restart only of those that have them."""
    left_out = {*({"rank"} if origin.rank is None else ()), *(() if origin.restart else {"restart"})}
    return {name: value for name, value in asdict(origin).items() if name not in left_out}


def mask_environment(environment: dict[str, Any]) -> dict[str, Any]:
    """Return an environment with credentials masked, those of the command line among them."""
    process = environment.get("process")
    masked: dict[str, Any] = {name: mask_values(value) for name, value in environment.items()}
    if isinstance(process, dict) and isinstance(argv := process.get("argv"), list):
        masked["process"]["argv"] = list(mask_command(argv))
    return masked


def read_header(folder: Path) -> RunHeader:
    """Read the `run.json` of a folder. Raises TraceError if it is missing, foreign, damaged, or of a newer format."""
    path = folder / fmt.RUN_FILE
    data = _parse(path, read_file(path))
    if not isinstance(data, dict) or data.get("format") != fmt.FORMAT:
        msg = f"{path} is not the header of a trace"
        raise TraceError(msg, "name a folder of `reproof run -o`", slug="trace-foreign")
    fields = Fields(data)
    try:
        check_version(path, fields.take("format_version", int))
        return _read_fields(fields)
    except ValueError as error:
        raise damaged(path, str(error)) from None


def created_at(header: RunHeader) -> datetime:
    """Return the time at which a recording began."""
    return datetime.fromisoformat(header.created)


def _parse(path: Path, content: bytes) -> object:
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, a number of 5000 digits, nested without end
        raise TraceError(f"cannot read {path}: {error}", "record the run again", slug="trace-damaged") from None


def _read_fields(fields: Fields) -> RunHeader:
    return RunHeader(
        run_id=_read_run_id(fields),
        status=fields.choice("status", STATUSES),
        level=fields.choice("level", get_args(Level)),
        command=fields.texts("command"),
        num_batches=None if fields.is_null("num_batches") else fields.number("num_batches", minimum=1),
        num_steps=None if fields.is_null("num_steps") else fields.number("num_steps", minimum=1),
        statistics=fields.take("statistics", bool),
        created=_read_time(fields),
        environment=fields.take("environment", dict),
        ended=None if fields.is_null("ended") else fields.text("ended"),
        exit_code=None if fields.is_null("exit_code") else fields.number("exit_code", minimum=-(2**63)),
        problems=fields.texts("problems"),
        num_ranks=fields.number("num_ranks", minimum=1, maximum=MAX_RANKS),
        origin=_read_origin(fields) if "process" in fields else None,
        parallel=tuple(_read_parallel(fields)) if "parallel" in fields else (),
        remarks=fields.texts("remarks") if "remarks" in fields else (),
    )


def _read_origin(fields: Fields) -> Origin:
    own = Fields(fields.take("process", dict))
    label = own.text("label")
    if not fmt.LABEL.fullmatch(label):
        raise own.wrong("label")
    return Origin(
        label=label,
        file=None if own.is_null("file") else own.text("file"),
        line=None if own.is_null("line") else own.number("line"),
        num_events=None if own.is_null("num_events") else own.number("num_events"),
        rank=own.number("rank", maximum=MAX_RANKS) if "rank" in own else None,
        restart=own.number("restart") if "restart" in own else 0,
    )


def _read_parallel(fields: Fields) -> Iterator[Parallel]:
    for entry in fields.take("parallel", list):
        if not isinstance(entry, dict):
            raise fields.wrong("parallel")
        own = Fields(entry)
        ranks, replicas = (own.take(name, list) for name in ("ranks", "replicas"))
        if not all(type(rank) is int and 0 <= rank <= MAX_RANKS for rank in (*ranks, *replicas)):
            raise fields.wrong("parallel")
        yield Parallel(
            model=own.text("model"),
            rank=own.number("rank", maximum=MAX_RANKS),
            ranks=tuple(ranks),
            replicas=tuple(replicas),
            apart=own.texts("apart"),
        )


def _read_run_id(fields: Fields) -> str:
    run_id = fields.text("run_id")
    if not re.fullmatch(r"[0-9a-f]{32}", run_id):
        raise fields.wrong("run_id")
    return run_id


def _read_time(fields: Fields) -> str:
    created = fields.text("created")
    try:
        has_zone = datetime.fromisoformat(created).tzinfo is not None
    except ValueError:
        raise fields.wrong("created") from None
    if not has_zone:
        raise fields.wrong("created")
    return created
