"""What a script sees to by itself, so that a condition is not called missing that the script sets."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final, TypeAlias

from reproof.doctor import catalogue
from reproof.doctor.program import UNKNOWN
from reproof.doctor.rules import method_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.records import Finding
    from reproof.doctor.rules import Rules

_CALLS: Final[dict[str, tuple[str, str, object]]] = {
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
_SET_BY_REPROOF: Final = [*dict(_FLAGS.values()), "deterministic-algorithms", "matmul-precision", "cublas-workspace"]
_TITLES: Final = {"torch": "PyTorch", "numpy": "NumPy", "random": "random"}

Fact: TypeAlias = tuple[str, bool | None]  # what a script does about a condition, and whether it holds with that


def read_facts(rules: Rules, findings: tuple[Finding, ...]) -> dict[str, Fact]:
    """Return what a script does about each condition; where it sets one more than once, the last place counts."""
    program, loaders = rules.program, {call: rules.has_generator(call) for call in rules.loaders}
    drawing = {call: own for call, own in loaders.items() if own or program.given(call, "shuffle", 2) is True}
    splits = {call: rules.has_generator(call, "random_state") for call in rules.calls if rules.is_split(call)}
    splits |= {call: rules.has_generator(call) for call, name in rules.calls.items() if name == catalogue.SPLIT}
    return {
        **dict(_settings(rules)),
        "seeds": _seeds(rules),
        "worker-seeding": _workers(rules, findings),
        "loader-generators": _generators(rules, drawing, "shuffles"),
        "split-generators": _generators(rules, splits, "splits"),
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
            yield from ((condition, _set(rules, call)) for condition in _SET_BY_REPROOF)
        elif name == "os.environ.setdefault" and len(call.args) > 1:
            yield from _variable(rules, call, program.constant(call.args[0]), program.constant(call.args[1]))
    for node in program.nodes:
        given = program.assigned(node) if isinstance(getattr(node, "ctx", None), ast.Store) else None
        value = program.constant(given)
        if given is not None and isinstance(node, ast.Attribute) and (name := str(program.resolve(node))) in _FLAGS:
            yield _FLAGS[name][0], _set(rules, node, value, _FLAGS[name][1])
        elif given is not None and isinstance(node, ast.Subscript) and program.resolve(node.value) == "os.environ":
            yield from _variable(rules, node, program.constant(node.slice), value)


def _variable(rules: Rules, node: ast.AST, name: object, value: object) -> Iterator[tuple[str, Fact]]:
    if name == "CUBLAS_WORKSPACE_CONFIG":
        yield "cublas-workspace", _set(rules, node, ":4096:8" if value == ":16:8" else value, ":4096:8")
    elif name == "PYTHONHASHSEED":
        yield "hash-seed", (f"{rules.place(node)} sets it, too late for this process", None)


def _set(rules: Rules, node: ast.AST, value: object = UNKNOWN, wanted: object = UNKNOWN) -> Fact:
    holds = True if wanted is UNKNOWN else None if value is UNKNOWN else value == wanted
    how = {True: "sets it", False: "sets it to something else", None: "sets it, to what cannot be told"}[holds]
    return f"{rules.place(node)} {how}", holds


def _seeds(rules: Rules) -> Fact:
    seeded = {library: rules.place(call) for library, call in reversed(rules.seeds)}
    places = ", ".join(f"{title} at {seeded[name]}" for name, title in _TITLES.items() if name in seeded)
    missing = ", ".join(title for name, title in _TITLES.items() if name not in seeded)
    state = f"seeded: {places or 'nothing'}" + (f"; not seeded: {missing}" if places and missing else "")
    return state, True if not missing else None if "torch" in seeded else False


def _workers(rules: Rules, findings: tuple[Finding, ...]) -> Fact:
    anew = [f"{item.file}:{item.line}" for item in findings if item.kind == "worker-seeding"]
    if anew:
        return f"new seeds in each run: {_list(anew)}", False
    seeded = [rules.place(loader) for loader in rules.loaders_with_workers]
    return f"PyTorch seeds those of {_list(seeded)}" if seeded else "no loader has workers", bool(seeded) or None


def _generators(rules: Rules, own: dict[ast.Call, bool | None], verb: str) -> Fact:
    without = [rules.place(call) for call, has in own.items() if has is False]
    unseen = [rules.place(call) for call, has in own.items() if has is None]
    if without:
        return f"{verb} with the global one: {_list(without)}", False
    if unseen or not own:
        return f"not seen: {_list(unseen)}" if unseen else f"nothing {verb}", None
    return f"{len(own)} of {len(own)} have their own", True


def _trials(rules: Rules) -> Fact:
    """Return whether each trial of a search seeds itself, so that it can be repeated without those before it."""
    unseeded = []
    for search in rules.searches:
        objective = rules.function_given(search, "func", 0)
        if objective is None:
            return f"the objective is not seen: {rules.place(search)}", None
        reached = rules.program.reach([objective], handed=True)
        seeds = [call for _, call in rules.seeds] + [call for call in rules.calls if method_of(call) == "candidate"]
        unseeded += [] if any(rules.program.function(call) in reached for call in seeds) else [rules.place(search)]
    if unseeded:
        return f"the objective does not seed: {_list(unseeded)}", False
    return "each trial seeds itself" if rules.searches else "no search with Optuna", bool(rules.searches) or None


def _preprocessing(rules: Rules) -> Fact:
    made = [call for call, name in rules.calls.items() if catalogue.SCALERS.fullmatch(name)]
    saving = [c for c, name in rules.calls.items() if catalogue.SAVING.fullmatch(name) or method_of(c) == "keep_scaler"]
    saved = {node for call in saving for node in ast.walk(call)}
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in saved}
    missing = [call for call in made if call not in saved and not _is_kept(rules, call, names)]
    if missing:
        return f"not seen to be saved: {_list([rules.place(call) for call in missing])}", False
    return f"saved: {len(made)} of {len(made)}" if made else "no scaler of scikit-learn", bool(made) or None


def _is_kept(rules: Rules, node: ast.AST, names: set[str]) -> bool:
    while isinstance(node, ast.expr):
        node = rules.program.parents[node]
    return any(getattr(target, "id", getattr(target, "attr", "")) in names for target in getattr(node, "targets", []))


def _list(places: list[str]) -> str:
    return ", ".join(places[:2]) + (f" and {len(places) - 2} more" if len(places) > 2 else "")  # noqa: PLR2004  # fit
