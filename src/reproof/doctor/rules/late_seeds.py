"""Numbers drawn before the seed is set: the model is made, and then ``torch.manual_seed`` is called."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.doctor.program import catalogue
from reproof.doctor.rules.report import is_training, make_finding
from reproof.doctor.rules.seeding import seeding_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.records import Finding

_MAX_DEPTH: Final = 6
_BLOCKS: Final = (ast.With, ast.AsyncWith)
_BRANCHES: Final = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match)
_LOADING: Final = frozenset({"load_state_dict", "from_pretrained", "load_from_checkpoint"})


class _Event(NamedTuple):
    """A call in the order of execution, and whether it happens in each run."""

    site: CallSite
    is_certain: bool


def find(reading: Reading) -> Iterator[Finding]:
    """Yield the first draw from PyTorch's generator that comes before the only seeding."""
    seeds = {site.call for library, site in seeding_calls(reading) if library == "torch"}
    if not seeds or not is_training(reading) or any(site.method in _LOADING for site in reading.calls):
        return
    draw = None
    for event in _Timeline(reading).walk(reading.program.main.tree.body, 0, is_certain=True):
        if event.site.call in seeds:
            if draw is not None and event.is_certain:
                yield _report(draw, event.site)
            return
        is_draw = catalogue.draws_for_training(event.site.name) and event.is_certain
        draw = event.site if draw is None and is_draw else draw


def _report(draw: CallSite, seed: CallSite) -> Finding:
    return make_finding(
        "unseeded-rng",
        draw.call,
        draw.scope,
        "PyTorch's global generator is drawn from here, and seeded only afterwards "
        f"({seed.scope.source.shown}:{seed.call.lineno})",
        "set the seed before the model and the data are made",
    )


class _Timeline:
    """Follows a script from its first line, into the functions and constructors that it calls."""

    def __init__(self, reading: Reading) -> None:
        self._sites = {site.call: site for site in reading.calls}
        self._names = reading.names

    def walk(self, body: Iterable[ast.stmt], depth: int, *, is_certain: bool) -> Iterator[_Event]:
        for statement in body:
            if isinstance(statement, ast.If) and _is_guard(statement):
                yield from self.walk(statement.body, depth, is_certain=is_certain)
            elif isinstance(statement, _BLOCKS):
                for item in statement.items:
                    yield from self._walk_expression(item.context_expr, depth, is_certain=is_certain)
                yield from self.walk(statement.body, depth, is_certain=is_certain)
            elif isinstance(statement, _BRANCHES):
                yield from self._walk_expression(statement, depth, is_certain=False)
            elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from self._walk_expression(statement, depth, is_certain=is_certain)

    def _walk_expression(self, node: ast.AST, depth: int, *, is_certain: bool) -> Iterator[_Event]:
        """Yield the calls of an expression, arguments first."""
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return
        is_once = not isinstance(node, ast.IfExp | ast.BoolOp)
        for child in ast.iter_child_nodes(node):
            yield from self._walk_expression(child, depth, is_certain=is_certain and is_once)
        site = self._sites.get(node) if isinstance(node, ast.Call) else None
        if site is not None:
            yield _Event(site, is_certain)
            yield from self._walk_target(site, depth, is_certain=is_certain)

    def _walk_target(self, site: CallSite, depth: int, *, is_certain: bool) -> Iterator[_Event]:
        target: ast.AST | None = site.target
        if isinstance(target, ast.ClassDef):
            target = self._names.find_method(target, "__init__")
        if isinstance(target, ast.FunctionDef) and depth < _MAX_DEPTH:
            yield from self.walk(target.body, depth + 1, is_certain=is_certain)


def _is_guard(statement: ast.If) -> bool:
    return isinstance(statement.test, ast.Compare) and getattr(statement.test.left, "id", "") == "__name__"
