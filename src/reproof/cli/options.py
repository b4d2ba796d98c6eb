"""Options of commands: each defined once, as the annotation of a field of the record that its command takes.

    class CompareOptions(Options):
        tolerance: Tolerance
        folder: Annotated[str | None, option("--dir", metavar="FOLDER", help="Compare the two newest runs in FOLDER.")]

    @click.command("compare")
    @pass_options(CompareOptions)
    def command(options: CompareOptions) -> int: ...

The order of the fields is that of the help. Options that several commands have are here, as types; where the commands
differ in what they tell of one, it is a function of that.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import click
from click.core import ParameterSource

from reproof.launch.cells import describe_disorder, read_cells
from reproof.launch.command import NOTEBOOK, PROGRAM, settle_command
from reproof.launch.orphans import Orphans
from reproof.launch.stdin import StandardInput, find_standard_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import DataclassInstance

    Parameter = Callable[[str], Callable[[Callable[..., Any]], Callable[..., Any]]]


Record = TypeVar("Record", bound="Options")
Request = TypeVar("Request", bound="DataclassInstance")
Result = TypeVar("Result")


class Options:
    """The options of one command; derived classes are frozen dataclasses whose fields carry `option` or `argument`."""

    __slots__ = ()

    def fill(self, request: type[Request], **others: Any) -> Request:
        """Return a request: the options that are called as its fields, and `others`, which are called otherwise."""
        names = {field.name for field in fields(request)} - others.keys()
        return request(**{name: getattr(self, name) for name in names if hasattr(self, name)}, **others)


class Whole(click.IntRange):
    """A whole number, called so in messages."""

    name = "whole number"


POSITIVE = Whole(min=1)
COUNT = Whole(min=0)
PATH = click.Path(path_type=Path)


def option(*flags: str, **settings: Any) -> Parameter:
    """Return what makes a field an option.

    `flags` are its names on the command line; `settings` as for `click.option`: the name in Python is that of the
    field, the help shows the default, and what stands for a number is N.
    """
    known: dict[str, Any] = {"show_default": "default" in settings}
    if isinstance(settings.get("type"), click.IntRange):
        known["metavar"] = "N"
    return lambda name: click.option(*flags, name, **{**known, **settings})


def argument(**settings: Any) -> Parameter:
    """Return what makes a field an argument; arguments as for `click.argument`, but for the name."""
    return lambda name: click.argument(name, **settings)


class ScriptCommand(click.Command):
    """A command that runs a script: ``--`` before it says that it is any program, and becomes its first word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words of a command line."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        words = (ctx.params.get("script"), *(ctx.params.get("arguments") or ()))
        if given[-len(words) - 1 : -len(words)] == [PROGRAM] and not ctx.params.get("is_module"):
            ctx.params |= {"script": PROGRAM, "arguments": words}
        return rest


def pass_options(record: type[Record]) -> Callable[[Callable[[Record], Result]], Callable[..., Result]]:
    """Give a command the options that are the fields of a record, and hand them over as that record."""

    def decorate(function: Callable[[Record], Result]) -> Callable[..., Result]:
        @wraps(function)
        def callback(**values: Any) -> Result:
            return function(record(**values))

        decorated: Callable[..., Result] = callback
        for name, hint in reversed(get_type_hints(record, include_extras=True).items()):
            (parameter,) = hint.__metadata__
            decorated = parameter(name)(decorated)
        return decorated

    return decorate


def storage_option(subject: str) -> Parameter:
    """Return the option that names the place which several machines share."""
    return option(
        "--storage",
        metavar="URL|FILE",
        envvar="REPROOF_STORAGE",
        help=f"Where the {subject} is: a journal file, or a database such as postgresql+psycopg://user@host/db.  "
        "[default: a journal file beside the bundle; environment variable: REPROOF_STORAGE]",
    )


def project_option(subject: str) -> Parameter:
    """Return the option that names the folder of the user's project."""
    return option(
        "--project",
        type=PATH,
        default=Path(),
        show_default=False,
        help=f"Folder of {subject}.  [default: the current folder]",
    )


def lease_option(consequence: str) -> Parameter:
    """Return the option that says how long a worker may be silent."""
    return option(
        "--lease",
        type=click.FloatRange(min=1),
        default=60.0,
        metavar="SECONDS",
        help=f"Silence after which {consequence}.",
    )


flag = partial(option, is_flag=True)

