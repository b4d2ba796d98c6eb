"""How the processes of a run are recorded, as one of them tells it to those that it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.schema import Probes

if TYPE_CHECKING:
    from reproof.outputs.records import Stream
    from reproof.schema import Level


NO_PROBES: Final = Probes()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """How the processes of a run are recorded; see `Recording`.

    Attributes:
        folder: Folder of the trace of the run, as an absolute path; empty before it is open.
        level: How much is recorded.
        num_batches: Limit on the batches of each loader, or None.
        statistics: Whether summary statistics are kept.
        num_steps: Step after which those end that train together, or None: they would wait for each other.
        command: The command line of the run; empty for a recording made from inside a script.
        probes: What is looked into beyond the level.
        places: Where standard output and error of the run lead, if what is printed is recorded: device and inode.
    """

    folder: str = ""
    level: Level = "steps"
    num_batches: int | None = None
    num_steps: int | None = None
    statistics: bool = False
    command: tuple[str, ...] = ()
    probes: Probes = NO_PROBES
    places: dict[Stream, tuple[int, int] | None] | None = None


def options_from_plain(entries: dict[str, Any]) -> RecordingOptions:
    """Return the options that `dataclasses.asdict` made into plain values."""
    places = entries["places"]  # JSON has no tuples
    known = None if places is None else {stream: place and tuple(place) for stream, place in places.items()}
    return RecordingOptions(**{**entries, "probes": Probes(**entries["probes"]), "places": known})
