"""How a fresh process of ours begins: with the `sys.path` of the user's own `python script.py`, and with our package.

`python -m reproof` would let a `click.py` in the working folder take the place of ours, and our folder at the front of
`sys.path` is that of all that is installed: it would take the place of what PYTHONPATH names. So the package is loaded
from its own file, and its modules are found by its own path.
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
    """Return the command that runs `main` of a module of ours in a fresh process; its arguments are to follow.

    Args:
        module: The module, by its full name.
        replaces_first: Whether it replaces the first entry of `sys.path` by the folder of the user's script, as
            `reproof.launch.script` does. Until then our own file stands there, in which nothing can be found.
    """
    package = str(Path(__file__).parents[1] / "__init__.py")
    place = [package] if replaces_first else []
    return [sys.executable, "-c", START.format(module=module, package=package, place=place)]
