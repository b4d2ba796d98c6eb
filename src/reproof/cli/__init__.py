"""The command line: one module per command, imported when it is called.

Here is the only place that prints, and the only one that turns errors into exit codes.
"""

from __future__ import annotations

from reproof.cli.main import main

__all__ = ["main"]
