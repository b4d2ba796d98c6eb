"""Import the user's packages from the copy of their folder, wherever they are named: for a run among links.

Left out: paths that the script itself inserts later, and packages outside of the folder, which are as they were.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from reproof.launch.placing import move_path

if TYPE_CHECKING:
    from pathlib import Path

EDITABLE: Final = "__editable__"
"""How the names of the modules begin by which setuptools finds packages in editable mode."""


def import_from_copy(origin: Path, copy: Path) -> None:
    """Have what is imported from a folder imported from its copy.

    The folder may be named by ``PYTHONPATH``, by ``.pth`` files and by finders of editable packages. Effects: changes
    `sys.path` and the tables of such finders.
    """
    sys.path[:] = [move_path(path, origin, copy) for path in sys.path]
    for name, module in list(sys.modules.items()):
        if name.startswith(EDITABLE):
            for table in ("MAPPING", "NAMESPACES"):
                move_entries(getattr(module, table, None), origin, copy)


def move_entries(table: Any, origin: Path, copy: Path) -> None:
    """Name the copy in a table of packages with their folders, or lists of folders."""
    for name, value in table.items() if isinstance(table, dict) else ():
        if isinstance(value, str):
            table[name] = move_path(value, origin, copy)
        elif isinstance(value, list):
            table[name] = [move_path(path, origin, copy) for path in value]
