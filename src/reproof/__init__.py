"""reproof: proof that a PyTorch training reproduces, and, where it does not, the first place it parts.

Names are imported when they are first used, so that `import reproof` costs nothing and needs no PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reproof._version import __version__

if TYPE_CHECKING:
    from reproof.checking import check
    from reproof.comparison import compare
    from reproof.determinism import conditions, deterministic, make_generator, seed_worker
    from reproof.errors import ReproofError
    from reproof.integrations.ipython import load_ipython_extension
    from reproof.recorder import log, record
    from reproof.reproducing.workflow import reproduce

__all__ = [
    "ReproofError",
    "__version__",
    "check",
    "compare",
    "conditions",
    "deterministic",
    "load_ipython_extension",
    "log",
    "make_generator",
    "record",
    "reproduce",
    "seed_worker",
]

_HOMES = {
    "ReproofError": "reproof.errors",
    "check": "reproof.checking",
    "compare": "reproof.comparison",
    "conditions": "reproof.determinism",
    "deterministic": "reproof.determinism",
    "load_ipython_extension": "reproof.integrations.ipython",
    "log": "reproof.recorder",
    "make_generator": "reproof.determinism",
    "record": "reproof.recorder",
    "reproduce": "reproof.reproducing.workflow",
    "seed_worker": "reproof.determinism",
}


def __getattr__(name: str) -> Any:  # whatever the name stands for
    """Import a public name when it is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        msg = f"module 'reproof' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
