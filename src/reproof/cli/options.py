"""Options of commands: one record per command, those that several have, and how they are told to the user again."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from collections.abc import Callable

Options = TypeVar("Options")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Decorated = TypeVar("Decorated", bound="Callable[..., Any]")


def pass_options(
    record: Callable[Parameters, Options],
) -> Callable[[Callable[[Options], Result]], Callable[Parameters, Result]]:
    """Hand the options of a command over as one record, whose fields have the names of the options."""

    def decorate(function: Callable[[Options], Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def callback(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            return function(record(*args, **kwargs))

        return callback

    return decorate


def max_differences_option(command: Decorated) -> Decorated:
    """Add the option that limits the differences that are described."""
    return click.option(
        "--max-differences", type=click.IntRange(min=1), default=5, show_default=True, help="Differences to show."
    )(command)


def show_output_option(command: Decorated) -> Decorated:
    """Add the option by which the output of runs is seen."""
    return click.option("--show-output", is_flag=True, help="Let the script write to this terminal.")(command)


def quiet_option(command: Decorated) -> Decorated:
    """Add the option by which nothing but the verdict is printed."""
    return click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")(command)


def script_arguments(command: Decorated) -> Decorated:
    """Add the script and what follows it, which is its own: for commands without interspersed arguments."""
    rest = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    return click.argument("script")(rest(command))


def storage_option(subject: str) -> Callable[[Decorated], Decorated]:
    """Return what adds the place that several machines share."""
    return click.option(
        "--storage",
        metavar="URL|FILE",
        envvar="REPROOF_STORAGE",
        help=f"Where the {subject} is: a journal file, or a database such as postgresql+psycopg://user@host/db.  "
        "[default: a journal file beside the bundle; environment variable: REPROOF_STORAGE]",
    )


def workers_option(explanation: str) -> Callable[[Decorated], Decorated]:
    """Return what adds the number of processes on this machine."""
    return click.option(
        "--workers", "num_workers", type=click.IntRange(min=1), default=1, show_default=True, help=explanation
    )


def project_option(subject: str) -> Callable[[Decorated], Decorated]:
    """Return what adds the folder of the user's project."""
    return click.option(
        "--project",
        type=click.Path(path_type=Path),
        default=Path(),
        help=f"Folder of {subject}.  [default: the current folder]",
    )


def lease_option(consequence: str) -> Callable[[Decorated], Decorated]:
    """Return what adds how long a worker may be silent."""
    return click.option(
        "--lease",
        "lease_seconds",
        type=click.FloatRange(min=1),
        default=60.0,
        show_default=True,
        help=f"Seconds of silence after which {consequence}.",
    )


def spell_options(context: click.Context, **changes: object) -> list[str]:
    """Return the options that the user gave, as words of a command line.

    Args:
        context: Of the command under way.
        **changes: Options by name with other values, given by the user or not; None leaves one out.
    """
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        value = changes.get(name, context.params.get(name) if is_given else None)
        if isinstance(option, click.Option) and value is not None:
            words += spell_option(option, value)
    return words


def spell_option(option: click.Option, value: Any) -> list[str]:
    """Return an option and its value as words of a command line."""
    if option.is_flag:
        return [(option.opts if value else option.secondary_opts)[-1]]
    return [word for each in (value if option.multiple else (value,)) for word in (option.opts[-1], str(each))]
