"""Read from the schema of an operation what it does to memory: which arguments it changes, what it returns.

Left out: what it computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

IGNORED_NAMESPACES: Final = frozenset({"profiler"})
"""Operations that only mark a place in a profile."""

ALLOCATING: Final = frozenset(
    {
        "empty",
        "empty_like",
        "empty_strided",
        "empty_permuted",
        "empty_quantized",
        "_empty_affine_quantized",
        "_empty_per_channel_affine_quantized",
        "new_empty",
        "new_empty_strided",
    }
)
"""Operations of ATen whose result is memory that nothing was written to."""

RESIZING: Final = frozenset({"resize_", "resize_as_", "resize"})
OVERWRITING: Final = frozenset(
    {
        "zero_",
        "fill_",
        "copy_",
        "normal_",
        "uniform_",
        "random_",
        "bernoulli_",
        "exponential_",
        "log_normal_",
        "cauchy_",
        "geometric_",
        "_foreach_zero_",
        "_foreach_copy_",
    }
)
"""Operations that do not read the first argument that they change."""

ADOPTING: Final = frozenset({"set_", "set_data"})
"""Operations that make a tensor a view of other memory: they compute nothing."""

COPYING_VIEWS: Final = frozenset({"lift_fresh", "lift"})
"""Operations whose schema says that they return their argument, but whose result counts as new: `torch.tensor` makes
its data known through them."""

SCRATCH: Final = {
    "mkldnn_rnn_layer": {3},
    "_cudnn_rnn": {3},
    "miopen_rnn": {3},
    "_embedding_bag": {1, 2, 3},
    "_embedding_bag_forward_only": {1, 2, 3},
    "_batch_norm_with_update": {3},
    "cudnn_batch_norm": {3},
    "_scaled_dot_product_efficient_attention": {1, 2, 3},
    "_scaled_dot_product_flash_attention": {1, 6, 7, 8},
    "_scaled_dot_product_cudnn_attention": {1, 6, 7, 8},
}
"""Positions of results of which parts are never written: workspaces, paddings and tables that only backward reads."""

STATISTICS: Final = frozenset({"running_mean", "running_var"})
"""Arguments that batch normalisation changes in training, although its schema does not say so."""


class Effects:
    """What is known of an operation before it is executed.

    Attributes:
        is_ignored: Whether it computes nothing and is not recorded.
        is_view: Whether it only returns other views of its arguments.
        allocates: Whether its result is uninitialised memory.
        resizes: Whether it changes the size of its first argument.
        is_random: Whether it draws random numbers.
        positions: Position of each argument by its name.
        mutated: Positions of the arguments that it changes.
        overwritten: Those among them that it does not read.
        fresh: Positions of the results that are tensors of their own.
        scratch: Positions of the results of which parts are never written.
        has_results: Whether it returns or changes a tensor.
    """

    __slots__ = (
        "allocates",
        "fresh",
        "has_results",
        "is_ignored",
        "is_random",
        "is_view",
        "mutated",
        "name",
        "overload",
        "overwritten",
        "positions",
        "resizes",
        "scratch",
    )

    def __init__(self, func: Any) -> None:  # an OpOverload, or a higher-order operator, which has no schema
        """Read the schema of an operation."""
        schema = getattr(func, "_schema", None)
        name = str(func.name()) if schema is None else schema.name
        self.name = name if "::" in name else f"higher_order::{name}"
        self.overload = (schema.overload_name or "default") if schema is not None else "default"
        namespace, _, short = self.name.partition("::")
        tags = getattr(func, "tags", ())
        arguments = list(schema.arguments) if schema is not None else []
        returns = list(schema.returns) if schema is not None else []
        self.is_ignored = namespace in IGNORED_NAMESPACES
        self.allocates = namespace == "aten" and short in ALLOCATING
        self.resizes = namespace == "aten" and short in RESIZING
        self.is_random = torch.Tag.nondeterministic_seeded in tags
        self.positions = {argument.name: i for i, argument in enumerate(arguments)}
        self.mutated = frozenset(i for i, argument in enumerate(arguments) if self._is_changed(argument, short))
        # An `out=` argument is written and not read. Not every supported PyTorch has the tag for it, so names tell
        # as well.
        is_out = torch.Tag.out in tags if hasattr(torch.Tag, "out") else False
        if is_out or short.endswith("_out") or self.overload.endswith("out"):
            self.overwritten = frozenset(i for i in self.mutated if arguments[i].kwarg_only)
        else:
            self.overwritten = frozenset({0} & self.mutated) if short in OVERWRITING else frozenset()
        # A result that aliases an argument and is not written is a view, unless the operation changes an argument.
        aliases = [result.alias_info for result in returns]
        self.is_view = (namespace == "aten" and short in ADOPTING) or (
            any(aliases)
            and not any(alias is not None and alias.is_write for alias in aliases)
            and not self.mutated
            and short not in COPYING_VIEWS
        )
        # A result that is written is the argument that was changed. Without a schema, the first result counts as new.
        self.fresh = frozenset(i for i, alias in enumerate(aliases) if alias is None or not alias.is_write) or (
            frozenset() if schema is not None else frozenset({0})
        )
        self.scratch = frozenset(SCRATCH.get(short, ()) if namespace == "aten" else ())
        self.has_results = bool(self.mutated) or any("Tensor" in str(result.type) for result in returns)

    @staticmethod
    def _is_changed(argument: Any, short: str) -> bool:  # torch.Argument, which has no type of its own in stubs
        if argument.alias_info is not None:
            return bool(argument.alias_info.is_write)
        return argument.name in STATISTICS and "backward" not in short and "functional" not in short


_KNOWN: Final[dict[Any, Effects]] = {}


def effects_of(func: Any) -> Effects:
    """Return the effects of an operation, which are kept once found."""
    known = _KNOWN.get(func)
    if known is None:
        known = _KNOWN[func] = Effects(func)
    return known


def fresh_tensors(effects: Effects, result: Any) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the tensors that an operation has returned and that are none of its arguments, with their positions."""
    results = result if isinstance(result, tuple) else (result,)
    for position, value in enumerate(results):
        if isinstance(value, torch.Tensor):
            if position in effects.fresh:
                yield position, value
        elif isinstance(value, (list, tuple)):
            for part in value:
                if isinstance(part, torch.Tensor):
                    yield position, part
