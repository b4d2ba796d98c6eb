"""Settings that come too late to have an effect, or that ask for the fastest instead of the same."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from reproof.doctor.rules.report import make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.program.scopes import Scope
    from reproof.doctor.records import Finding

_RESTARTS: Final = re.compile(r"os\.(exec\w+|spawn\w+|posix_spawnp?|system|popen)|subprocess\.\w+|runpy\.\w+")
_CUDA_USES: Final = re.compile(r"torch\.cuda\.(init|current_device|synchronize|empty_cache|set_device)")


def find(reading: Reading) -> Iterator[Finding]:
    """Yield settings that do not do what they look like."""
    yield from _check_hash_seed(reading)
    yield from _check_workspace(reading)
    yield from _check_benchmark(reading)


def variables_set(reading: Reading) -> Iterator[tuple[str, ast.AST, Scope, ast.expr]]:
    """Yield the environment variables that a script sets, with the place and the value."""
    for statement, scope in reading.statements():
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Subscript) and reading.names.dotted(target.value, scope) == "os.environ":
                    yield from _named(target.slice, statement, scope, statement.value)
    for site in reading.calls:
        if site.name in {"os.environ.setdefault", "os.putenv"} and len(site.call.args) > 1:
            yield from _named(site.call.args[0], site.call, site.scope, site.call.args[1])
        elif site.name == "os.environ.update":
            yield from _updated(site)


def _named(
    name: ast.expr, node: ast.AST, scope: Scope, value: ast.expr
) -> Iterator[tuple[str, ast.AST, Scope, ast.expr]]:
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        yield name.value, node, scope, value


def _updated(site: CallSite) -> Iterator[tuple[str, ast.AST, Scope, ast.expr]]:
    for keyword in site.call.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value, site.scope, keyword.value
    for argument in site.call.args:
        if isinstance(argument, ast.Dict):
            for key, value in zip(argument.keys, argument.values, strict=True):
                if key is not None:
                    yield from _named(key, key, site.scope, value)


def _check_hash_seed(reading: Reading) -> Iterator[Finding]:
    if any(_RESTARTS.fullmatch(site.name) for site in reading.calls):
        return  # the processes that it starts do see it
    for name, node, scope, _ in variables_set(reading):
        if name == "PYTHONHASHSEED":
            yield make_finding(
                "hash-order",
                node,
                scope,
                "Python read PYTHONHASHSEED when it started: set here it changes nothing, and sets of strings are "
                "walked in another order in each run",
                "PYTHONHASHSEED=0 python train.py, or sort what is walked",
            )


def _check_workspace(reading: Reading) -> Iterator[Finding]:
    """Report a cuBLAS workspace that is set below a use of CUDA in the same block of statements."""
    for name, node, scope, _ in variables_set(reading):
        used = [site for site in reading.calls if site.scope is scope and _uses_cuda(site)]
        lines = [site.call.lineno for site in used if site.call.lineno < getattr(node, "lineno", 0)]
        if name == "CUBLAS_WORKSPACE_CONFIG" and lines:
            yield make_finding(
                "environment",
                node,
                scope,
                f"cuBLAS read CUBLAS_WORKSPACE_CONFIG when CUDA was first used, on line {lines[0]}",
                "set it before anything moves to the GPU, or start with CUBLAS_WORKSPACE_CONFIG=:4096:8",
            )


def _uses_cuda(site: CallSite) -> bool:
    words = [argument.value for argument in site.call.args if isinstance(argument, ast.Constant)]
    is_move = site.method == "to" and any(str(word).startswith("cuda") for word in words)
    return is_move or (site.method == "cuda" and not site.name) or bool(_CUDA_USES.fullmatch(site.name))


def _check_benchmark(reading: Reading) -> Iterator[Finding]:
    places = list(flags_set(reading, "torch.backends.cudnn.benchmark"))
    if places and all(value is True for _, _, value in places):
        statement, scope, _ = places[0]
        yield make_finding(
            "nondeterministic-op",
            statement,
            scope,
            "on a GPU, cuDNN times its algorithms and takes the fastest of this run, which may add in another order",
            "torch.backends.cudnn.benchmark = False",
        )


def flags_set(reading: Reading, name: str) -> Iterator[tuple[ast.stmt, Scope, object]]:
    """Yield the statements that give a library's flag a value, with the value as far as it is known."""
    for statement, scope in reading.statements():
        for target in statement.targets if isinstance(statement, ast.Assign) else []:
            if isinstance(target, ast.Attribute) and reading.names.dotted(target, scope) == name:
                yield statement, scope, reading.constants.evaluate(statement.value, scope)  # type: ignore[attr-defined]
