"""Calls that return memory which nothing has written, where no function of ours can stand in for what is called.

`numpy.ndarray(shape)` is a call of a compiled type, and a ufunc with `where=` but without `out=` leaves out what is
masked. In an experiment that fills such memory the user's modules are compiled to pass what they call through here.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.rewriting.recompiling import call, last_name

if TYPE_CHECKING:
    from collections.abc import Callable

    Fill = Callable[[Any, Any], None]

ALLOCATING: Final = "__reproof_allocating__"
NUM_POSITIONS_BEFORE_BUFFER: Final = 2
"""Arguments of `numpy.ndarray` before the memory that it may be given: shape and type."""


class Allocations(ast.NodeTransformer):
    """Passes what is called to make an array, or with a mask, through our function."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Pass what is called."""
        self.generic_visit(node)
        if last_name(node.func) == "ndarray" or any(keyword.arg == "where" for keyword in node.keywords):
            node.func = call(ALLOCATING, [node.func], node.func)
        return node


class Filler:
    """Fills what such calls return, once somebody has said how.

    Attributes:
        fill: Is given an array and which of its elements nothing has written, None for all; None to leave them.
    """

    def __init__(self) -> None:
        """Leave all memory as it is."""
        self.fill: Fill | None = None

    def pass_allocating(self, function: Any) -> Any:
        """Return a function that fills what the given one has not written; the given one where it writes all."""
        numpy = sys.modules.get("numpy")
        if numpy is None or self.fill is None:
            return function
        if function is numpy.ndarray:
            return self._wrap_array(function)
        return self._wrap_ufunc(function, numpy) if isinstance(function, numpy.ufunc) else function

    def _wrap_array(self, function: Any) -> Any:
        def make(*args: Any, **kwargs: Any) -> Any:
            array = function(*args, **kwargs)
            given = kwargs.get("buffer", args[2] if len(args) > NUM_POSITIONS_BEFORE_BUFFER else None)
            if given is None and self.fill is not None:
                self.fill(array, None)
            return array

        return make

    def _wrap_ufunc(self, function: Any, numpy: Any) -> Any:
        def compute(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            where = kwargs.get("where", True)
            given = kwargs.get("out")
            if where is True or len(args) > function.nin or self.fill is None:
                return result
            results = result if isinstance(result, tuple) else (result,)
            for made, out in zip(results, given if isinstance(given, tuple) else [given] * len(results), strict=True):
                if out is None and type(made) is numpy.ndarray:
                    self.fill(made, numpy.logical_not(numpy.broadcast_to(where, made.shape)))
            return result

        return compute


FILLER: Final = Filler()
"""The one of this process: modules are compiled before PyTorch, and with it who knows how to fill, is there."""
