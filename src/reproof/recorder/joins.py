"""See when a thread or a task of a pool has been waited for: what it has recorded then has its place."""

from __future__ import annotations

import concurrent.futures.thread
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from reproof.recorder.context import BESIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.context import Context


def hook_joins(context: Context) -> None:
    """Hook `threading.Thread.join`, and the end of the script, at which Python waits for all threads.

    Effects: replaces the method, and `threading._shutdown`, until the patches of the context are restored.
    """

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def join(thread: threading.Thread, timeout: float | None = None) -> None:
            waits = context.is_active and not context.thread.is_beside
            if waits and timeout is None:
                with context.problems.guard(BESIDE):
                    context.trainings.follow(thread)
            original(thread, timeout)
            if waits:
                with context.problems.guard(BESIDE):
                    context.background.place_ended(thread)
                    context.trainings.place_ended(thread)

        return join

    def wrap_shutdown(original: Callable[[], None]) -> Callable[[], None]:
        def shutdown() -> None:
            original()
            if context.is_active:  # exit handlers, which come next, may record as well
                with context.problems.guard(BESIDE):
                    context.background.place_rest()
                    context.trainings.place_rest()

        return shutdown

    context.patches.replace(threading.Thread, "join", wrap)
    context.patches.replace(threading, "_shutdown", wrap_shutdown)


def hook_tasks(context: Context) -> None:
    """Hook what tells one task of a pool from another, and who asks for its result.

    Effects: replaces `concurrent.futures.Future.result` and what makes and runs a task of a thread, until the patches
        of the context are restored.
    """
    trainings, guard = context.trainings, context.problems.guard

    def wrap_init(original: Callable[..., None]) -> Callable[..., None]:
        def init(item: Any, future: Future[Any], *args: Any, **kwargs: Any) -> None:
            original(item, future, *args, **kwargs)
            with guard(BESIDE):
                trainings.order_task(future)

        return init

    def wrap_run(original: Callable[..., None]) -> Callable[..., None]:
        def run(item: Any, *args: Any, **kwargs: Any) -> None:
            with guard(BESIDE):
                trainings.begin_task(item.future)
            try:
                original(item, *args, **kwargs)
            finally:
                with guard(BESIDE):
                    trainings.end_task()

        return run

    def wrap_result(original: Callable[..., Any]) -> Callable[..., Any]:
        def result(future: Future[Any], *args: Any, **kwargs: Any) -> Any:
            try:
                return original(future, *args, **kwargs)
            finally:
                if context.is_active and not context.thread.is_beside and future.done():
                    with guard(BESIDE):
                        trainings.place_result(future)

        return result

    work_item = concurrent.futures.thread._WorkItem  # noqa: SLF001  # no public place
    context.patches.replace(work_item, "__init__", wrap_init)
    context.patches.replace(work_item, "run", wrap_run)
    context.patches.replace(Future, "result", wrap_result)
