"""Start fresh processes with the `sys.path` of the user's own `python script.py`, and with this package.

With `python -m reproof` a `click.py` in the working folder would shadow the installed one; with the folder of this
package first on `sys.path`, everything installed there would shadow what PYTHONPATH names. So the package is loaded
from its own file, and finds its modules by its own path.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

START: Final = """
import sys
has_folder = not getattr(sys.flags, "safe_path", False)
sys.path[:has_folder] = {place!r} * has_folder
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("reproof", {package!r})
sys.modules["reproof"] = package = module_from_spec(spec)
spec.loader.exec_module(package)
from {module} import main
main()
"""
"""What Python executes. Unless under `-P`, it has put the working folder first: none of our modules come from there."""


def start_command(module: str, *, replaces_first: bool = False) -> list[str]:
    """Return the command that runs `main` of a module of this package in a fresh process, without its arguments.

    With `replaces_first` it replaces the first entry of `sys.path` by the folder of the user's script, as
    `reproof.launch.script` does. Until then it is the file of this package, in which nothing can be found.
    """
    package = str(Path(__file__).parents[1] / "__init__.py")
    place = [package] if replaces_first else []
    return [sys.executable, "-c", START.format(module=module, package=package, place=place)]
