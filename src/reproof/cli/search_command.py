"""`reproof search`: find a configuration by Optuna, in several processes, and keep the best trial as a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from reproof.cli.options import (
    COUNT,
    PATH,
    POSITIVE,
    Options,
    argument,
    lease_option,
    option,
    pass_options,
    project_option,
    storage_option,
    workers_option,
)
from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from reproof.integrations.search import SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions(Options):
    """The options of `reproof search`, as its help tells them."""

    name: Annotated[str, argument(metavar="SCRIPT.py:STUDY")]
    bundle: Annotated[Path, option("-o", "--bundle", type=PATH, default=Path("optuna_best"))]
    num_trials: Annotated[
        int, option("--trials", type=POSITIVE, default=20, help="Trials that the study shall have in all.")
    ]
    num_workers: Annotated[int, workers_option(help="Processes, here.")]
    storage: Annotated[str | None, storage_option("study")]
    study: Annotated[str, option("--study", default="search", help="Name of the study in the storage.")]
    seed: Annotated[int, option("--seed", type=COUNT, default=0, help="Seed of the sampler.")]
    project: Annotated[Path, project_option("the project")]
    verify: Annotated[
        str,
        option(
            "--verify",
            type=click.Choice(["best", "each-best", "none"]),
            default="best",
            help="Train the winner once more in a fresh process: at the end, whenever another trial leads, or not.",
        ),
    ]
    lease_seconds: Annotated[float, lease_option("the trial of a worker is run again")]

    def to_request(self) -> SearchRequest:
        """Return how the search is run. Raises DependencyError if Optuna is not installed."""
        from reproof.integrations.search import SearchRequest

        return self.fill(SearchRequest)


@click.command("search")
@pass_options(SearchOptions)
def command(options: SearchOptions) -> None:
    """Search for the best configuration, and keep its trial as a bundle.

    STUDY is a `reproof.integrations.search.Search` in the script. Start the same command on other machines with the
    same --storage to search together; started again, it goes on with the study until that has enough trials.
    """
    from reproof.integrations.search import run_search

    best = run_search(options.to_request())
    place = printable(str(options.bundle))
    click.echo(f"best of {plural(best.num_trials, 'trial')}: number {best.number}, value {best.value!r}, in {place}")
    if best.verification is not None:
        told = f"trained once more in a fresh process: {best.verification}"
        is_good = best.verification.is_reproduced
        click.echo(told if is_good else click.style(f"warning: {told}", fg="red"))
    click.echo(f"next: reproof replicate {place}; reproof reproduce {place}")
