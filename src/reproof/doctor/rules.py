"""What keeps a training from reproducing, as far as its script shows; each rule says nothing unless it is certain.

Left out, for `reproof check` to find by experiment: orders of sets and listings, uninitialised memory, operations
without a deterministic implementation, threads, state that an earlier run left on disk, differences between machines.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.doctor import catalogue
from reproof.doctor.flow import Flow, Sink
from reproof.doctor.program import DEFINITIONS, MAX_DEPTH, UNKNOWN, Program
from reproof.doctor.records import Finding, Kind
from reproof.schema import split_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEEDS: Final = {"torch": "torch.manual_seed(42)", "numpy": "numpy.random.seed(42)", "random": "random.seed(42)"}
_LOADING: Final = frozenset({"load_state_dict", "from_pretrained", "load_from_checkpoint"})
_BRANCHES: Final = ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.Match | ast.IfExp | ast.BoolOp
_OUTSIDE: Final[dict[Kind, tuple[str, str]]] = {
    "wall-clock": ("the time", "a count of steps, or a seed of the script, in place of the time"),
    "process-identity": ("what only this process has", "a number that the script fixes, such as its seed"),
    "os-entropy": ("entropy of the operating system", "a generator with a seed: random.Random(42)"),
}


def method_of(call: ast.Call) -> str:
    """Return the last part of what is called as a method, as it is written."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


