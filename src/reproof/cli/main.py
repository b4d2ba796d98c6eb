"""The `reproof` command: finds the module of a command, and turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from typing import Any, NoReturn

import click

from reproof._version import __version__
from reproof.errors import EXIT_ERROR, ReproofError
from reproof.launch.restart import restart_with_hash_seed

COMMANDS = {
    "check": "Run a training twice in fresh processes and say whether it reproduces.",
    "resume-check": "Interrupt and resume a training and say what it loses by that.",
    "run": "Record one run of a training script.",
    "explain": "Find the causes of a divergence between two recorded runs, by experiment.",
    "compare": "Compare two recorded runs and name the first divergence.",
    "report": "Write one page that shows how two recorded runs compare.",
    "show": "Show what is in a trace: how the run ended, counts, losses, one step.",
    "export": "Write a trace as JSON lines or Parquet.",
    "search": "Search for the best configuration by Optuna, and keep its trial as a bundle.",
    "replicate": "Make what a reproduction of a bundle is judged by: fresh seeds, and one weight moved by one ulp.",
    "reproduce": "Train the best trial of a search again from its bundle, and certify what comes of it.",
    "bundle": "Verify a bundle, show it, or make one of a folder of others.",
    "doctor": "Tell which conditions of determinism hold, and what a script does against them.",
}
"""Commands with their first line of help, so that `reproof --help` need not import them."""


class LazyGroup(click.Group):
    """A group that imports the module of a command only to run it or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """List the commands in the order of a user's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "run" and ctx.obj and not any(word.startswith("--hash-seed") for word in sys.argv):
            restart_with_hash_seed(None)  # before all is imported that a run needs, and not after that as well
        module = importlib.import_module(f"reproof.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; of one that there is not, name the one that was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # only here: it takes milliseconds to import

            is_script = args[0].endswith((".py", ".ipynb"))
            close = [f"reproof check {args[0]}"] if is_script else get_close_matches(args[0], COMMANDS, 1)
            meant = f" Did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"{error.format_message()}{meant}", error.ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="reproof")
@click.pass_context
def group(context: click.Context) -> None:
    """Proof that a PyTorch training reproduces, and, where it does not, the first place it parts.

    Exit codes: 0 identical or equivalent, 1 diverged, 2 could not tell, or an error.
    """
    if context.invoked_subcommand != "run" and isinstance(sys.stdout, io.TextIOWrapper):  # a script's output is its own
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may have characters that the terminal has not


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with the code of the contract."""
    settings: dict[str, Any] = {"color": False} if os.environ.get("NO_COLOR") else {}
    try:
        code = group.main(arguments, "reproof", standalone_mode=False, obj=arguments is None, **settings)
    except ReproofError as error:
        fail(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(EXIT_ERROR)
    except click.UsageError as error:
        hint = f"see `{error.ctx.command_path} --help`" if error.ctx else "see `reproof --help`"
        fail(f"{error.format_message().rstrip('.')}: {hint}")
    except click.ClickException as error:
        fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        click.echo("reproof: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader (`reproof ... | head`) has what it wanted; Python must not complain while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        fail(f"{error.strerror or error}: free some, or name a folder elsewhere with --keep or in TMPDIR")
    if isinstance(code, KeyboardInterrupt):
        # Ctrl-C in the user's script, already shown: Python must end by the signal, so that a shell sees it.
        sys.excepthook = lambda *_: None
        raise code
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str) -> NoReturn:
    """Show an error as one line and exit with 2."""
    line = " ".join(message.split())
    click.echo(f"reproof: error: {line}", err=True)
    sys.exit(EXIT_ERROR)
