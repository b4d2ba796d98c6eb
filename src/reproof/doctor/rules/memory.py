"""Parameters and buffers that are made of whatever the memory held, and never given a value."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.doctor.program.catalogue import words
from reproof.doctor.rules.report import is_training, make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.records import Finding

_EMPTY: Final = words("torch.empty torch.empty_like torch.empty_strided")
_LEGACY: Final = words("torch.Tensor torch.FloatTensor torch.DoubleTensor torch.HalfTensor")
_ACCUMULATORS: Final = words(
    "add_ sub_ mul_ div_ index_add_ scatter_add_ index_reduce_ scatter_reduce_ addcmul_ addcdiv_ addmm_ lerp_ clamp_ "
    "requires_grad_ index_put_"
)
"""Methods that change a tensor and keep something of what it was."""

_READERS: Final = ("torch.nn.functional.", "torch.")


def find(reading: Reading) -> Iterator[Finding]:
    """Yield the parameters of modules that nothing in the program initialises."""
    if reading.program.not_read or not is_training(reading) or _initialises_all(reading):
        return
    for site in reading.calls:
        name = _name_of_tensor(site)
        made = site.call.args[-1] if name is not None and site.call.args else None
        if name is None or made is None or not _is_empty(reading, made, site):
            continue
        if not _is_initialised(reading, name, site):
            yield make_finding(
                "uninitialized-memory",
                site.call,
                site.scope,
                f"{name} is made of uninitialised memory and nothing gives it a value",
                f"torch.nn.init.zeros_(self.{name}), or another of torch.nn.init, in the constructor",
            )


def _name_of_tensor(site: CallSite) -> str | None:
    """Return the name under which a module keeps the parameter or buffer that a call makes."""
    if site.name == "torch.nn.Parameter" and len(site.call.args) == 1:
        return _attribute_made_by(site)
    name = site.call.args[0] if len(site.call.args) == len(("name", "tensor")) else None
    is_register = site.method in {"register_buffer", "register_parameter"}
    return str(name.value) if is_register and isinstance(name, ast.Constant) else None


def _is_empty(reading: Reading, made: ast.expr, site: CallSite) -> bool:
    if not isinstance(made, ast.Call):
        return False
    if reading.names.dotted(made.func, site.scope) == "torch.nn.Parameter" and made.args:
        return _is_empty(reading, made.args[0], site)
    name = reading.names.dotted(made.func, site.scope)
    kinds = [reading.constants.evaluate(argument, site.scope) for argument in made.args]
    return name in _EMPTY or (name in _LEGACY and bool(kinds) and all(isinstance(kind, int) for kind in kinds))


def _attribute_made_by(site: CallSite) -> str | None:
    """Return the attribute of ``self`` that a parameter is given to, in the class around."""
    owner = site.scope.owner
    for name, bindings in owner.attributes.items() if owner is not None else []:
        if any(item.value is site.call and item.kind == "value" and not item.path for item in bindings):
            return name
    return None


def _is_initialised(reading: Reading, name: str, made_by: CallSite) -> bool:
    """Whether anything may give the parameter a value: a call that is not known to only read it, or a store."""
    for site in reading.calls:
        if site is not made_by and _may_fill(site, name):
            return True
    return any(_stores(statement, name, made_by) for statement, _ in reading.statements())


def _may_fill(site: CallSite, name: str) -> bool:
    function = site.call.func
    if isinstance(function, ast.Attribute) and function.attr.endswith("_") and _mentions(function.value, name):
        return function.attr not in _ACCUMULATORS
    if not any(_mentions(argument, name) for argument in site.call.args):
        return False
    is_reader = site.name.startswith(_READERS) and not site.name.startswith("torch.nn.init.")
    is_known_reader = is_reader and not site.name.endswith("_")
    return not is_known_reader and _takes_it_itself(site, name)


def _takes_it_itself(site: CallSite, name: str) -> bool:
    """Whether a call is given the parameter itself, and not what is computed from it."""
    return any(_is_attribute(argument, name) or _is_data_of(argument, name) for argument in site.call.args)


def _stores(statement: ast.stmt, name: str, made_by: CallSite) -> bool:
    """Whether a statement writes into the tensor or replaces it: ``self.w[...] = x``, ``self.w.data = x``."""
    if not isinstance(statement, ast.Assign) or statement.value is made_by.call:
        return False
    return any(
        isinstance(part, ast.Subscript | ast.Attribute)
        and (_is_attribute(part, name) or _mentions(part.value, name))
        and isinstance(part.ctx, ast.Store)
        for target in statement.targets
        for part in ast.walk(target)
    )


def _mentions(node: ast.AST, name: str) -> bool:
    return any(_is_attribute(part, name) for part in ast.walk(node))


def _is_attribute(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def _is_data_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "data" and _is_attribute(node.value, name)


def _initialises_all(reading: Reading) -> bool:
    """Whether the program fills whatever parameters there are, in a loop over them."""
    return any(
        isinstance(statement, ast.For) and _loops_over_parameters(statement) and _fills_in(statement)
        for statement, _ in reading.statements()
    )


def _loops_over_parameters(loop: ast.For) -> bool:
    names = [node.attr for node in ast.walk(loop.iter) if isinstance(node, ast.Attribute)]
    return bool({"parameters", "named_parameters", "_parameters"} & set(names))


def _fills_in(loop: ast.For) -> bool:
    """Whether the body of a loop calls something that fills a tensor in place, other than its gradient."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
            text = ast.unparse(node)
            if ".grad" not in text and "requires_grad" not in text:
                return True
    return False
