"""The taps of this wing, in the order in which they are put in. A new race is one row more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.entropy.races import (
    channels,
    completion,
    managers,
    pools,
    queues,
    shared_parameters,
    shared_values,
    signals,
    tasks,
    thread_events,
    turns,
    workers,
)
from reproof.entropy.registry import Row

if TYPE_CHECKING:
    from types import ModuleType

    from reproof.entropy.interception import Interceptor


def tap_event_loops(interceptor: Interceptor, _asyncio: ModuleType) -> None:
    """Tap `asyncio`; what taps it is imported after it, because few scripts use it and it takes long to import."""
    from reproof.entropy.races import event_loops

    event_loops.install(interceptor)


RACES: Final = (
    Row(install=channels.install),
    Row(install=thread_events.install),
    Row(install=signals.install),
    Row(install=turns.install),
    Row(install=workers.install, needs=("workers",)),
    Row(install=completion.install, needs=("interceptor", "workers")),
    Row(install=queues.install, needs=("interceptor", "workers")),
    Row(install=pools.install, needs=("interceptor", "generators")),
    Row(install=tasks.install),
    Row(install=tasks.tap_loky, after="loky.process_executor"),
    Row(install=tasks.tap_loky, after="joblib.externals.loky.process_executor"),
    Row(install=pools.tap_loky, needs=("interceptor", "generators"), after="loky.process_executor"),
    Row(install=pools.tap_loky, needs=("interceptor", "generators"), after="joblib.externals.loky.process_executor"),
    Row(install=turns.tap_loky, after="loky.process_executor"),
    Row(install=turns.tap_loky, after="joblib.externals.loky.process_executor"),
    Row(install=turns.tap_reusable, after="loky.reusable_executor"),
    Row(install=turns.tap_reusable, after="joblib.externals.loky.reusable_executor"),
    Row(install=tasks.tap_joblib, after="joblib.parallel"),
    Row(install=tap_event_loops, after="asyncio"),
    Row(install=managers.install, after="multiprocessing.managers"),
    Row(install=shared_values.install, after="multiprocessing.sharedctypes"),
    Row(install=shared_parameters.install, after="torch.optim.optimizer"),
)
