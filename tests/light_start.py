"""Let the processes that tests start train without loading PyTorch's compiler and exporter: half of their time.

The first step of any optimizer imports `torch._dynamo`, which takes as long as `import torch` itself, only to ask it
for `disable` and `graph_break`, which do nothing where nothing is compiled. Here these two are answered without it, and
so is what `DistributedDataParallel` asks for, how its models would be compiled.
`import torch` itself loads `torch.export` and the shapes of operations on no data, a third of its time, for those who
trace a model; and `torch.use_deterministic_algorithms` the back end of the compiler, to set one option of it. Whatever
else is asked of any of them loads it for good, so that compiled and exported models are what they are without this.
While `import torch` makes what stays for ever, no garbage is looked for, nor soon after it, and which module defines an
operation is told by its frame, not by asking all modules for their files.

`make setup` puts this file and `light_start.pth` into the virtual environment, where Python runs it at the start of
each process in which REPROOF_LIGHT_START is set. `conftest.py` sets it, but for `make thorough`.
"""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import os
import sys
import types
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMPILER: Final = "torch._dynamo"
LATE: Final = ("torch.export", "torch._meta_registrations")
"""In the order in which `import torch` loads them."""
BACKEND: Final = "torch._inductor"
OPTIONS: Final = "torch._inductor.config"
PARTS: Final = {"utils": ("get_optimize_ddp_mode", "ddp_optimizer"), "trace_rules": ("clear_lru_cache", None)}
"""What data parallelism and a process group ask of parts of the compiler, and the answer where nothing was set."""
TRACING: Final = frozenset({"torch._decomp", "torch._export", "torch._prims", "torch._refs"})
"""Who imports one of these needs what is late."""


class LightModule(types.ModuleType):
    """A module of PyTorch until somebody asks for something of it."""

    def __getattr__(self, name: str) -> Any:
        """Load the module: nothing has it but what was loaded."""
        if name.startswith("__"):
            raise AttributeError(name)
        if isinstance(self, LightModule):
            self.load()
        return getattr(self, name)

    def load(self) -> None:
        """Run the real modules in the place of the light ones, in their order."""
        load_late()


class LightCompiler(LightModule):
    """`torch._dynamo`, which answers two questions by itself.

    Attributes:
        asked: What was disabled so far, with the arguments.
    """

    asked: list[tuple[Callable[..., Any], bool]]

    def load(self) -> None:
        """Run the real module in the place of the light one, and answer again what was asked before."""
        load_late()
        asked = self.__dict__.pop("asked")
        for name in PARTS:
            self.__dict__.pop(name, None)
        finder.left.discard(COMPILER)
        run_real(self)
        for fn, recursive in asked:
            setattr(fn, "__dynamo_disable", self.disable(fn, recursive, wrapping=False))  # a class mangles the name

    def disable(self, fn: Any = None, recursive: bool = True, *, wrapping: bool = True, **more: Any) -> Any:  # noqa: FBT001, FBT002  # the original's
        """Return a function as it is: nothing compiles it. PyTorch itself, which keeps it, asks without `wrapping`."""
        if wrapping or fn is None:
            self.load()
            return self.disable(fn, recursive, wrapping=wrapping, **more)
        self.asked.append((fn, recursive))
        return fn

    def graph_break(self, msg: str = "") -> None:
        """Do nothing, as outside of what is compiled."""


class LightPart:
    """A part of `torch._dynamo`, of which one function is answered while nothing is compiled."""

    def __init__(self, compiler: LightCompiler, name: str, function: str, value: str | None) -> None:
        """Answer a function by a value."""
        self._compiler, self._name = compiler, name
        setattr(self, function, lambda: value)

    def __getattr__(self, name: str) -> Any:
        """Ask the real part for anything else."""
        if isinstance(self._compiler, LightCompiler):
            self._compiler.load()
        return getattr(getattr(self._compiler, self._name), name)


class LightBackend(LightModule):
    """`torch._inductor` or its options, of which one can be set; later it hands on what is asked to the real one."""

    def __getattr__(self, name: str) -> Any:
        """Ask the real module, but for what the import system wants to know."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.load_real(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep whether algorithms are deterministic, and the options as a part of the package, until all is loaded."""
        if name.startswith("__") or (BACKEND in finder.left and name in {"config", "deterministic"}):
            super().__setattr__(name, value)
        else:
            setattr(self.load_real(), name, value)

    def load(self) -> None:
        """Put the real modules in the place of the light ones, with the option that was set."""
        load_late()
        finder.left.difference_update((BACKEND, OPTIONS))
        options = sys.modules.pop(OPTIONS, None)
        package = sys.modules.pop(BACKEND)
        package.__dict__.pop("config", None)
        real = importlib.import_module(OPTIONS)
        if options is not None and "deterministic" in options.__dict__:
            real.deterministic = options.__dict__.pop("deterministic")  # type: ignore[attr-defined]

    def load_real(self) -> types.ModuleType:
        """Return the real module."""
        if BACKEND in finder.left:
            self.load()
        return sys.modules[self.__name__]


