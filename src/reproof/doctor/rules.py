"""What keeps a training from reproducing, as far as its script shows; each rule says nothing unless it is certain.

Left out on purpose, for `reproof check` to find by experiment: sets of strings, uninitialised memory, operations
without a deterministic implementation, threads, state that an earlier run left on disk, differences between machines.
"""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reproof.doctor import catalogue
from reproof.doctor.flow import Flow, Sink
from reproof.doctor.program import DEFINITIONS, UNKNOWN, Program
from reproof.doctor.records import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_TITLES: Final = {"torch": "PyTorch's", "numpy": "NumPy's", "random": "Python's"}
_SEEDS: Final = {"torch": "torch.manual_seed(42)", "numpy": "numpy.random.seed(42)", "random": "random.seed(42)"}
_LOADING: Final = frozenset({"load_state_dict", "from_pretrained", "load_from_checkpoint"})
_BRANCHES: Final = ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.Match | ast.IfExp | ast.BoolOp
_MAX_DEPTH: Final = 6
_OUTSIDE_WORDS: Final[dict[Kind, tuple[str, str]]] = {
    "wall-clock": ("the time", "a count of steps, or a seed of the script, in place of the time"),
    "process-identity": ("what only this process has", "a number that the script fixes, such as its seed"),
    "os-entropy": ("entropy of the operating system", "a generator with a seed: random.Random(42)"),
}


