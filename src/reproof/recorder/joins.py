"""See when a thread beside the training has been waited for: what it has recorded then has its place."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from reproof.recorder.context import BESIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.context import Context


def hook_joins(context: Context) -> None:
    """Hook `threading.Thread.join`.

    Effects: replaces the method until the patches of the context are restored.
    """

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def join(thread: threading.Thread, timeout: float | None = None) -> None:
            original(thread, timeout)
            if context.is_active and not context.thread.is_beside:
                with context.problems.guard(BESIDE):
                    context.background.place_ended(thread)

        return join

    context.patches.replace(threading.Thread, "join", wrap)