class Rules:
    """The rules, over one program; `calls` has the dotted name of what is called, if it is a library's."""

    def __init__(self, program: Program) -> None:
        """Prepare the rules."""
        self.program, self.calls, self._flow = program, program.calls, Flow(program)
        self.loaders = [call for call, name in self.calls.items() if name == catalogue.LOADER]
        counts = {call: program.given(call, "num_workers", 5, default=0) for call in self.loaders}
        self.loaders_with_workers = [call for call, count in counts.items() if count != 0]  # or it cannot be told
        is_optuna = any(name.startswith("optuna.") for name in self.calls.values())
        self.searches = [call for call in self.calls if is_optuna and method_of(call) == "optimize"]
        is_backward = any(method_of(call) == "backward" for call in self.calls)
        self._is_training = is_backward or any(map(catalogue.TRAINING.fullmatch, self.calls.values()))
        self._hooks = {self.function_given(call, "worker_init_fn", None) for call in self.loaders} - {None}
        bundles = [call for call, name in self.calls.items() if name == catalogue.BUNDLE]
        entries = filter(None, [self.function_given(call, "train", 1) for call in bundles])
        self._bundled = program.reach(entries, handed=True) - program.main
        self.seeds = list(self._find_seeds())

    def find_all(self) -> tuple[Finding, ...]:
        """Return what all rules find, in the order of files and lines, each place once per kind."""
        order = [source.shown for source in self.program.sources.files]
        rules = (self._find_unseeded, self._find_late_seed, self._find_generators, self._find_outside)
        found: dict[tuple[int, int, int, str], Finding] = {}
        for item in (item for rule in rules for item in rule()):
            path, cell = split_cell(item.file)
            found[order.index(path), cell or 0, item.line, item.kind] = item
        return tuple(found[place] for place in sorted(found))

    def place(self, node: ast.AST) -> str:
        """Return the file and line of a node."""
        file, line = self.program.scopes[node].source.place(getattr(node, "lineno", 1))
        return f"{file}:{line}"

    def _make(self, kind: Kind, node: ast.expr, message: str, fix: str) -> Finding:
        source, line = self.program.scopes[node].source, node.lineno
        text = source.lines[line - 1].strip()
        file, line = source.place(line)
        return Finding(kind=kind, file=file, line=line, text=text, message=message, fix=fix)

    def _reaches(self, sink: Sink) -> str:
        return f"reaches {sink.what} ({self.place(sink.node)})"

    def function_given(self, call: ast.Call, name: str, position: int | None) -> ast.AST | None:
        """Return the function of the script that a call is given."""
        node = self.program.argument(call, name, position)
        found = self.program.resolve(node) if isinstance(node, ast.AST) else None
        return found if isinstance(found, ast.AST) else None

    def has_generator(self, call: ast.Call, name: str = "generator") -> bool | None:
        """Whether a call is given a generator or seed of its own; None if the script does not show it."""
        node = self.program.argument(call, name, 2 if self.calls[call] == catalogue.SPLIT else None)
        return None if node is UNKNOWN else node is not None and self.program.constant(node) is not None

    def is_split(self, call: ast.Call) -> bool:
        """Whether a call splits data with scikit-learn and draws, from NumPy's generator but for a ``random_state``."""
        name, shuffle = self.calls[call], self.program.given(call, "shuffle")
        has_split = shuffle is not False and catalogue.SPLITTERS.fullmatch(name) is not None
        return has_split or (shuffle is True and catalogue.FOLDS.fullmatch(name) is not None)

    def _find_seeds(self) -> Iterator[tuple[str, ast.Call]]:
        for call, name in self.calls.items():
            written = method_of(call) or getattr(call.func, "id", "")
            is_helper = self.program.resolve(call.func) is None and written not in {"seed", "manual_seed"}
            is_none = self.program.given(call, "a" if name == "random.seed" else "seed", 0) is None
            if self.program.function(call) not in self._hooks and not (is_none and name.endswith("seed")):
                libraries = catalogue.seeded_libraries(name or (written if is_helper else ""))
                yield from ((library, call) for library in libraries)

    def _find_unseeded(self) -> Iterator[Finding]:
        if self.program.sources.not_read or not self._is_training:
            return  # what was not read may well seed
        handed_on = {library for node in self.program.nodes for library in self._seeded_by(node)}  # who calls it, seeds
        for library in _SEEDS.keys() - {library for library, _ in self.seeds} - handed_on:
            for call, what in self._draws(library):
                message = f"the global generator of {library} is never seeded, and {what}"
                fix = f"{_SEEDS[library]}, or reproof.deterministic(seed=42), before the first draw"
                yield self._make("unseeded-rng", call, message, fix)
                break

    def _seeded_by(self, node: ast.AST) -> tuple[str, ...]:
        """Return the libraries that a function seeds which is only named here, and called by whoever gets it."""
        if not isinstance(node, ast.Name | ast.Attribute) or getattr(self.program.parents[node], "func", None) is node:
            return ()
        name = self.program.resolve(node)
        return catalogue.seeded_libraries(name) if isinstance(name, str) else ()

    def _draws(self, library: str) -> Iterator[tuple[ast.Call, str]]:
        """Yield the draws from a global generator that reach the training, with what each is for."""
        calls = [call for call in self.calls if self._is_drawn_here(call)]
        if library == "torch":
            yield from ((call, "the training draws from it here") for call in calls if self._is_certain_draw(call))
            for call in self.loaders:
                if self.program.given(call, "shuffle", 2) is True and self.has_generator(call) is False:
                    yield call, "the order of the samples is drawn from it"
        for call in calls:
            if library == "numpy" and self.is_split(call) and self.has_generator(call, "random_state") is False:
                yield call, "the data are split with it"
            elif self._is_draw(library, call) and (sink := self._flow.find_sink(call)) is not None:
                yield call, f"what is drawn {self._reaches(sink)}"

    def _is_drawn_here(self, call: ast.Call) -> bool:
        """Whether a call certainly draws in the main process: not in a worker, whose generators PyTorch seeds."""
        # all three of them since 1.9: torch/utils/data/_utils/worker.py
        function = self.program.function(call)
        is_here = function in self.program.main or not self.loaders_with_workers
        return is_here and function not in self._bundled | self._hooks

    def _is_certain_draw(self, call: ast.Call) -> bool:
        return bool(catalogue.CERTAIN_DRAWS.fullmatch(self.calls.get(call, ""))) and self.has_generator(call) is False

    def _is_draw(self, library: str, call: ast.Call) -> bool:
        name, method = self.calls[call], method_of(call)
        if library == "numpy" and method == "sample" and self.program.argument(call, "frac") is not None:
            return self.has_generator(call, "random_state") is False  # rows of a table of pandas
        is_method = library == "torch" and method in catalogue.TORCH_METHODS and name[:7] not in {"numpy.r", "random."}
        is_function = name.startswith(library) and catalogue.DRAWS.fullmatch(name) is not None
        return (is_method or is_function) and self.has_generator(call) is False

    def _find_late_seed(self) -> Iterator[Finding]:
        seeds = {call for library, call in self.seeds if library == "torch"}
        if not self._is_training or any(method_of(call) in _LOADING for call in self.calls):
            return
        draw = None
        for call, is_certain in self._timeline(self.program.sources.main.tree, 0, is_certain=True):
            if call in seeds:
                if draw is not None and is_certain:
                    message = f"PyTorch's global generator is drawn from, and seeded only later ({self.place(call)})"
                    fix = "set the seed before the model and the data are made"
                    yield self._make("unseeded-rng", draw, message, fix)
                return
            draw = call if draw is None and is_certain and self._is_certain_draw(call) else draw

    def _timeline(self, node: ast.AST, depth: int, *, is_certain: bool) -> Iterator[tuple[ast.Call, bool]]:
        is_guard = isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
        is_certain = is_certain and (is_guard or not isinstance(node, _BRANCHES))
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, DEFINITIONS):
                yield from self._timeline(child, depth, is_certain=is_certain)
        if isinstance(node, ast.Call):
            yield node, is_certain
            for target in self.program.targets(node) if depth < MAX_DEPTH else []:
                yield from self._timeline(target, depth + 1, is_certain=is_certain)

    def _find_generators(self) -> Iterator[Finding]:
        for call, name in self.calls.items():
            if name in catalogue.GENERATORS and self.program.given(call, catalogue.GENERATORS[name], 0) is None:
                if (sink := self._flow.find_sink(call)) is not None:
                    message = f"this generator has no seed, and no global seed gives it one; it {self._reaches(sink)}"
                    fix = f"{name.removeprefix('numpy.random.')}(seed), with a seed of the script"
                    yield self._make("unseeded-generator", call, message, fix)
            elif name in {"torch.seed", "torch.random.seed", "torch.Generator.seed"} and self._is_training:
                kind: Kind = "unseeded-generator" if name == "torch.Generator.seed" else "unseeded-rng"
                message = f"{name.removeprefix('torch.')}() takes a new seed from the operating system in each run"
                yield self._make(kind, call, message, "manual_seed(42)")
            elif self.searches and self._is_unseeded_sampler(call, name):
                message = "the sampler of this study has no seed, so each run tries other hyper-parameters"
                fix = "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=42))"
                yield self._make("unseeded-generator", call, message, fix)

    def _is_unseeded_sampler(self, call: ast.Call, name: str) -> bool:
        if isinstance(self.program.parents[call], ast.Expr):
            return False  # a study that is only made known to its storage draws nothing
        is_study = name.startswith("optuna.") and name.endswith(".create_study")
        is_one = is_study or catalogue.SAMPLERS.fullmatch(name)
        return bool(is_one) and self.program.given(call, "sampler" if is_study else "seed", is_study or None) is None

    def _find_outside(self) -> Iterator[Finding]:
        found: dict[object, Finding] = {}
        for call, name in self.calls.items():
            kind = catalogue.OUTSIDE.get(name)
            sink = self._flow.find_sink(call) if kind is not None else None
            is_new = name in {"numpy.random.seed", "random.seed"} and self.program.given(call, "seed", 0) is None
            is_new |= name == "torch.seed" or (sink is not None and sink.what == "a seed")
            if self.program.function(call) in self._hooks and is_new:
                message = "each worker of the loader is seeded with something that is new in each run"
                fix = "worker_init_fn=reproof.seed_worker, or none: PyTorch seeds workers from the loader's generator"
                found[call] = self._make("worker-seeding", call, message, fix)
            elif kind is not None and sink is not None and not self._is_overruled(sink):
                what, fix = _OUTSIDE[kind]
                found[kind, sink.node] = self._make(kind, call, f"{what} {self._reaches(sink)}", fix)
        yield from found.values()

    def _is_overruled(self, sink: Sink) -> bool:
        # the library is also seeded elsewhere: the seed that varies may not be the one that counts
        libraries = {library for library, call in self.seeds if call is sink.node}
        others = [call for library, call in self.seeds if library in libraries and call is not sink.node]
        function, line = self.program.function(sink.node), getattr(sink.node, "lineno", 0)
        return any(self.program.function(call) is not function or call.lineno > line for call in others)
