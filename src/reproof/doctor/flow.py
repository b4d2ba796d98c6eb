"""Where a value goes: from the expression that draws it to the place where it becomes a part of the training.

`Flow.find_sink` climbs from an expression to what is made of it, along assignments, attributes, calls and returns. A
value that enters something unknown is given up, so that nothing is said of it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from reproof.doctor import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.program import Program, Scope

_MAX_STATES: Final = 5000
_Steps: TypeAlias = "Iterator[_State | Sink]"
_THROUGH: Final = ast.Compare | ast.DictComp | ast.BinOp | ast.UnaryOp | ast.Set | ast.JoinedStr | ast.FormattedValue
_KEEPING: Final = ast.Starred | ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.Await | ast.Slice


class Sink(NamedTuple):
    """Where a value became a part of the training: the syntax node, and in words what it became."""

    node: ast.AST
    what: str


class _State(NamedTuple):
    """An expression that depends on the source, and the positions and keys under which it does, the outermost first."""

    node: ast.AST
    path: tuple[object, ...] = ()


class Flow:
    """Follows values through a program."""

    def __init__(self, program: Program) -> None:
        """Index the places that read each variable and attribute."""
        self.program = program
        self._loads: dict[tuple[Scope | None, str], list[ast.Name]] = defaultdict(list)
        self._reads: dict[str, list[ast.Name | ast.Attribute]] = defaultdict(list)
        for node in program.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._loads[program.variable(node)].append(node)
                self._reads[node.id].append(node)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                self._reads[node.attr].append(node)

    def find_sink(self, start: ast.AST) -> Sink | None:
        """Return the first place where the value of an expression becomes a part of the training, if it is seen to."""
        seen: set[_State] = set()
        waiting: list[_State | Sink] = [_State(start)]
        if isinstance(start, ast.Call) and self.program.calls.get(start) in catalogue.SHUFFLES and start.args:
            waiting += self._put_into(start.args[0], _State(start))
        while waiting and len(seen) < _MAX_STATES:
            state = waiting.pop(0)
            if isinstance(state, Sink):
                return state
            if state not in seen:
                seen.add(state)
                waiting += self._climb(state)
        return None

    def _climb(self, state: _State) -> _Steps:  # noqa: C901  # one branch per kind of syntax
        node, parent = state.node, self.program.parents.get(state.node)
        if isinstance(parent, ast.keyword):
            parent = self.program.parents[parent]
        if isinstance(parent, ast.Call):
            yield from [_State(parent)] if parent.func is node else self._argument(parent, state)
        elif isinstance(parent, ast.Attribute):
            yield from self._attribute(parent, state)
        elif isinstance(parent, ast.Subscript):
            yield from self._subscript(parent, state)
        elif isinstance(parent, ast.Tuple | ast.List):
            positions = [position for position, item in enumerate(parent.elts) if item is node]
            yield _State(parent, (*positions, *state.path))
        elif isinstance(parent, ast.Dict):
            keys = [key for key, value in zip(parent.keys, parent.values, strict=True) if value is node]
            yield from (_State(parent, (key and self._key(key), *state.path)) for key in keys)
        elif isinstance(parent, _KEEPING):
            yield _State(parent, state.path)
        elif isinstance(parent, _THROUGH):
            yield _State(parent)
        elif isinstance(parent, ast.IfExp | ast.BoolOp):
            is_fallback = isinstance(parent.op, ast.Or) if isinstance(parent, ast.BoolOp) else parent.test is not node
            yield from [] if is_fallback else [_State(parent)]  # ``seed or time()`` only stands in for a seed
        elif isinstance(parent, ast.For | ast.AsyncFor | ast.comprehension) and parent.iter is node:
            yield from self._bind(parent.target, state)
        elif isinstance(parent, ast.comprehension):
            yield _State(self.program.parents[parent])
        else:
            yield from self._statement(parent, state)

    def _statement(self, parent: ast.AST | None, state: _State) -> _Steps:
        if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.AugAssign):
            for target in parent.targets if isinstance(parent, ast.Assign) else [parent.target]:
                yield from self._bind(target, state)
            yield from [_State(parent, state.path)] if isinstance(parent, ast.NamedExpr) else []
        elif isinstance(parent, ast.withitem) and parent.optional_vars is not None:
            yield from self._bind(parent.optional_vars, state)
        elif isinstance(parent, ast.Return | ast.Yield | ast.YieldFrom | ast.Lambda):
            function = parent if isinstance(parent, ast.Lambda) else self.program.scopes[parent].node
            yield from self._result(function, state)
        elif isinstance(parent, ast.If) and parent.test is state.node:
            for statement in (*parent.body, *parent.orelse):  # whether they are run depends on the value
                changed = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
                for target in changed if isinstance(statement, ast.Assign | ast.AugAssign) else []:
                    yield from self._bind(target, _State(state.node))
                yield from self._statement(statement, _State(state.node)) if isinstance(statement, ast.Return) else []

    def _key(self, node: ast.AST) -> object:
        value = self.program.constant(node)
        return value if isinstance(value, str | int) else None

    def _attribute(self, parent: ast.Attribute, state: _State) -> _Steps:
        call, name = self.program.parents.get(parent), parent.attr
        if name in catalogue.SIZES:
            return
        if not isinstance(call, ast.Call) or call.func is not parent:
            yield _State(parent)
        elif name == "backward":
            yield Sink(node=call, what="the loss")
        elif name in {"items", "values", "copy"}:
            yield _State(call, state.path)
        elif name not in catalogue.READING_METHODS:
            yield from self._put_into(call.args[0], state) if name == "shuffle" and call.args else []
            yield _State(call)

    def _subscript(self, parent: ast.Subscript, state: _State) -> _Steps:
        key, is_load = self._key(parent.slice), isinstance(parent.ctx, ast.Load)
        if parent.slice is state.node:
            yield from [_State(parent)] if is_load else self._put_into(parent.value, state)
        elif not state.path or key is None or not isinstance(state.path[0], type(key)) or key == state.path[0]:
            yield _State(parent, state.path[1:])

    def _bind(self, target: ast.AST | None, state: _State) -> _Steps:
        if isinstance(target, ast.Tuple | ast.List):
            at = state.path[0] if state.path else None
            for position, part in enumerate(target.elts):
                if at is None or not isinstance(at, int) or at == position:
                    yield from self._bind(part, _State(state.node, state.path[1:]))
        elif isinstance(target, ast.Name) and not self._is_fallback(target):
            yield from (_State(load, state.path) for load in self._loads_after(target))
        elif isinstance(target, ast.Attribute):
            yield from self._put_attribute(target, state)
        elif isinstance(target, ast.Subscript):
            key = self._key(target.slice)
            if key == "lr":
                yield Sink(node=target, what="the optimizer's settings")
            path = (key, *state.path) if isinstance(key, str) else state.path
            yield from self._put_into(target.value, _State(state.node, path))

    def _is_fallback(self, target: ast.Name) -> bool:
        """Whether a value only stands in for one that may be given: ``if seed is None: seed = time()``."""
        around = self.program.parents.get(self.program.parents[target])
        tested = list(ast.walk(around.test)) if isinstance(around, ast.If) else []
        is_tested = any(isinstance(node, ast.Name) and node.id == target.id for node in tested)
        return is_tested and any(isinstance(node, ast.Is | ast.Not | ast.Eq) for node in tested)

    def _put_into(self, place: ast.AST, state: _State) -> _Steps:
        if isinstance(place, ast.Name):
            around = [self.program.parents[binding] for binding in self.program.bindings(place)]
            around += [self.program.parents[item] for item in around if isinstance(item, ast.Tuple)]
            if any("param" in ast.dump(loop.iter) for loop in around if isinstance(loop, ast.For)):
                yield Sink(node=place, what="a parameter")
            yield from (_State(load, state.path) for load in self._loads_after(place))
        elif isinstance(place, ast.Attribute):
            yield from self._put_attribute(place, state)
        elif isinstance(place, ast.Subscript | ast.Call):
            inner = place.func if isinstance(place, ast.Call) else place
            yield from self._put_into(inner.value, _State(state.node)) if not isinstance(inner, ast.Name) else []  # type: ignore[attr-defined]

    def _put_attribute(self, target: ast.Attribute, state: _State) -> _Steps:
        if target.attr in {"data", "grad"}:
            yield Sink(node=target, what="a parameter")
        owner = self.program.class_of(target.value)
        for read in self._reads[target.attr] if owner is not None else []:
            reader = self.program.class_of(read.value) if isinstance(read, ast.Attribute) else None
            if reader is not None and (owner in self.program.bases(reader) or reader in self.program.bases(owner)):
                yield _State(read, state.path)

    def _loads_after(self, target: ast.Name) -> Iterator[ast.Name]:
        """Yield the reads that see what a variable is given here: in its function, those up to the next assignment."""
        loads = self._loads[self.program.variable(target)]
        lines = [item.lineno for item in self.program.bindings(target) if isinstance(item, ast.Name)]
        end = min((line for line in lines if line > target.lineno), default=None)
        for load in loads:
            is_here = self.program.function(load) is self.program.function(target)
            if target.lineno <= load.lineno <= (end or load.lineno) if is_here else len(lines) == 1:
                yield load

    def _argument(self, call: ast.Call, state: _State) -> _Steps:
        name = self.program.name(call)
        sink = self._sink_of(call, name)
        if sink is not None or self.program.targets(call):
            # a parameter of a function of the script is not followed
            yield from [Sink(node=call, what=sink)] if sink is not None else []
        elif catalogue.READERS.fullmatch(name):
            return
        elif name in {"builtins.zip", "builtins.enumerate"}:
            places = [i for i, item in enumerate(call.args) if item is state.node] if name.endswith("zip") else [1]
            yield _State(call, state.path if isinstance(state.node, ast.Starred) else (*places, *state.path))
        elif name in {"builtins.list", "builtins.tuple", "builtins.iter", "builtins.reversed"}:
            yield _State(call, state.path)
        else:
            owner, method = getattr(call.func, "value", None), getattr(call.func, "attr", "")
            is_method = owner is not None and not isinstance(self.program.resolve(owner), str)
            if is_method and method in catalogue.MUTATORS:
                path = state.path if method in catalogue.KEEPERS else ()
                yield from self._put_into(call.func.value, _State(state.node, path))  # type: ignore[attr-defined]
            is_computed = is_method and method not in catalogue.QUIET_METHODS
            yield from [_State(call)] if is_computed or catalogue.PURE.fullmatch(name) else []

    def _sink_of(self, call: ast.Call, name: str) -> str | None:
        method = getattr(call.func, "attr", "")
        written = method or getattr(call.func, "id", "")
        is_model = self.program.derives(self.program.class_of(call.func), "torch.nn.", "torch.func.", "torch.compile")
        is_model |= written in catalogue.MODEL_NAMES and not name and not self.program.targets(call)
        if catalogue.seeds(name or written):
            return "a seed"
        if is_model or catalogue.HOOKS.fullmatch(method):
            return "what the model computes"
        known = "the loss" if method == "backward" else None
        return known or next((kind for pattern, kind in catalogue.SINKS if pattern.fullmatch(name)), None)

    def _result(self, function: ast.AST, state: _State) -> _Steps:
        owner, name = self.program.scopes[function].node, getattr(function, "name", "")
        if name == "forward" and self.program.derives(owner, "torch.nn."):
            yield Sink(node=function, what="what the model computes")
        elif name.startswith("__") and isinstance(owner, ast.ClassDef):
            if name != "__call__" and self.program.derives(owner, "Dataset", "Sampler"):
                yield Sink(node=function, what="the training data")
            made = [call for call in self.program.calls if self.program.resolve(call.func) is owner]
            yield from (_State(call) for call in made)
        yield from (_State(call, state.path) for call in self.program.callers[function])
        for place in [function] if isinstance(function, ast.Lambda) else self._reads[name]:
            parent = self.program.parents[place]
            call = self.program.parents[parent] if isinstance(parent, ast.keyword) else parent
            if self.program.resolve(place) is function and not (isinstance(call, ast.Call) and call.func is place):
                if isinstance(call, ast.Call):  # a function that is passed on, such as to a loader or a schedule
                    is_hook = getattr(parent, "arg", "") == "worker_init_fn"
                    sink = self._sink_of(call, self.program.name(call)) if not is_hook else None
                    yield from [Sink(node=call, what=sink)] if sink is not None else []
                elif isinstance(place, ast.Attribute):  # a property
                    yield _State(place, state.path)
