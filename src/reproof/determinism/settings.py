"""Set the conditions of determinism, and put everything back.

Each change first leaves its undoing on a stack; leaving the block runs the stack from the top. Whatever fails, on the
way in or on the way out, the rest is still undone.
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
import torch.utils.deterministic

from reproof.determinism.conditions import ConditionState, conditions
from reproof.determinism.precision import set_cudnn_tf32, set_matmul_precision
from reproof.determinism.request import Request, in_force
from reproof.determinism.rng import import_numpy_random, restore_rng_states, rng_states, seed_generators
from reproof.determinism.variables import pin_hash_seed_of_children, pin_workspace
from reproof.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class DeterministicSettings:
    """What one call of `deterministic` has set: reads back what holds, and takes it back.

    Attributes:
        seed: The seed that every generator was given.
    """

    __slots__ = ("_is_restored", "_undo", "seed")

    def __init__(self, request: Request) -> None:
        """Carry out the request at once; if that fails, nothing stays changed."""
        self.seed = request.seed
        self._is_restored = False
        with ExitStack() as undo:
            _apply(request, undo)
            self._undo = undo.pop_all()

    @property
    def conditions(self) -> tuple[ConditionState, ...]:
        """What holds in the process now, which need not be what was set."""
        return conditions()

    def restore(self) -> None:
        """Put everything back to what it was before the call; a second time does nothing.

        Nested settings are restored in the reverse order of their calls, as ``with`` blocks do by themselves.

        Effects: All that `deterministic` touches.
        """
        self._is_restored = True
        self._undo.close()

    def __enter__(self) -> Self:
        """Return the settings, which have been in force since the call."""
        if self._is_restored:
            raise UsageError("these settings were restored already", "call reproof.deterministic() again")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore; an exception goes on its way."""
        self.restore()


def deterministic(
    seed: int = 42,
    *,
    warn_only: bool = False,
    fill_uninitialized_memory: bool = False,
    tf32: bool = False,
    matmul_precision: str = "highest",
    num_threads: int | None = None,
) -> DeterministicSettings:
    """Make this process deterministic from here on, or for the length of a ``with`` block.

    A plain call takes effect immediately and for good. ``with deterministic(seed=1) as settings:`` puts everything
    back when the block is left, also by an exception, so that all generators go on as if nothing had happened.
    It is no decorator: that would take effect when the function is defined instead of when it runs.

    Args:
        seed: Seed of Python's `random`, NumPy (where installed) and PyTorch on every device; 0 to 2**32 - 1.
        warn_only: Only warn of an operation without a deterministic implementation, instead of raising.
        fill_uninitialized_memory: Fill new memory with NaN; it costs time, and only programs that read memory which
            they did not write need it.
        tf32: Whether cuDNN may compute float32 in TF32, on GPUs that have it.
        matmul_precision: Precision of float32 matrix products: ``highest``, or with ``tf32=True`` also ``high`` and
            ``medium``.
        num_threads: Threads of one CPU operation; None leaves their number alone.

    Raises:
        UsageError: A value that cannot be carried out; nothing was changed.

    Effects:
        Global generators; `torch.use_deterministic_algorithms` and what it sets in turn; the cuDNN flags
        ``deterministic``, ``benchmark`` and TF32; float32 matmul precision; number of threads if asked for;
        ``CUBLAS_WORKSPACE_CONFIG`` unless CUDA is initialised; ``PYTHONHASHSEED``, for child processes only.
        Does not initialise CUDA, and does not wait for a GPU.
    """
    return DeterministicSettings(
        Request(
            seed=seed,
            warn_only=warn_only,
            fill_uninitialized_memory=fill_uninitialized_memory,
            tf32=tf32,
            matmul_precision=matmul_precision,
            num_threads=num_threads,
        )
    )


def _apply(request: Request, undo: ExitStack) -> None:
    """Carry out a request. The generators come first and last: undone after, seeded after all that could draw."""
    import_numpy_random()  # before the states are read: NumPy has no state to go back to until it is imported
    undo.callback(restore_rng_states, rng_states())
    pin_workspace(undo)
    pin_hash_seed_of_children(request.seed, undo)
    _set_algorithms(request, undo)
    _set_cudnn_choice(undo)
    set_matmul_precision(request.matmul_precision, undo)
    set_cudnn_tf32(allowed=request.tf32, undo=undo)
    if request.num_threads is not None:
        undo.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(request.num_threads)
    seed_generators(request.seed)
    undo.callback(in_force.remove, request)
    in_force.append(request)


def _set_algorithms(request: Request, undo: ExitStack) -> None:
    """Turn on deterministic algorithms. PyTorch sets a flag of its compiler along with them, so that is kept too."""
    compiler: Any = importlib.import_module("torch._inductor.config")
    if hasattr(compiler, "deterministic"):
        undo.callback(setattr, compiler, "deterministic", compiler.deterministic)
    memory: Any = torch.utils.deterministic
    undo.callback(setattr, memory, "fill_uninitialized_memory", memory.fill_uninitialized_memory)
    undo.callback(
        torch.use_deterministic_algorithms,
        torch.are_deterministic_algorithms_enabled(),
        warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(mode=True, warn_only=request.warn_only)
    memory.fill_uninitialized_memory = request.fill_uninitialized_memory


def _set_cudnn_choice(undo: ExitStack) -> None:
    """Have cuDNN choose among deterministic algorithms only, and not by a race."""
    cudnn = torch.backends.cudnn
    for flag, value in (("deterministic", True), ("benchmark", False)):
        undo.callback(setattr, cudnn, flag, getattr(cudnn, flag))
        setattr(cudnn, flag, value)
