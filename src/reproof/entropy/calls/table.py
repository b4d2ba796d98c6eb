"""The tap of this wing."""

from __future__ import annotations

from typing import Final

from reproof.entropy.calls import watching
from reproof.entropy.registry import Row

CALLS: Final = (Row(install=watching.install, needs=("interceptor", "workers")),)
