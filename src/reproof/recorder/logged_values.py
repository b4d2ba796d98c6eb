"""`reproof.log`: record values that a script itself wants compared.

PyTorch is not imported before a recording has it: a script may log before it imports PyTorch, and in a script that runs
without a recording, the calls must cost nothing.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from reproof.recorder.session import ACTIVE

if TYPE_CHECKING:
    from reproof.recorder.context import Context
    from reproof.recorder.session import Recording


def log(**values: Any) -> None:
    """Record values under their names, in every recording of this process: ``reproof.log(accuracy=0.93)``.

    Each becomes an event of stage ``metric`` in the current step; a nested value one event per leaf, such as
    ``scores['dev'][0]``. Numbers are compared to the bit, and shown where they differ. Without a recording, and in
    forked children such as workers of a DataLoader, nothing happens.

    Args:
        values: Tensors, arrays, numbers and strings in any nesting. What has no known content is noted as skipped, and
            then the runs are not called identical.

    Effects: waits for the device of a tensor that is not in host memory. Draws no random number, and never raises.
    """
    if not ACTIVE:
        return
    for recording in tuple(ACTIVE):
        for name, value in values.items():
            with recording.guard("logged value"):
                _log_value(recording, name, value)


def _log_value(recording: Recording, name: str, value: Any) -> None:
    if recording.context is not None and recording.context.is_active:
        _record(name, value, recording.context)
    elif recording.is_open:  # the script has not imported PyTorch yet, and may change the value until it does
        recording.await_torch(partial(_record, name, copy.deepcopy(value)))


def _record(name: str, value: Any, context: Context) -> None:
    from reproof.recorder.metrics import record_metric

    record_metric(context.evidence, name, value)
