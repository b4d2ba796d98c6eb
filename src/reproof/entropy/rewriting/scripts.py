"""Have the script that Python was started with compiled anew, in an experiment whose processes a launcher starts.

Python itself reads the script that it is started with, and asks no loader for its code. But whatever is started it
first takes for an archive, and asks `sys.path_hooks` who can import from it: so here the script is imported as the
`__main__` of an archive, and finds all as it would have been, its `__file__`, `__spec__` and `sys.path[0]`. Read from
the source of Python 3.11, `pymain_run_python` in Modules/main.c and Lib/runpy.py.
"""

from __future__ import annotations

import importlib.machinery
import os
import runpy
import sys
from typing import TYPE_CHECKING, Any

from reproof.entropy.rewriting.modules import compile_module

if TYPE_CHECKING:
    from types import CodeType

    from reproof.entropy.interception import Interceptor


class ScriptImporter:
    """Imports one script as if it were an archive with a module `__main__`."""

    def __init__(self, path: str, code: CodeType) -> None:
        """Give this code for the script at a path."""
        self._path = path
        self._code = code

    def find_spec(self, name: str, _target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return what is known of `__main__`, which is then run."""
        if name != "__main__":
            return None
        is_safe = getattr(sys.flags, "safe_path", False)  # Python 3.11: the folder of the script is left out
        sys.path[:1] = [] if is_safe else [os.path.dirname(os.path.realpath(self._path))]  # noqa: PTH120  # as text
        module: Any = runpy
        original = module._run_code  # noqa: SLF001  # it gives the module the names of an archive's

        def run_code(code: CodeType, names: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            module._run_code = original  # noqa: SLF001
            names.update(__file__=self._path, __spec__=None, __package__=None, __cached__=None, __doc__=None)
            names["__loader__"] = importlib.machinery.SourceFileLoader("__main__", self._path)
            exec(code, names)  # noqa: S102  # the user's script
            return names

        module._run_code = run_code  # noqa: SLF001
        return importlib.machinery.ModuleSpec("__main__", self, origin=self._path)  # type: ignore[arg-type]

    def get_code(self, _name: str) -> CodeType:
        """Return the code of the script."""
        return self._code


def install(interceptor: Interceptor) -> None:
    """Have the script compiled anew with which Python is about to begin, if an experiment needs that.

    Effects: adds to `sys.path_hooks` until the script is found.
    """
    plan = interceptor.plan
    if not (plan.watches_orders or plan.watches_memory or plan.watches_calls):
        return
    named = {os.path.abspath(argument) for argument in sys.orig_argv[1:]}  # noqa: PTH100  # as text

    def find_importer(path: str) -> ScriptImporter:
        if os.path.abspath(path) not in named or not path.endswith(".py"):  # noqa: PTH100  # as text
            raise ImportError
        try:
            code = compile_module(path, plan)
        except (SyntaxError, ValueError):
            code = None
        if code is None:
            raise ImportError  # Python has its own error for it
        sys.path_hooks.remove(find_importer)
        return ScriptImporter(path, code)

    if not hasattr(sys.modules["__main__"], "__file__"):  # it has not begun
        sys.path_hooks.insert(0, find_importer)
