"""How long the taps of this wing wait for another thread or process."""

from __future__ import annotations

from typing import Final

PATIENCE_SECONDS: Final = 5.0
"""Wait so long for what came in the earlier run, then take what comes."""

PAUSE_SECONDS: Final = 0.002
"""Give another process so long to take what was put back for it."""

POLL_SECONDS: Final = 0.001
"""Look so often how far another process has come."""
