"""The table of conditions: what PyTorch tells of itself, what surrounds it, and what a script sees to.

Nothing is changed. PyTorch is imported only here, and only if it is asked for: the table without it says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reproof.doctor.records import Check
from reproof.environment import collect_environment, collect_torch_environment
from reproof.errors import DependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.determinism import ConditionState
    from reproof.doctor.facts import ScriptFacts

_TORCH_DOCS: Final = "https://docs.pytorch.org/docs/stable"
_RANDOMNESS: Final = f"{_TORCH_DOCS}/notes/randomness.html"
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_ISA_VARIABLES: Final = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")

TORCH_CONDITIONS: Final = (
    "seeds",
    "deterministic-algorithms",
    "filled-memory",
    "cudnn-deterministic",
    "cudnn-benchmark-off",
    "cudnn-tf32-off",
    "matmul-precision",
    "cublas-workspace",
    "num-threads",
    "hash-seed",
)
"""The conditions that `reproof.conditions` reads, for the table without PyTorch."""

_INFORMATION: Final = frozenset({"filled-memory"})
"""Conditions that a valid program can do without."""


def read_checks(facts: ScriptFacts | None = None, *, ask_torch: bool = True) -> tuple[Check, ...]:
    """Return every condition of determinism as it is here.

    Args:
        facts: What the script sets, which counts for the conditions that it sets; None without a script.
        ask_torch: Whether to import PyTorch, which takes a second or more.

    Effects:
        Imports PyTorch if asked to. Starts git and waits for it, as `collect_environment` does. Changes nothing.
    """
    conditions, why_not = _ask_torch() if ask_torch else ((), "PyTorch is not asked (--no-torch)")
    environment = {**collect_environment(), **(collect_torch_environment() if conditions else {})}
    own = [_from_condition(state) for state in conditions] or _unknown_conditions(why_not, environment)
    return (
        *(_with_script(check, facts) for check in own),
        *_thread_checks(environment, why_not),
        *_processor_checks(environment, why_not),
        _worker_check(facts),
        _loader_check(facts),
        _version_check(environment, why_not),
        _hardware_check(environment, why_not),
    )


def _ask_torch() -> tuple[Sequence[ConditionState], str]:
    try:
        from reproof.determinism import conditions
    except DependencyError as error:
        return (), error.problem
    except (ImportError, OSError) as error:
        return (), f"PyTorch cannot be imported ({error})"
    return conditions(), ""


def _from_condition(state: ConditionState) -> Check:
    return Check(
        name=state.name,
        state=state.state,
        holds=None if state.name in _INFORMATION and not state.holds else state.holds,
        matters=state.why,
        how=state.how,
        source=state.source,
    )


def _unknown_conditions(why_not: str, environment: dict[str, Any]) -> list[Check]:
    checks = [
        Check(
            name=name,
            state=f"unknown: {why_not}",
            holds=None,
            matters="It is a setting of PyTorch, and read from PyTorch.",
            how="pip install 'reproof[torch]'" if "installed" in why_not else "let reproof doctor import PyTorch",
            source=_RANDOMNESS,
        )
        for name in TORCH_CONDITIONS
        if name != "hash-seed"
    ]
    return [*checks, _hash_seed_check(environment)]


def _hash_seed_check(environment: dict[str, Any]) -> Check:
    seed = environment["python"]["hash_seed"]
    return Check(
        name="hash-seed",
        state="random" if seed == "random" else f"pinned to {seed}",
        holds=seed != "random",
        matters="The order in which a set of strings is walked follows their hashes, which change with every start of "
        "Python; a running process cannot change its own.",
        how="start python with PYTHONHASHSEED=0 in its environment: PYTHONHASHSEED=0 python train.py",
        source="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
    )


def _with_script(check: Check, facts: ScriptFacts | None) -> Check:
    """Return a check as it will be in the script, where the script decides about it."""
    if facts is None:
        return check
    if check.name == "seeds":
        return _seed_check(check, facts)
    setting = facts.settings.get(check.name)
    if setting is None:
        return check
    does_not_apply = check.holds is None and not check.state.startswith("unknown")
    verb = {True: "sets it", False: "sets it to something else", None: "sets it, to what cannot be told"}[setting.holds]
    return _replace(
        check,
        state=f"{check.state}; {setting.place} {verb}",
        holds=None if does_not_apply else setting.holds,
    )


def _seed_check(check: Check, facts: ScriptFacts) -> Check:
    names = {"torch": "PyTorch", "numpy": "NumPy", "random": "random"}
    missing = [title for library, title in names.items() if library not in facts.seeded]
    places = ", ".join(f"{names[library]} at {place}" for library, place in facts.seeded.items())
    state = f"seeded: {places or 'nothing'}" + (f"; not seeded: {', '.join(missing)}" if places and missing else "")
    holds = True if not missing else None if "torch" in facts.seeded else False
    return _replace(check, state=state, holds=holds)


def _replace(check: Check, *, state: str, holds: bool | None) -> Check:
    return Check(name=check.name, state=state, holds=holds, matters=check.matters, how=check.how, source=check.source)


# --- threads and processor -------------------------------------------------------------------------------------------


def _thread_checks(environment: dict[str, Any], why_not: str) -> tuple[Check, ...]:
    variables = environment["variables"]
    given = [f"{name}={variables[name]}" for name in _THREAD_VARIABLES if name in variables]
    count = environment.get("torch", {}).get("threads", {}).get("interop")
    return (
        Check(
            name="thread-variables",
            state=", ".join(given) or f"{' and '.join(_THREAD_VARIABLES)} are not set",
            holds=True if given else None,
            matters="They fix the number of threads of PyTorch, NumPy and MKL before any of them starts, also in the "
            "processes that the script starts.",
            how="OMP_NUM_THREADS=4 MKL_NUM_THREADS=4 python train.py",
            source=f"{_TORCH_DOCS}/threading_environment_variables.html",
        ),
        Check(
            name="interop-threads",
            state=str(count) if count is not None else f"unknown: {why_not}",
            holds=None,
            matters="They run parts of a graph side by side (torch.jit.fork and the like); an operation by itself "
            "does not depend on their number.",
            how="torch.set_num_interop_threads(1), before any work is done",
            source=f"{_TORCH_DOCS}/generated/torch.set_num_interop_threads.html",
        ),
    )


def _processor_checks(environment: dict[str, Any], why_not: str) -> tuple[Check, ...]:
    variables = environment["variables"]
    capability = environment.get("torch", {}).get("cpu_capability")
    return (
        _variable_check(
            "mkl-branch",
            ("MKL_CBWR",),
            variables,
            matters="MKL picks its code by the processor, and each branch adds in another order: unless a branch is "
            "fixed, the same run gives other bits on another processor.",
            how="MKL_CBWR=COMPATIBLE python train.py, the slowest, which every processor has; or MKL_CBWR=AVX2",
            source="https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2025-1/"
            "set-env-var-for-cond-numerical-reproducibility.html",
        ),
        _variable_check(
            "onednn-isa",
            _ISA_VARIABLES,
            variables,
            matters="oneDNN compiles its convolutions and matrix products for the instructions that it finds: unless "
            "they are limited, the same run gives other bits on another processor.",
            how="ONEDNN_MAX_CPU_ISA=AVX2 python train.py",
            source="https://oneapi-src.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html",
        ),
        Check(
            name="cpu-capability",
            state=_describe_capability(capability, variables.get("ATEN_CPU_CAPABILITY"), why_not),
            holds=True if "ATEN_CPU_CAPABILITY" in variables else None,
            matters="PyTorch's own kernels exist once per set of instructions, and those with wider vectors add in "
            "another order.",
            how="ATEN_CPU_CAPABILITY=avx2 python train.py, or default for what every processor has",
            source="https://github.com/pytorch/pytorch/pull/9579",
        ),
    )


def _variable_check(
    name: str, variables: tuple[str, ...], values: dict[str, str], *, matters: str, how: str, source: str
) -> Check:
    """Return a check of a variable that fixes the code that is run; unset, it only matters between processors."""
    given = [f"{variable}={values[variable]}" for variable in variables if variable in values]
    is_fixed = bool(given) and not given[0].endswith("=AUTO")
    state = ", ".join(given) or f"{variables[0]} is not set: it follows the processor"
    return Check(name=name, state=state, holds=True if is_fixed else None, matters=matters, how=how, source=source)


def _describe_capability(capability: str | None, variable: str | None, why_not: str) -> str:
    found = capability or f"unknown: {why_not}"
    return found if variable is None else f"{found}, by ATEN_CPU_CAPABILITY={variable}"


# --- what only a script tells ----------------------------------------------------------------------------------------


def _worker_check(facts: ScriptFacts | None) -> Check:
    return Check(
        name="worker-seeding",
        state=_describe_workers(facts),
        holds=None if facts is None or not facts.with_workers else not facts.reseeded_workers,
        matters="What workers draw comes from generators of their own. PyTorch seeds random, NumPy and its own in each "
        "of them from the loader's generator; a worker_init_fn can undo that, and other libraries are not seeded.",
        how="worker_init_fn=reproof.seed_worker",
        source=f"{_RANDOMNESS}#dataloader",
    )


def _describe_workers(facts: ScriptFacts | None) -> str:
    if facts is None:
        return "not looked at: name one script"
    if not facts.with_workers:
        return "no loader has workers" if facts.num_loaders else "the script has no DataLoader"
    if facts.reseeded_workers:
        return f"{_list(facts.reseeded_workers)} seeds the workers with something that is new in each run"
    return f"PyTorch seeds the workers of {_list(facts.with_workers)}"


def _loader_check(facts: ScriptFacts | None) -> Check:
    is_seeded = facts is not None and "torch" in facts.seeded
    state, holds = "not looked at: name one script", None
    if facts is not None and facts.without_generator:
        state = f"{_list(facts.without_generator)} shuffles with the global generator"
        holds = None if is_seeded else False
    elif facts is not None:
        state = f"{facts.with_generator} of {facts.num_loaders} loaders have their own; no other is seen to shuffle"
        holds = True if facts.with_generator else None
    return Check(
        name="loader-generators",
        state=state,
        holds=holds,
        matters="A loader without a generator of its own shuffles with the global one, so that whatever else draws "
        "from it, such as one more layer, changes the order of the samples.",
        how="DataLoader(data, shuffle=True, generator=reproof.make_generator(42))",
        source=f"{_RANDOMNESS}#dataloader",
    )


def _list(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""  # noqa: PLR2004  # two fit on a line
    return ", ".join(places[:2]) + more


# --- versions and hardware -------------------------------------------------------------------------------------------


def _version_check(environment: dict[str, Any], why_not: str) -> Check:
    packages, torch = environment["packages"], environment.get("torch", {})
    cuda = torch.get("cuda") or {}
    versions = {
        "Python": environment["python"]["version"],
        "PyTorch": torch.get("version") or packages.get("torch") or f"unknown ({why_not})",
        "NumPy": packages.get("numpy") or "not installed",
        "CUDA": cuda.get("version") or ("none" if torch else "unknown"),
        "cuDNN": cuda.get("cudnn") or ("none" if torch else "unknown"),
    }
    return Check(
        name="versions",
        state=", ".join(f"{name} {version}" for name, version in versions.items()),
        holds=None,
        matters="Another release may compute in another order: PyTorch does not promise the same results across its "
        "releases and commits, across platforms, or between CPU and GPU.",
        how="pin them all, such as with pip freeze > constraints.txt",
        source=_RANDOMNESS,
    )


def _hardware_check(environment: dict[str, Any], why_not: str) -> Check:
    cpu, torch = environment["cpu"], environment.get("torch", {})
    devices = (torch.get("cuda") or {}).get("devices") or []
    cores = f"{cpu['num_usable'] or cpu['count']} of {cpu['count']}"
    gpus = ", ".join(str(device) for device in devices) or ("no GPU" if torch else f"GPUs unknown ({why_not})")
    return Check(
        name="hardware",
        state=f"{cpu['model'] or 'unknown processor'}, {cores} cores; {gpus}",
        holds=None,
        matters="Other processors and GPUs have other instructions and numbers of cores, and add in other orders.",
        how="compare runs of one kind of machine; reproof compare names what differs",
        source=f"{_TORCH_DOCS}/notes/numerical_accuracy.html",
    )
