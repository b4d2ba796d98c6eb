"""The table of conditions: what PyTorch tells of itself, what surrounds it, and what a script sees to.

Nothing is changed. PyTorch is imported only here, and only if it is asked for: the table without it says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reproof.doctor.records import Check
from reproof.environment import collect_environment, collect_torch_environment
from reproof.errors import DependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.facts import Fact

_RANDOMNESS: Final = "https://docs.pytorch.org/docs/stable/notes/randomness.html"

TORCH_CONDITIONS: Final = (
    "seeds", "deterministic-algorithms", "filled-memory", "cudnn-deterministic", "cudnn-benchmark-off",
    "cudnn-tf32-off", "matmul-precision", "cublas-workspace", "num-threads", "hash-seed",
)  # fmt: skip

_TABLE: Final = """
hash-seed | The order in which a set of strings is walked follows their hashes, new with every start of Python.
  PYTHONHASHSEED=0 python train.py: a running process cannot change its own
  https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED
thread-variables | They fix the number of threads of PyTorch, NumPy and MKL, also in processes that the script starts.
  OMP_NUM_THREADS=4 MKL_NUM_THREADS=4 python train.py
  https://docs.pytorch.org/docs/stable/threading_environment_variables.html
processes | Another number of training processes splits the batches and adds the gradients in another way.
  start the same number each time: torchrun --nproc-per-node=2 train.py
  https://docs.pytorch.org/docs/stable/elastic/run.html
code-paths | MKL, oneDNN and PyTorch pick their code by the processor's instructions, and each adds in another order.
  MKL_CBWR=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python train.py
  https://oneapi-src.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
worker-seeding | PyTorch seeds random, NumPy and its own generator in each worker; a worker_init_fn can undo that.
  worker_init_fn=reproof.seed_worker
  https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader
loader-generators | A loader without a generator shuffles with the global one: any other draw from that changes it.
  DataLoader(data, shuffle=True, generator=reproof.make_generator(42))
  https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader
split-generators | A split without a seed of its own follows the global generator: any earlier draw changes it.
  random_split(data, lengths, generator=reproof.make_generator(42)); train_test_split(data, random_state=42)
  https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
trial-seeds | A trial that does not seed starts where the last one ended: the best one cannot be repeated alone.
  torch.manual_seed(seed) first in the objective, or reproof.integrations.optuna.BestTrialBundle
  https://optuna.readthedocs.io/en/stable/faq.html#how-can-i-obtain-reproducible-optimization-results
preprocessing-kept | A model's weights are of no use without the scaler that its inputs went through.
  joblib.dump(scaler, path) beside the weights; in a bundle run.keep_scaler(scaler)
  https://scikit-learn.org/stable/model_persistence.html
versions | PyTorch does not promise the same results across its releases, platforms, or between CPU and GPU.
  pin them all, such as with pip freeze > constraints.txt
  https://docs.pytorch.org/docs/stable/notes/randomness.html
cuda-versions | Another release of CUDA, cuDNN or the driver may pick other kernels, which add in another order.
  keep them with the environment, such as in the image of a container
  https://docs.pytorch.org/docs/stable/notes/randomness.html
hardware | Other processors and GPUs have other instructions and numbers of cores, and add in other orders.
  compare runs of one kind of machine; reproof compare names what differs
  https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
