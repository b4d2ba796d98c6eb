"""`reproof search`: find a configuration by Optuna, in several processes, and keep the best trial as a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from reproof.cli.comparison_text import plural, printable


@click.command("search")
@click.argument("name", metavar="SCRIPT.py:STUDY")
@click.option("-o", "--bundle", type=click.Path(path_type=Path), default=Path("optuna_best"), show_default=True)
@click.option(
    "--trials",
    "num_trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Trials that the study shall have in all.",
)
@click.option(
    "--workers", "num_workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes, here."
)
@click.option(
    "--storage",
    metavar="URL|FILE",
    envvar="REPROOF_STORAGE",
    help="Where the study is: a journal file, or a database such as postgresql+psycopg://user@host/db.  "
    "[default: a journal file beside the bundle; environment variable: REPROOF_STORAGE]",
)
@click.option("--study", default="search", show_default=True, help="Name of the study in the storage.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the sampler.")
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder of the project.  [default: the current folder]",
)
@click.option(
    "--lease",
    "lease_seconds",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds of silence after which the trial of a worker is run again.",
)
def command(  # noqa: PLR0913  # one argument per option
    *,
    name: str,
    bundle: Path,
    num_trials: int,
    num_workers: int,
    storage: str | None,
    study: str,
    seed: int,
    project: Path,
    lease_seconds: float,
) -> None:
    """Search for the best configuration, and keep its trial as a bundle.

    STUDY is a `reproof.integrations.search.Search` in the script. Start the same command on other machines with the
    same --storage to search together; started again, it goes on with the study until that has enough trials.
    """
    from reproof.integrations.search import SearchRequest, run_search

    request = SearchRequest(
        name=name,
        bundle=bundle,
        storage=storage,
        study=study,
        num_trials=num_trials,
        num_workers=num_workers,
        seed=seed,
        project=project,
        lease_seconds=lease_seconds,
    )
    best = run_search(request)
    place = printable(str(bundle))
    click.echo(f"best of {plural(best.num_trials, 'trial')}: number {best.number}, value {best.value!r}, in {place}")
    click.echo(f"next: reproof replicate {place}; reproof reproduce {place}")
