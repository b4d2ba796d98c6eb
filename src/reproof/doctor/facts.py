"""What a script sees to by itself, so that a condition is not called missing that the script sets."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.doctor import catalogue
from reproof.doctor.program import UNKNOWN
from reproof.doctor.rules import method_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.records import Finding
    from reproof.doctor.rules import Rules

_CALLS: Final[dict[str, tuple[str, str, Any]]] = {
    "torch.use_deterministic_algorithms": ("deterministic-algorithms", "mode", True),
    "torch.set_float32_matmul_precision": ("matmul-precision", "precision", "highest"),
    "torch.set_num_threads": ("num-threads", "int", UNKNOWN),
}
"""Functions that set a condition: its name, the parameter, and the value with which it holds; UNKNOWN for any."""

_FLAGS: Final[dict[str, tuple[str, bool]]] = {
    "torch.backends.cudnn.deterministic": ("cudnn-deterministic", True),
    "torch.backends.cudnn.benchmark": ("cudnn-benchmark-off", False),
    "torch.backends.cudnn.allow_tf32": ("cudnn-tf32-off", False),
}
_SET_BY_REPROOF: Final = (
    "deterministic-algorithms", "cudnn-deterministic", "cudnn-benchmark-off", "cudnn-tf32-off", "matmul-precision",
    "cublas-workspace",
)  # fmt: skip
_TITLES: Final = {"torch": "PyTorch", "numpy": "NumPy", "random": "random"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a script does about a condition, in a few words, and whether the condition holds with it."""

    state: str
    holds: bool | None


def read_facts(rules: Rules, findings: tuple[Finding, ...]) -> dict[str, Fact]:
    """Return what a script does about each condition; where it sets one more than once, the last place counts."""
    return {
        **dict(_settings(rules)),
        "seeds": _seeds(rules),
        "worker-seeding": _workers(rules, findings),
        "loader-generators": _loaders(rules),
        "split-generators": _splits(rules),
        "trial-seeds": _trials(rules),
        "preprocessing-kept": _preprocessing(rules),
    }


def _settings(rules: Rules) -> Iterator[tuple[str, Fact]]:
    program = rules.program
    for call, name in rules.calls.items():
        if name in _CALLS:
            condition, parameter, wanted = _CALLS[name]
            yield condition, _set(rules, call, program.given(call, parameter, 0, default=UNKNOWN), wanted)
        elif name == "reproof.deterministic":
            yield from ((condition, _set(rules, call, UNKNOWN, UNKNOWN)) for condition in _SET_BY_REPROOF)
    for node in program.nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            condition, flag = _FLAGS.get(str(program.resolve(node)), ("", False))
            yield from (
                [(condition, _set(rules, node, program.constant(program.assigned(node)), flag))] if condition else []
            )
    for name, node, value in _variables_set(rules):
        if name == "CUBLAS_WORKSPACE_CONFIG":
            known = program.constant(value)
            yield "cublas-workspace", _set(rules, node, known in {":4096:8", ":16:8"} or known, True)
        elif name == "PYTHONHASHSEED":
            yield "hash-seed", Fact(state=f"{rules.place(node)} sets it, too late for this process", holds=None)


def _set(rules: Rules, node: ast.AST, value: object, wanted: object) -> Fact:
    holds = True if wanted is UNKNOWN else None if value is UNKNOWN else value == wanted
    how = {True: "sets it", False: "sets it to something else", None: "sets it, to what cannot be told"}[holds]
    return Fact(state=f"{rules.place(node)} {how}", holds=holds)


def _variables_set(rules: Rules) -> Iterator[tuple[object, ast.AST, ast.AST | None]]:
    """Yield the environment variables that a script sets, with the place and the value."""
    program = rules.program
    for node in program.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if program.resolve(node.value) == "os.environ":
                yield program.constant(node.slice), node, program.assigned(node)
    for call, name in rules.calls.items():
        if name in {"os.environ.setdefault", "os.putenv"} and len(call.args) > 1:
            yield program.constant(call.args[0]), call, call.args[1]
        elif name == "os.environ.update":
            yield from ((keyword.arg, call, keyword.value) for keyword in call.keywords)


def _seeds(rules: Rules) -> Fact:
    seeded: dict[str, str] = {}
    for library, call in rules.seeds:
        seeded.setdefault(library, rules.place(call))
    places = ", ".join(f"{title} at {seeded[name]}" for name, title in _TITLES.items() if name in seeded)
    missing = ", ".join(title for name, title in _TITLES.items() if name not in seeded)
    state = f"{places or 'nothing'}" + (f"; not seeded: {missing}" if places and missing else "")
    return Fact(state=f"seeded: {state}", holds=True if not missing else None if "torch" in seeded else False)