# Each command tells something else of these, mostly `help`.
module_option = partial(flag, "-m")
steps_option = partial(option, "--steps", type=POSITIVE)
artifact_option = partial(option, "--artifact", multiple=True, metavar="GLOB")
keep_option = partial(option, "--keep", metavar="DIR")
explain_option = partial(option, "--explain/--no-explain", default=True, show_default=False)
quiet_option = partial(flag, "-q", "--quiet")
workers_option = partial(option, "--workers", type=POSITIVE, default=1)
entry_option = partial(option, "--entry", metavar="FILE.py:FUNCTION")
level_option = partial(option, "--level", default="steps", help="How much to record.")


Tolerance = Annotated[
    float | None,
    option("--tolerance", type=float, metavar="T", help="Accept recorded numbers with |x-y| <= T*max(1,|x|,|y|)."),
]
MaxDifferences = Annotated[int, option("--max-differences", type=POSITIVE, default=5, help="Differences to show.")]
Ignore = Annotated[
    tuple[str, ...],
    option(
        "--ignore",
        multiple=True,
        metavar="GLOB",
        help="Leave out files that the runs wrote, or what was saved to them.",
    ),
]
UntilIdentical = Annotated[
    bool, flag("--until-identical", help="Find all causes after which the run is identical to its end.")
]
ShowOutput = Annotated[bool, flag("--show-output", help="Let the script write to this terminal.")]
Quiet = Annotated[bool, quiet_option(help="Print the verdict alone.")]
Folder = Annotated[Path, argument(metavar="DIR", type=PATH)]
Run = Annotated[str, argument()]
Script = Annotated[str, argument()]
ScriptArguments = Annotated[tuple[str, ...], argument(nargs=-1, type=click.UNPROCESSED)]
"""What follows the script, which is its own: for commands without interspersed arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptOptions(Options):
    """Options of a command that runs a script, or a module, in fresh processes."""

    is_module: Annotated[bool, module_option(help="Check a module, as `python -m` runs it.")]
    script: Script
    arguments: ScriptArguments

    @property
    def command(self) -> tuple[str, ...]:
        """The script, or ``-m`` and a module, or ``--`` and a program, with its arguments.

        Raises ReproofError if it is a program that cannot be run.
        """
        return settle_command((*(("-m",) if self.is_module else ()), self.script, *self.arguments))


def prepare_runs(context: click.Context) -> StandardInput | None:
    """Return the standard input that the runs of a command are given, and have no process of theirs outlive them.

    Effects: as `Orphans.adopt`, and nothing where a program calls the command: input and children are then its own.
    """
    if not context.find_root().obj:
        return None
    Orphans.adopt()
    return find_standard_input()


def note_disorder(command: tuple[str, ...]) -> None:
    """Say on standard error that the cells of a notebook were last run in another order than a check runs them."""
    if command[0].endswith(NOTEBOOK) and Path(command[0]).is_file():
        told = describe_disorder(read_cells(Path(command[0])))
        if told is not None:
            click.echo(f"reproof: note: {command[0]}: {told}; a check runs them from the top to the end", err=True)


def note_misplaced(context: click.Context, script: str, arguments: Iterable[str]) -> None:
    """Say on standard error which options of ours come after the script: they are the script's.

    It is said before the runs, so that they can be stopped, and once more at the end, where people look.
    """
    if names := find_misplaced(context, script, arguments):
        told = f"options after {script} go to the script: {', '.join(names)}; for reproof, write them before {script}"
        say = partial(click.echo, f"reproof: note: {told}", err=True)
        say()
        context.call_on_close(say)


def find_misplaced(context: click.Context, script: str, arguments: Iterable[str]) -> list[str]:
    """Return the names of options of ours among a script's arguments.

    A script that has an option of that name is meant by it; one that cannot be read tells nothing.
    """
    try:
        text = Path(script).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    ours = {name for given in context.command.params for name in given.opts if name.startswith("--")}
    names = dict.fromkeys(word.partition("=")[0] for word in arguments)
    return [name for name in names if name in ours and name not in text]


def spell_options(context: click.Context, **changes: object) -> list[str]:
    """Return the options that the user gave, as words of a command line.

    `changes` are options with other values, given by the user or not; None leaves one out.
    """
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        value = changes.get(name, context.params.get(name) if is_given else None)
        if isinstance(parameter, click.Option) and value is not None:
            words += spell_option(parameter, value)
    return words


def spell_option(given: click.Option, value: Any) -> list[str]:
    """Return an option and its value as words of a command line."""
    if given.is_flag:
        return [(given.opts if value else given.secondary_opts)[-1]]
    return [word for each in (value if given.multiple else (value,)) for word in (given.opts[-1], str(each))]
