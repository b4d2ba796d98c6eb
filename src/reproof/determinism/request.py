"""What was asked of `deterministic`, checked, and which requests are in force in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reproof.determinism.precision import MATMUL_PRECISIONS
from reproof.determinism.rng import require_seed
from reproof.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """The arguments of one call of `deterministic`, which explains them; two equal calls are two requests.

    Raises UsageError for a value that cannot be carried out, or two that contradict each other.
    """

    seed: int
    warn_only: bool
    fill_uninitialized_memory: bool
    tf32: bool
    matmul_precision: str
    num_threads: int | None

    def __post_init__(self) -> None:
        """Check the values before anything is changed."""
        require_seed(self.seed)
        if self.matmul_precision not in MATMUL_PRECISIONS:
            words = ", ".join(MATMUL_PRECISIONS)
            raise UsageError(f"the matmul precision {self.matmul_precision!r} is not known", f"pass one of {words}")
        if self.matmul_precision != "highest" and not self.tf32:
            problem = f"matmul_precision={self.matmul_precision!r} needs TF32, which tf32=False forbids"
            raise UsageError(problem, 'pass tf32=True or matmul_precision="highest"')
        if self.num_threads is not None and not _is_thread_count(self.num_threads):
            raise UsageError(f"the number of threads {self.num_threads!r} is impossible", "pass an int from 1, or None")


in_force: Final[list[Request]] = []
"""The requests that were carried out and not taken back, innermost last."""


def _is_thread_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