def method_of(call: ast.Call) -> str:
    """Return the last part of what is called as a method, as it is written."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


class Rules:
    """The rules, over one program.

    Attributes:
        program: The script.
        calls: Its calls, each with the dotted name of what is called, if it is a library's.
        is_training: Whether it trains: it goes backward, has an optimizer, or hands the model to a trainer.
    """

    def __init__(self, program: Program) -> None:
        """Prepare the rules."""
        self.program, self.calls = program, program.calls
        self.is_training = any(
            catalogue.TRAINING.fullmatch(name) or method_of(call) == "backward" for call, name in self.calls.items()
        )
        self._flow = Flow(program)

    def find_all(self) -> tuple[Finding, ...]:
        """Return what all rules find, in the order of files and lines, each place once per kind."""
        order = {source.shown: position for position, source in enumerate(self.program.sources.files)}
        rules = (
            self._find_unseeded,
            self._find_late_seed,
            self._find_generators,
            self._find_outside,
            self._find_orders,
        )
        found = {(item.kind, item.file, item.line): item for rule in rules for item in rule()}
        return tuple(sorted(found.values(), key=lambda item: (order[item.file], item.line, item.kind)))

    def place(self, node: ast.AST) -> str:
        """Return the file and line of a node."""
        return f"{self.program.scopes[node].source.shown}:{getattr(node, 'lineno', 1)}"

    def _make_finding(self, kind: Kind, node: ast.AST, message: str, fix: str) -> Finding:
        source, line = self.program.scopes[node].source, getattr(node, "lineno", 1)
        return Finding(
            kind=kind, file=source.shown, line=line, text=source.lines[line - 1].strip(), message=message, fix=fix
        )

    def _reaches(self, sink: Sink) -> str:
        return f"reaches {sink.what} ({self.place(sink.node)})"

    # --- what seeds, and what the workers of loaders and the trials of a search do ---

    @cached_property
    def hooks(self) -> set[ast.AST]:
        """The functions that run at the start of a loader's worker."""
        given = [self.program.argument(call, "worker_init_fn") for call in self.loaders]
        return {
            node
            for item in given
            if isinstance(item, ast.AST) and isinstance(node := self.program.resolve(item), ast.AST)
        }

    @cached_property
    def bundled(self) -> set[ast.AST]:
        """The functions that only a BestTrialBundle runs, which seeds every generator before each trial."""
        given = [self.program.argument(c, "train", 1) for c, name in self.calls.items() if name == catalogue.BUNDLE]
        entries = [self.program.resolve(item) for item in given if isinstance(item, ast.AST)]
        return self.program.reach((e for e in entries if isinstance(e, ast.AST)), handed=True) - self.program.main

    @cached_property
    def seeds(self) -> list[tuple[str, ast.Call]]:
        """The calls that seed a global generator in the main process, each with the library whose generator it is."""
        found = []
        for call, name in self.calls.items():
            written = method_of(call) or getattr(call.func, "id", "")
            is_helper = self.program.resolve(call.func) is None and written not in {"seed", "manual_seed"}
            libraries = catalogue.seeded_libraries(name or (written if is_helper else ""))
            value = self.program.given(call, "a" if name == "random.seed" else "seed", 0, default=None)
            is_none = value is None and name in {"random.seed", "numpy.random.seed", "torch.manual_seed"}
            if not is_none and self.program.function(call) not in self.hooks:
                found += [(library, call) for library in libraries]
        return found

    @cached_property
    def loaders(self) -> list[ast.Call]:
        """The DataLoaders that are made."""
        return [call for call, name in self.calls.items() if name == catalogue.LOADER]

    def count_workers(self, loader: ast.Call) -> object:
        """Return the number of workers of a loader, or UNKNOWN."""
        return self.program.given(loader, "num_workers", 5, default=0)

    def has_generator(self, call: ast.Call) -> bool | None:
        """Whether a call is given a generator of its own; None if the script does not show it."""
        return self.is_given(call, "generator", 2 if self.calls[call] == catalogue.SPLIT else None)

    def is_given(self, call: ast.Call, name: str, position: int | None = None) -> bool | None:
        """Whether a call is given an argument other than None; None if the script does not show it."""
        node = self.program.argument(call, name, position)
        return None if node is UNKNOWN else node is not None and self.program.constant(node) is not None

    def is_split(self, call: ast.Call) -> bool:
        """Whether a call splits data with scikit-learn and draws."""
        return catalogue.splits(self.calls[call], shuffle=self.program.given(call, "shuffle"))

    # --- global generators without a seed, or with one that comes too late ---

    def _find_unseeded(self) -> Iterator[Finding]:
        """Yield one finding per library whose global generator feeds the training without a seed."""
        if self.program.sources.not_read or not self.is_training:
            return  # what was not read may well seed
        for library in set(catalogue.LIBRARIES) - {library for library, _ in self.seeds}:
            for call, what in self._draws(library):
                message = f"{_TITLES[library]} global generator is never seeded, and {what}"
                fix = f"{_SEEDS[library]}, or reproof.deterministic(seed=42), before the first draw"
                yield self._make_finding("unseeded-rng", call, message, fix)
                break

    def _draws(self, library: str) -> Iterator[tuple[ast.Call, str]]:
        """Yield the draws from a global generator that reach the training, with what each is for."""
        calls = [call for call in self.calls if self._is_drawn_here(call)]
        if library == "torch":
            yield from ((call, "the training draws from it here") for call in calls if self._is_certain_draw(call))
            for call in self.loaders:
                if self.program.given(call, "shuffle", 2) is True and self.has_generator(call) is False:
                    yield call, "the order of the samples is drawn from it"
        for call in calls:
            if library == "numpy" and self.is_split(call) and self.program.given(call, "random_state") is None:
                yield call, "the data are split with it"
            elif self._is_draw(library, call) and (sink := self._flow.find_sink(call)) is not None:
                yield call, f"what is drawn {self._reaches(sink)}"

    def _is_drawn_here(self, call: ast.Call) -> bool:
        """Whether a call certainly draws in the main process: not in a worker, whose generators PyTorch seeds.

        Source: `torch/utils/data/_utils/worker.py`, which seeds `random`, torch and NumPy in each worker (since 1.9).
        """
        function = self.program.function(call)
        if function in self.bundled or function in self.hooks:
            return False
        return function in self.program.main or all(self.count_workers(loader) == 0 for loader in self.loaders)

    def _is_certain_draw(self, call: ast.Call) -> bool:
        return bool(catalogue.CERTAIN_DRAWS.fullmatch(self.calls.get(call, ""))) and self.has_generator(call) is False

    def _is_draw(self, library: str, call: ast.Call) -> bool:
        name = self.calls[call]
        if library == "torch":
            is_method = method_of(call) in catalogue.TORCH_METHODS and not name.startswith(("numpy.", "random."))
            return (is_method or catalogue.draws_from(library, name)) and self.has_generator(call) is False
        is_sample = (
            library == "numpy" and method_of(call) == "sample" and self.program.argument(call, "frac") is not None
        )
        return (is_sample and self.program.given(call, "random_state") is None) or catalogue.draws_from(library, name)

    def _find_late_seed(self) -> Iterator[Finding]:
        """Yield the first draw from PyTorch's generator that certainly comes before the first seeding."""
        seeds = {call for library, call in self.seeds if library == "torch"}
        if not seeds or not self.is_training or any(method_of(call) in _LOADING for call in self.calls):
            return
        draw = None
        for call, is_certain in self._timeline(self.program.sources.main.tree, 0, is_certain=True):
            if call in seeds:
                if draw is not None and is_certain:
                    message = (
                        f"PyTorch's global generator is drawn from here, and seeded only later ({self.place(call)})"
                    )
                    fix = "set the seed before the model and the data are made"
                    yield self._make_finding("unseeded-rng", draw, message, fix)
                return
            draw = call if draw is None and is_certain and self._is_certain_draw(call) else draw

    def _timeline(self, node: ast.AST, depth: int, *, is_certain: bool) -> Iterator[tuple[ast.Call, bool]]:
        """Yield the calls in a node in the order in which they run, and whether each certainly does."""
        is_guard = isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
        is_certain = is_certain and (is_guard or not isinstance(node, _BRANCHES))
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, DEFINITIONS):
                yield from self._timeline(child, depth, is_certain=is_certain)
        if isinstance(node, ast.Call):
            yield node, is_certain
            for target in self.program.targets(node) if depth < _MAX_DEPTH else []:
                yield from self._timeline(target, depth + 1, is_certain=is_certain)

    # --- generators of the script's own ---

    def _find_generators(self) -> Iterator[Finding]:
        """Yield the generators without a seed whose numbers reach the training."""
        for call, name in self.calls.items():
            if name in catalogue.GENERATORS and self.program.given(call, catalogue.GENERATORS[name], 0) is None:
                if (sink := self._flow.find_sink(call)) is not None:
                    message = f"this generator has no seed, and no global seed gives it one; it {self._reaches(sink)}"
                    fix = f"{name.removeprefix('numpy.random.')}(seed), with a seed of the script"
                    yield self._make_finding("unseeded-generator", call, message, fix)
            elif name in {"torch.seed", "torch.random.seed", "torch.Generator.seed"} and self.is_training:
                is_own = name == "torch.Generator.seed"
                message = f"{name.removeprefix('torch.')}() takes a new seed from the operating system in each run"
                fix = "generator.manual_seed(42)" if is_own else _SEEDS["torch"]
                yield self._make_finding("unseeded-generator" if is_own else "unseeded-rng", call, message, fix)
            elif self.searches and self._is_unseeded_sampler(call, name):
                message = "the sampler of this study has no seed, so each run tries other hyper-parameters"
                fix = "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=42))"
                yield self._make_finding("unseeded-generator", call, message, fix)

    @cached_property
    def searches(self) -> list[ast.Call]:
        """The calls that start a search with Optuna."""
        is_used = any(name.startswith("optuna.") for name in self.calls.values())
        return [call for call in self.calls if is_used and method_of(call) == "optimize"]

    def _is_unseeded_sampler(self, call: ast.Call, name: str) -> bool:
        if isinstance(self.program.parents[call], ast.Expr):
            return False  # a study that is only made known to its storage draws nothing
        is_study = name.startswith("optuna.") and name.endswith(".create_study")
        is_sampler = bool(catalogue.SAMPLERS.fullmatch(name))
        argument = "sampler" if is_study else "seed"
        return (is_study or is_sampler) and self.program.given(call, argument, 1 if is_study else None) is None

    # --- the outside world, and orders that nobody promised ---

    def _find_outside(self) -> Iterator[Finding]:
        """Yield the reads of the outside world that reach the training; of several that reach one place, the last."""
        found: dict[object, Finding] = {}
        for call, name in self.calls.items():
            kind = catalogue.OUTSIDE.get(name)
            sink = self._flow.find_sink(call) if kind is not None else None
            is_seed = sink is not None and sink.what == "a seed"
            is_none = name in {"numpy.random.seed", "random.seed"} and self.program.given(call, "seed", 0) is None
            if self.program.function(call) in self.hooks and (is_seed or is_none or name == "torch.seed"):
                message = "each worker of the loader is seeded with something that is new in each run"
                fix = "worker_init_fn=reproof.seed_worker, or none: PyTorch seeds workers from the loader's generator"
                found[call] = self._make_finding("worker-seeding", call, message, fix)
            elif kind is not None and sink is not None and not self._is_overruled(sink):
                what, fix = _OUTSIDE_WORDS[kind]
                found[kind, sink.node] = self._make_finding(kind, call, f"{what} {self._reaches(sink)}", fix)
        yield from found.values()

    def _is_overruled(self, sink: Sink) -> bool:
        """Whether a library is also seeded elsewhere, so that the seed that varies may not be the one that counts."""
        libraries = {library for library, call in self.seeds if call is sink.node}
        return any(library in libraries and call is not sink.node for library, call in self.seeds)

    def _find_orders(self) -> Iterator[Finding]:
        """Yield the listings and completions whose order reaches the training."""
        for call, name in self.calls.items():
            is_path = method_of(call) in catalogue.LISTING_METHODS and (not name or name.startswith("pathlib."))
            is_listing = name in catalogue.LISTINGS or (is_path and not self.program.targets(call))
            is_completion = name in catalogue.COMPLETIONS or method_of(call) == "imap_unordered"
            sink = self._flow.find_sink(call, is_order=True) if is_listing or is_completion else None
            if sink is not None and is_listing:
                message = f"a folder is listed in the order of its file system, which a copy changes; it {self._reaches(sink)}"
                yield self._make_finding("listing-order", call, message, f"sorted({ast.unparse(call)})")
            elif sink is not None:
                message = f"results come in the order in which they get ready; it {self._reaches(sink)}"
                fix = "executor.map(…) or pool.imap(…), which keep the order; or sort the results"
                yield self._make_finding("concurrency", call, message, fix)
