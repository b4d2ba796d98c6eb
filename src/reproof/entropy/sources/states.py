"""Tap where the state of a global generator, or its seed, is read before anybody has seeded it.

Nothing is drawn by that, so that the generator counts as unused; but what is read is another in each run, and may
become the seed of others: `numpy.random.seed(torch.initial_seed() % 2**32)`.
"""

from __future__ import annotations

import ctypes
import random
from typing import TYPE_CHECKING, Any

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.sources.generators import Generators


def install(interceptor: Interceptor, generators: Generators) -> None:
    """Tap `random.getstate`. Effects: replaces the function of the module."""
    tap = Tap(
        source="random.getstate",
        kind="unseeded-rng",
        libraries=False,
        applies=lambda: generators.is_unseeded("random"),
        encode=lambda state: [state[0], list(state[1]), state[2]],
        decode=lambda state: (state[0], tuple(state[1]), state[2]),
    )
    random.getstate = interceptor.tap(random.getstate, tap, "random")


def tap_numpy_state(interceptor: Interceptor, generators: Generators, module: Any) -> None:
    """Tap `numpy.random.get_state` in its usual form, a tuple."""
    make_words = module.mtrand.np.array

    def applies(legacy: bool = True) -> bool:  # noqa: FBT001, FBT002
        return legacy and generators.is_unseeded("numpy.random")

    def encode(state: Any) -> list[Any]:
        name, words, position, has_kept, kept = state
        return [str(name), [int(word) for word in words], int(position), int(has_kept), float(kept)]

    def decode(state: list[Any], *_args: Any, **_kwargs: Any) -> tuple[Any, ...]:
        return (state[0], make_words(state[1], dtype="uint32"), *state[2:])

    tap = Tap(
        source="numpy.random.get_state",
        kind="unseeded-rng",
        libraries=False,
        applies=applies,
        encode=encode,
        decode=decode,
    )
    original = module.get_state

    def get_state(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    replace_function(module, "get_state", interceptor.tap(get_state, tap, "numpy.random"))


def tap_torch_state(interceptor: Interceptor, generators: Generators, torch: Any) -> None:
    """Tap `torch.initial_seed` and `torch.get_rng_state`."""

    def applies() -> bool:
        return generators.is_unseeded("torch")

    def encode(state: Any) -> str:
        return ctypes.string_at(state.data_ptr(), state.numel()).hex()

    def decode(state: str) -> Any:
        return torch.frombuffer(bytearray.fromhex(state), dtype=torch.uint8).clone()

    def put(name: str, encode: Callable[[Any], Any] | None = None, decode: Callable[..., Any] | None = None) -> None:
        tap = Tap(
            source=f"torch.{name}", kind="unseeded-rng", libraries=False, applies=applies, encode=encode, decode=decode
        )
        tapped = interceptor.tap(getattr(torch.random, name), tap)
        setattr(torch, name, tapped)
        setattr(torch.random, name, tapped)

    put("initial_seed")
    put("get_rng_state", encode, decode)