def load_late() -> None:
    """Run the modules that `import torch` would have loaded, in the place of the light ones."""
    waiting = [name for name in LATE if name in finder.left]
    finder.left.difference_update(LATE)
    for name in waiting:
        if isinstance(module := sys.modules.get(name), LightModule):
            run_real(module)


def make_generators() -> None:
    """Do what `torch._prims` does when it is loaded, without which no `torch.Generator` can be made (since 2.13)."""
    import torch

    if hasattr(torch._C, "_set_generator_metaclass"):
        from torch._opaque_base import OpaqueBaseMeta

        torch._C._set_generator_metaclass(OpaqueBaseMeta)


def run_real(module: types.ModuleType) -> None:
    """Run the real module in the place of a light one."""
    module.__class__ = types.ModuleType  # type: ignore[assignment]
    assert module.__spec__ is not None
    assert module.__spec__.loader is not None
    module.__spec__.loader.exec_module(module)


KINDS: Final[dict[str, type[LightModule]]] = {COMPILER: LightCompiler, BACKEND: LightBackend, OPTIONS: LightBackend}


class LightLoader:
    """Makes a light module."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return it without content."""
        return KINDS.get(spec.name, LightModule)(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Let it look as the real one does from outside."""
        parent = module.__name__.rpartition(".")[0]
        real = importlib.machinery.PathFinder.find_spec(module.__name__, sys.modules[parent].__path__)
        assert real is not None
        module.__spec__, module.__loader__, module.__file__ = real, real.loader, real.origin
        if real.submodule_search_locations is not None:
            module.__path__ = real.submodule_search_locations
        if isinstance(module, LightCompiler):
            module.asked = []
            for part, (function, value) in PARTS.items():
                setattr(module, part, LightPart(module, part, function, value))
        if module.__name__ == OPTIONS:
            module.deterministic = os.environ.get("TORCHINDUCTOR_DETERMINISTIC") == "1"  # type: ignore[attr-defined]
        if module.__name__ == LATE[-1]:
            make_generators()


class LoadedLoader:
    """Hands out a module that was loaded while it was being looked for."""

    def __init__(self, name: str) -> None:
        """Take it from the modules: whatever is there would be run again."""
        self._module = sys.modules.pop(name)
        self._spec = self._module.__spec__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return the module."""
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: it was run. Some modules have attributes of their own alone."""
        types.ModuleType.__setattr__(module, "__spec__", self._spec)


class LightFinder:
    """Finds the light modules, each once; a part of a real one loads it, and so does who traces models.

    Attributes:
        left: The names of modules that have not been loaded.
    """

    def __init__(self) -> None:
        """Start with none loaded."""
        self.left = {COMPILER, *LATE, BACKEND, OPTIONS}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module comes from, or None where that is not for this finder to say."""
        if fullname == "torch":
            return find_pytorch(path)
        if fullname in self.left:
            return importlib.machinery.ModuleSpec(fullname, LightLoader(), is_package=True)
        parent = fullname.rpartition(".")[0]
        if parent in self.left:
            module = sys.modules.get(parent)
            if isinstance(module, LightModule):
                module.load()
        elif fullname in TRACING:
            load_late()
        is_loaded = fullname in sys.modules
        return importlib.machinery.ModuleSpec(fullname, LoadedLoader(fullname)) if is_loaded else None


def find_pytorch(path: Sequence[str] | None) -> importlib.machinery.ModuleSpec | None:
    """Return where PyTorch is, to be loaded without looking for garbage."""
    spec = importlib.machinery.PathFinder.find_spec("torch", path)
    if spec is not None and spec.loader is not None and gc.isenabled():
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            import inspect

            search = inspect.getmodule

            def get_module(thing: Any, file: str | None = None) -> types.ModuleType | None:
                is_frame = isinstance(thing, types.FrameType)
                return sys.modules.get(thing.f_globals["__name__"]) if is_frame else search(thing, file)

            inspect.getmodule = get_module
            gc.disable()
            try:
                execute(module)
            finally:
                inspect.getmodule = search
                gc.enable()
                gc.freeze()
                gc.unfreeze()  # into the oldest generation, which is rarely searched

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
    return spec


finder = LightFinder()
sys.meta_path.insert(0, finder)
