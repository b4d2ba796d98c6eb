"""Let the processes that tests start train without loading PyTorch's compiler: half of their time.

The first step of any optimizer imports `torch._dynamo`, which takes as long as `import torch` itself, only to ask it
for `disable` and `graph_break`, which do nothing where nothing is compiled. Here these two are answered without it.
Whatever else is asked of it loads it for good, so that compiled models are what they are without this.

`make setup` puts this file and `light_start.pth` into the virtual environment, where Python runs it at the start of
each process in which REPROOF_LIGHT_START is set. `conftest.py` sets it, but for `make thorough`.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME: Final = "torch._dynamo"


class LightModule(types.ModuleType):
    """`torch._dynamo` until somebody asks for more than there is.

    Attributes:
        asked: What was disabled so far, with the arguments.
    """

    asked: list[tuple[Callable[..., Any], bool]]

    def __getattr__(self, name: str) -> Any:
        """Load the compiler: nothing has it but what was loaded."""
        if name.startswith("__"):
            raise AttributeError(name)
        if isinstance(self, LightModule):
            load(self)
        return getattr(self, name)

    def disable(self, fn: Any = None, recursive: bool = True, *, wrapping: bool = True, **more: Any) -> Any:  # noqa: FBT001, FBT002  # the original's
        """Return a function as it is: nothing compiles it. PyTorch itself, which keeps it, asks without `wrapping`."""
        if wrapping or fn is None:
            load(self)
            return self.disable(fn, recursive, wrapping=wrapping, **more)
        self.asked.append((fn, recursive))
        return fn

    def graph_break(self, msg: str = "") -> None:
        """Do nothing, as outside of what is compiled."""


def load(module: LightModule) -> None:
    """Run the real module in the place of the light one, and answer again what was asked before."""
    asked = module.__dict__.pop("asked")
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, LightFinder)]
    module.__class__ = types.ModuleType  # type: ignore[assignment]
    assert module.__spec__ is not None
    assert module.__spec__.loader is not None
    module.__spec__.loader.exec_module(module)
    for fn, recursive in asked:
        fn.__dynamo_disable = module.disable(fn, recursive, wrapping=False)  # type: ignore[attr-defined]


class LightLoader(importlib.abc.Loader):
    """Makes the light module."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return it without content."""
        return LightModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Let it look as the real one does from outside."""
        real = importlib.machinery.PathFinder.find_spec(NAME, sys.modules["torch"].__path__)
        assert real is not None
        module.__spec__, module.__loader__, module.__file__ = real, real.loader, real.origin
        module.__path__ = real.submodule_search_locations or []
        module.asked = []  # type: ignore[attr-defined]


class LightFinder(importlib.abc.MetaPathFinder):
    """Finds the light module, once; a part of the real one loads it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module comes from, or None where that is not for this finder to say."""
        if fullname == NAME:
            return importlib.machinery.ModuleSpec(fullname, LightLoader(), is_package=True)
        if fullname.startswith(f"{NAME}.") and isinstance(module := sys.modules.get(NAME), LightModule):
            load(module)
        return None


sys.meta_path.insert(0, LightFinder())
