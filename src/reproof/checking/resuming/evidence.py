"""The evidence on a resumed training beside the uninterrupted one, and the record of a piece of state it lacks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reproof.checking.resuming.data import DataPosition, find_position
from reproof.checking.resuming.remedies import advise

if TYPE_CHECKING:
    from reproof.checking.resuming.alignment import Continuation
    from reproof.checking.resuming.steps import ShiftedTally, StepReader
    from reproof.comparison.tally import Pair
    from reproof.recorder.restorations import Restoration
    from reproof.schema import Stage

MAX_NAMED: Final = 3
HYPERPARAMETERS: Final = " hyper-parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPiece:
    """A piece of state that a resumed training lacks.

    Attributes:
        piece: ``model``, ``buffers``, ``rng``, ``loader-generator``, ``sampler-position``, ``accumulated-gradients``,
            ``scaler``, ``optimizer``, ``scheduler``, ``ema``, ``counter`` or ``other``.
        why: The proof, in a sentence.
        fix: What to write.
        names: What of it is missing: tensors, generators; may be empty.
    """

    piece: str
    why: str
    fix: str
    names: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"piece": self.piece, "why": self.why, "fix": self.fix, "names": list(self.names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """All that is known of a resumed run beside the uninterrupted one.

    Attributes:
        whole: The uninterrupted run.
        resumed: The resumed run.
        continuation: Where it goes on.
        tally: What differs from there.
        surplus: Steps that the resumed run takes beyond those of the uninterrupted one; 0 if either was stopped.
        saved: What the first part saved and loaded; None if that is not known.
        loaded: The same for the resumed run.
    """

    whole: StepReader
    resumed: StepReader
    continuation: Continuation
    tally: ShiftedTally
    surplus: int = 0
    saved: tuple[Restoration, ...] | None = None
    loaded: tuple[Restoration, ...] | None = None
    gradients: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Note which tensors are trained."""
        names = {event.name for event in self.whole.trace.events if event.stage == "gradient"}
        object.__setattr__(self, "gradients", frozenset(names))

    @property
    def start(self) -> int:
        """Step of the uninterrupted run at which the resumed one goes on."""
        return self.continuation.step

    def kind_of(self, name: str) -> str:
        """Return which piece of state an event of stage `init` or `update` belongs to."""
        if name in self.gradients:
            return "model"
        if name.endswith(HYPERPARAMETERS):
            return "scheduler"
        if name.rpartition(".")[0] in self.gradients or " state[" in name:
            return "optimizer"
        trained = {gradient.partition(".")[0] for gradient in self.gradients}
        return "buffers" if name.partition(".")[0] in trained else "ema"

    def differing_from(self, stage: Stage, piece: str | None = None) -> list[Pair]:
        """Return the first differing event of each name of a stage, of one piece of state if asked for."""
        found = [
            pair
            for (of, name, _), pair in self.tally.firsts.items()
            if of == stage and piece in {None, self.kind_of(name)}
        ]
        return sorted(found, key=lambda pair: pair.step)

    def first_step(self, stage: Stage, piece: str | None = None) -> float:
        """Return the first step in which anything of a stage differs, or infinity."""
        return min((pair.step for pair in self.differing_from(stage, piece)), default=math.inf)

    def was_loaded(self, piece: str, name: str | None = None) -> bool:
        """Whether the resumed run is known to have loaded a piece of state."""
        notes = self.loaded or ()
        return any(n.action == "loaded" and n.piece == piece and name in {None, n.name} for n in notes)

    def classes(self, piece: str) -> list[str]:
        """Return the classes of the objects with this kind of state, as far as known."""
        return sorted({note.name for note in self.loaded or () if note.action == "made" and note.piece == piece})

    @property
    def position(self) -> DataPosition | None:
        """Where in the data the resumed run begins; None if its first batches are the right ones."""
        first = self.first_batch
        return None if first is None else find_position(self.whole, self.resumed, self.start, first.event)

    @property
    def first_batch(self) -> Pair | None:
        """What differs of the batches that the resumed run begins with; None if nothing does."""
        return next((pair for pair in self.differing_from("batch") if pair.step == self.start), None)

    def make(self, piece: str, why: str, names: tuple[str, ...] = (), fix: str | None = None) -> MissingPiece:
        """Return a missing piece with the remedy for it."""
        remedy = fix or advise(piece, names, self.saved, self.loaded)
        return MissingPiece(piece=piece, why=why, fix=remedy, names=names)


def list_names(names: tuple[str, ...]) -> str:
    """Return the first names, and how many there are beyond."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}"
