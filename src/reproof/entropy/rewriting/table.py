"""The taps of this wing, in the order in which they are put in."""

from __future__ import annotations

from typing import Final

from reproof.entropy.registry import Row
from reproof.entropy.rewriting import modules, orders, scripts

REWRITING: Final = (
    Row(install=modules.install),
    Row(install=orders.install),
    Row(install=scripts.install),
)
