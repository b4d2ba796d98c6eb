"""`reproof bundle`: verify a bundle, show what it holds, or make one of a folder of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reproof.bundle import open_bundle
from reproof.cli.bundle_text import draw
from reproof.cli.from_study_command import command as from_study
from reproof.cli.lines import section
from reproof.cli.options import PATH, entry_option
from reproof.cli.table import Column, draw_table
from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.bundle.foreign_trial import Finding

FINDING_COLUMNS: tuple[Column[Finding], ...] = (
    Column(title="found", show=lambda row: printable(row.found)),
    Column(title="taken as", show=lambda row: printable(row.taken_as)),
)

folder_argument = click.argument("folder", metavar="DIR", type=PATH)


class SentenceGroup(click.Group):
    """A group whose help has the first sentence of each command, whole."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=200)) for name, one in self.commands.items()])


@click.group("bundle", cls=SentenceGroup)
def command() -> None:
    """Verify, show and make bundles; nothing in a bundle is executed or unpickled."""


command.add_command(from_study)


@command.command("verify")
@folder_argument
@click.option(
    "--signers",
    type=PATH,
    help="File of allowed signers, as ssh-keygen has it: ask for a signature.",
)
@click.option("--identity", help="Who must have signed, as the file of allowed signers calls him.")
def verify(folder: Path, signers: Path | None, identity: str | None) -> None:
    """Check that the bundle DIR is exactly what its manifest says, and readable."""
    if (signers is None) != (identity is None):
        raise click.UsageError("--signers and --identity go together")
    if signers is not None and identity is not None:
        from reproof.bundle.signature import check_signature

        check_signature(folder, signers, identity)
        click.echo(f"signed by {printable(identity)}")
    bundle = open_bundle(folder)
    size = sum(entry.num_bytes for entry in bundle.manifest.files)
    click.echo(f"{printable(str(folder))}: {plural(len(bundle.manifest.files), 'file')}, {size:,} bytes, all as listed")


@command.command("sign")
@folder_argument
@click.option("--key", required=True, type=PATH, help="Private key of SSH; never copied.")
def sign(folder: Path, key: Path) -> None:
    """Sign the manifest of the bundle DIR with a key of SSH; the manifest vouches for all other files."""
    from reproof.bundle.signature import sign_bundle

    click.echo(f"signed: {printable(str(sign_bundle(folder, key)))}")


@command.command("show")
@folder_argument
def show(folder: Path) -> None:
    """Show what the bundle DIR holds."""
    for line in draw(open_bundle(folder)):
        click.echo(line)


@command.command("env")
@folder_argument
@click.option(
    "-o",
    "--output",
    type=PATH,
    default="requirements.txt",
    show_default=True,
    help="File; one that ends in .toml becomes a pylock.toml (PEP 751), for which pip asks its index.",
)
def write_env(folder: Path, output: Path) -> None:
    """Write the packages that the training of the bundle DIR imported, as an installer reads them."""
    from reproof.bundle.requirements import count_left_out, list_requirements, write_environment

    bundle = open_bundle(folder)
    packages = list_requirements(bundle)
    write_environment(bundle, output)
    left_out = count_left_out(bundle, packages)
    told = f"{plural(len(packages), 'package')}; {left_out} more were installed and not imported"
    click.echo(f"{printable(str(output))}: {told}")


@command.command("import")
@click.argument("source", metavar="SOURCE", type=PATH)
@folder_argument
@entry_option(help="The training, relative to the project.")("entry")
@click.option("--seed-key", default="training.seed", show_default=True, help="Key of the seed in config.yaml.")
def import_folder(source: Path, folder: Path, entry: str | None, seed_key: str) -> None:
    """Make the bundle DIR of SOURCE, a folder as a hand-made search leaves it.

    SOURCE holds config.yaml, trial_info.yaml, target_scaler.joblib and weights/*.pt. Pickles are read without being
    executed, and refused by name if they hold anything but tensors or the plain state of a scaler of scikit-learn.
    """
    from reproof.bundle.foreign import import_foreign, survey_foreign

    for line in section(f"Found in {source}", draw_table(FINDING_COLUMNS, survey_foreign(source))):
        click.echo(printable(line))
    click.echo()
    bundle = import_foreign(source, folder, entry=entry, seed_key=seed_key)
    for line in draw(bundle):
        click.echo(line)