def _workers(rules: Rules, findings: tuple[Finding, ...]) -> Fact:
    with_workers = [loader for loader in rules.loaders if rules.count_workers(loader) != 0]
    anew = [f"{item.file}:{item.line}" for item in findings if item.kind == "worker-seeding"]
    if anew:
        return Fact(state=f"{_list(anew)} seeds workers with something new in each run", holds=False)
    if with_workers:
        places = _list([rules.place(loader) for loader in with_workers])
        return Fact(state=f"PyTorch seeds the workers of {places}", holds=True)
    state = "no loader has workers" if rules.loaders else "the script has no DataLoader"
    return Fact(state=state, holds=None)


def _loaders(rules: Rules) -> Fact:
    shuffling = [loader for loader in rules.loaders if rules.program.given(loader, "shuffle", 2) not in {None, False}]
    drawing = [loader for loader in rules.loaders if loader in shuffling or rules.has_generator(loader)]
    certain = {rules.program.given(loader, "shuffle", 2) is True for loader in drawing}
    return _generators(rules, drawing, {loader: rules.has_generator(loader) for loader in drawing}, "shuffles", certain)


def _splits(rules: Rules) -> Fact:
    torch = [call for call, name in rules.calls.items() if name == "torch.utils.data.random_split"]
    given = {call: rules.program.given(call, "random_state") for call in rules.calls if rules.is_split(call)}
    own = {call: None if value is UNKNOWN and rules.program.argument(call, "random_state") is UNKNOWN else value is not None
           for call, value in given.items()}  # fmt: skip
    own |= {call: rules.has_generator(call) for call in torch}
    return _generators(rules, list(own), own, "splits", {True})


def _generators(
    rules: Rules, calls: list[ast.Call], own: dict[ast.Call, bool | None], verb: str, certain: set[bool]
) -> Fact:
    """Return whether calls that draw an order or a split have generators of their own."""
    without = [rules.place(call) for call in calls if own[call] is False]
    if without:
        return Fact(
            state=f"{_list(without)} {verb} with the global generator", holds=False if True in certain else None
        )
    unseen = [rules.place(call) for call in calls if own[call] is None]
    if unseen:
        return Fact(state=f"{_list(unseen)}: what it is given is not seen", holds=None)
    return Fact(
        state=f"{len(calls)} of {len(calls)} have their own" if calls else f"nothing {verb}",
        holds=True if calls else None,
    )


def _trials(rules: Rules) -> Fact:
    """Return whether each trial of a search seeds itself, so that it can be repeated without those before it."""
    if not rules.searches:
        return Fact(state="no search with Optuna", holds=None)
    program, missing = rules.program, []
    for search in rules.searches:
        node = program.argument(search, "func", 0)
        function = program.resolve(node) if isinstance(node, ast.AST) else None
        reached, waiting = set(), [function]
        while waiting:
            owner = waiting.pop()
            if isinstance(owner, ast.AST) and owner not in reached:
                reached.add(owner)
                waiting += program.led_to(owner, handed=True)
        seeds = [call for _, call in rules.seeds if program.function(call) in reached]
        seeds += [call for call in rules.calls if method_of(call) == "candidate" and program.function(call) in reached]
        if function is None:
            return Fact(state=f"the objective of {rules.place(search)} is not seen", holds=None)
        missing += [] if seeds else [rules.place(search)]
    if missing:
        return Fact(state=f"the objective of {_list(missing)} does not seed", holds=False)
    return Fact(state="each trial seeds itself", holds=True)


def _preprocessing(rules: Rules) -> Fact:
    """Return whether what scales the data is written to a file, as the model is."""
    made = [call for call, name in rules.calls.items() if catalogue.SCALERS.fullmatch(name)]
    saved = {
        getattr(node, "id", getattr(node, "attr", None))
        for call, name in rules.calls.items()
        if catalogue.SAVING.fullmatch(name) or method_of(call) in {"keep_scaler", "keep"}
        for node in ast.walk(call)
    }
    if not made:
        return Fact(state="no scaler of scikit-learn", holds=None)
    names = set()
    for call in made:
        statement: ast.AST | None = call
        while isinstance(statement, ast.expr):
            if statement in {c for c in rules.calls if method_of(c) in {"keep_scaler", "keep"}}:
                saved.add("")
                names.add("")
            statement = rules.program.parents.get(statement)
        names |= {getattr(target, "id", getattr(target, "attr", "")) for target in getattr(statement, "targets", [])}
    places = _list([rules.place(call) for call in made])
    if names & saved:
        return Fact(state=f"{places} is saved", holds=True)
    return Fact(state=f"{places} is not seen to be saved", holds=False)


def _list(places: list[str]) -> str:
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""  # noqa: PLR2004  # two fit on a line
    return ", ".join(places[:2]) + more
