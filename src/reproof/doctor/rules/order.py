"""Orders that nobody promised: of sets of strings, of directory listings, of work that finishes in parallel."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.doctor.program import catalogue
from reproof.doctor.program.catalogue import words
from reproof.doctor.program.types import Hashed, has_random_hash
from reproof.doctor.rules.report import describe_sink, make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.program.flow import CallSite, Walk
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.records import Finding

_LISTINGS: Final = words("os.listdir os.scandir os.walk glob.glob glob.iglob")
_LISTING_METHODS: Final = frozenset({"iterdir", "glob", "rglob"})
_COMPLETIONS: Final = words("concurrent.futures.as_completed concurrent.futures.wait asyncio.as_completed asyncio.wait")
_SET_FIX: Final = "walk sorted(…) of it instead; or start with PYTHONHASHSEED=0, which fixes the order as well"


def find(reading: Reading) -> Iterator[Finding]:
    """Yield the walks, listings and completions whose order reaches the training."""
    for walk in reading.walks:
        yield from _check_walk(reading, walk)
    for site in reading.calls:
        if _lists_folder(site):
            yield from _check_listing(reading, site)
        elif _is_completion(reading, site):
            yield from _check_completion(reading, site)
        elif site.method == "pop" and not site.call.args:
            yield from _check_pop(reading, site)


def _check_walk(reading: Reading, walk: Walk) -> Iterator[Finding]:
    sink = reading.find_sink(walk.node, "order")
    layer = _layer_made_in(reading, walk)
    if sink is None and layer is None:
        return
    where = f"its order reaches {describe_sink(sink)}" if sink is not None else "each item draws numbers in its turn"
    yield make_finding(
        "hash-order",
        walk.expression,
        walk.scope,
        f"a set is walked here in the order of hashes, which change with each start of Python; {where}",
        _SET_FIX,
    )


def _layer_made_in(reading: Reading, walk: Walk) -> CallSite | None:
    """Return what is made of each item of a set and draws random numbers, such as a layer of a model."""
    bodies = [
        loop for statement, _ in reading.statements() for loop in ast.walk(statement) if _walks(loop, walk.expression)
    ]
    within = {id(node) for body in bodies for node in ast.walk(body)}
    for site in reading.calls:
        if id(site.call) in within and _draws(reading, site):
            return site
    return None


def _walks(node: ast.AST, expression: ast.expr) -> bool:
    if isinstance(node, ast.For):
        return node.iter is expression
    generators = getattr(node, "generators", [])
    return any(generator.iter is expression for generator in generators)


def _draws(reading: Reading, site: CallSite) -> bool:
    if isinstance(site.target, ast.ClassDef):
        return reading.inference.derives_from(site.target, "torch.nn.")
    return catalogue.draws_for_training(site.name)


def _lists_folder(site: CallSite) -> bool:
    is_method = site.method in _LISTING_METHODS and (not site.name or site.name.startswith("pathlib."))
    return site.target is None and (site.name in _LISTINGS or is_method)


def _check_listing(reading: Reading, site: CallSite) -> Iterator[Finding]:
    sink = reading.find_sink(site.node, "order")
    if sink is not None:
        yield make_finding(
            "listing-order",
            site.call,
            site.scope,
            "a folder is listed in the order of its file system, another one on another machine or after a copy; "
            f"it reaches {describe_sink(sink)}",
            f"sorted({ast.unparse(site.call)})",
        )


def _is_completion(reading: Reading, site: CallSite) -> bool:
    if site.name in _COMPLETIONS or site.method == "imap_unordered":
        return True
    returned = reading.constants.argument(site.call, "return_as", None, site.scope, default="list")
    return site.name == "joblib.Parallel" and returned == "generator_unordered"


def _check_completion(reading: Reading, site: CallSite) -> Iterator[Finding]:
    sink = reading.find_sink(site.node, "order")
    if sink is not None:
        yield make_finding(
            "concurrency",
            site.call,
            site.scope,
            f"results come in the order in which they get ready; it reaches {describe_sink(sink)}",
            "executor.map(…) or pool.imap(…), which keep the order; or sort the results",
        )


def _check_pop(reading: Reading, site: CallSite) -> Iterator[Finding]:
    receiver = site.call.func.value if isinstance(site.call.func, ast.Attribute) else None
    kind = reading.inference.infer(receiver, site.scope)
    if not isinstance(kind, Hashed) or not has_random_hash(kind.item):
        return
    sink = reading.find_sink(site.node, "random")
    if sink is not None:
        yield make_finding(
            "hash-order",
            site.call,
            site.scope,
            f"pop() takes the item with the lowest hash, another one in each run; it reaches {describe_sink(sink)}",
            "take min(…) of the set and remove it",
        )
