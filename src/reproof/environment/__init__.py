"""What surrounds a process: interpreter, machine, packages, variables, code, and the settings of PyTorch.

Two runs of the same script can differ because of any of these, so a trace keeps them, and where runs differ their
surroundings are compared. PyTorch is asked only if the process has imported it already: nothing here imports it.

- `interpreter`: Python, its packages, and the variables that change numbers
- `host`: processor, memory, operating system
- `source`: the script and its git checkout
- `torch_settings`: the settings of PyTorch, its build and its devices
- `highlights`: what matters most of one run's surroundings
- `differences`: what differs between those of two runs

Left out on purpose: setting anything (`reproof.determinism`), and secrets: no variable whose name tells of a key, a
token or a password is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reproof.environment.differences import UNKNOWN, compare_environments
from reproof.environment.torch_settings import collect_torch_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UNKNOWN", "collect_environment", "collect_torch_environment", "compare_environments"]


def collect_environment(command: Sequence[str] = ()) -> dict[str, Any]:
    """Return what surrounds this process, as nested plain values that JSON can hold.

    Args:
        command: The script and its arguments, where they are not those of this process (`reproof run`).

    Returns:
        Facts by topic: ``python``, ``platform``, ``cpu``, ``process``, ``locale``, ``packages``, ``variables``,
        ``code``. What cannot be found out is None.

    Effects:
        Starts git, where the script lies in a checkout, and waits at most 2 seconds for it. Changes nothing.
    """
    # Imported here, so that comparing, which needs none of it, starts sooner.
    from reproof.environment.host import describe_host
    from reproof.environment.interpreter import describe_interpreter, find_packages, select_variables
    from reproof.environment.source import SourceQuery

    source = SourceQuery(command)  # first: git works while the rest is collected
    return {
        **describe_interpreter(command),
        **describe_host(),
        "packages": find_packages(),
        "variables": select_variables(),
        "code": source.result(),
    }