"""
"""Each condition with why it matters, how to set it, and where it is documented."""

_LINES: Final = [line.strip() for line in _TABLE.replace(" | ", "\n").strip().splitlines()]
_TEXTS: Final = dict(zip(_LINES[::4], zip(_LINES[1::4], _LINES[2::4], _LINES[3::4], strict=True), strict=True))
_OF_PYTORCH: Final = ("It is a setting of PyTorch, and read from PyTorch.", "let reproof doctor import it", _RANDOMNESS)


def read_checks(facts: dict[str, Fact] | None = None, *, ask_torch: bool = True) -> tuple[Check, ...]:
    """Return every condition of determinism as it is here.

    `facts` are what the script sees to, by the names of conditions. Importing PyTorch takes a second or more. Effects:
    imports PyTorch if asked to; starts git and waits for it, as `collect_environment` does; changes nothing.
    """
    why_not = "" if ask_torch else "PyTorch is not asked (--no-torch)"
    own: list[Check] = []
    try:
        if ask_torch:
            from reproof.determinism import conditions

            own = [_make(row.name, row.state, row.holds, (row.why, row.how, row.source)) for row in conditions()]
    except DependencyError as error:
        why_not = error.problem
    except (ImportError, OSError) as error:
        why_not = f"PyTorch cannot be imported ({error})"
    environment = {**collect_environment(), **(collect_torch_environment() if own else {})}
    own = own or [_make(name, f"unknown: {why_not}", None) for name in TORCH_CONDITIONS if name != "hash-seed"]
    here = [*own, *(_make(*row) for row in _rows(environment, why_not) if row[0] not in {check.name for check in own})]
    return tuple(_with_fact(check, facts) for check in here)


def _make(name: str, state: str, holds: bool | None, texts: tuple[str, str, str] | None = None) -> Check:  # noqa: FBT001
    """Return a condition; that memory is filled is only information, since a valid program can do without."""
    matters, how, source = texts or _TEXTS.get(name, _OF_PYTORCH)
    how = "pip install 'reproof[torch]'" if "not installed" in state and texts is None and name not in _TEXTS else how
    holds = holds or (None if name == "filled-memory" else holds)
    return Check(name=name, state=state, holds=holds, matters=matters, how=how, source=source)


def _with_fact(check: Check, facts: dict[str, Fact] | None) -> Check:
    fact = (facts or {}).get(check.name)
    if fact is None:
        return check
    if check.name not in TORCH_CONDITIONS or check.name == "seeds":
        return replace(check, state=fact[0], holds=fact[1])
    does_not_apply = check.holds is None and not check.state.startswith("unknown")
    stays = check.holds if does_not_apply or check.name == "hash-seed" else fact[1]
    return replace(check, state=f"{check.state}; {fact[0]}", holds=stays)


def _rows(environment: dict[str, Any], why_not: str) -> Iterator[tuple[str, str, bool | None]]:
    given, torch = environment["variables"], environment.get("torch", {})
    cuda = torch.get("cuda") or {}
    seed = environment["python"]["hash_seed"]
    yield "hash-seed", "random" if seed == "random" else f"pinned to {seed}", seed != "random"
    yield _variable("thread-variables", given, "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    yield "processes", f"{given['WORLD_SIZE']}, by WORLD_SIZE" if "WORLD_SIZE" in given else "1", None
    yield _variable("code-paths", given, "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
    for name in ("worker-seeding", "loader-generators", "split-generators", "trial-seeds", "preprocessing-kept"):
        yield name, "not looked at: name one script", None
    of_torch = "none" if torch else "unknown"
    numpy, pytorch = (environment["packages"].get(name) or "not installed" for name in ("numpy", "torch"))
    yield "versions", f"Python {environment['python']['version']}, PyTorch {pytorch}, NumPy {numpy}", None
    of_cuda = {"CUDA": "version", "cuDNN": "cudnn", "driver": "driver"}
    yield "cuda-versions", ", ".join(f"{name} {cuda.get(key) or of_torch}" for name, key in of_cuda.items()), None
    cpu = environment["cpu"]
    gpus = ", ".join(map(str, cuda.get("devices") or [])) or ("no GPU" if torch else f"GPUs unknown ({why_not})")
    cores = f"{cpu['num_usable'] or cpu['count']} of {cpu['count']}"
    yield "hardware", f"{cpu['model'] or 'unknown processor'}, {cores} cores; {gpus}", None


def _variable(name: str, given: dict[str, str], *variables: str) -> tuple[str, str, bool | None]:
    found = [f"{variable}={given[variable]}" for variable in variables if variable in given]
    is_fixed = bool(found) and not found[0].endswith("=AUTO")
    return name, ", ".join(found) or f"not set: {', '.join(variables)}", True if is_fixed else None
