"""The conditions of one run that matter most for its numbers, out of all that a trace keeps of its surroundings.

Left out: what differs between two runs (`reproof.environment.differences`), which looks at everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCondition:
    """One condition of a run.

    Attributes:
        topic: What it is about, in a word; several have the same.
        name: Its name as comparisons have it, e.g. ``torch.threads.intraop``.
        label: What it is called beside its topic; empty where the value says it.
        value: The value as recorded; None if the run could not find it out.
    """

    topic: str
    name: str
    label: str
    value: Plain


HIGHLIGHTS: Final = (
    ("python", "python.version", ""),
    ("python", "python.hash_seed", "hash seed"),
    ("torch", "torch.version", ""),
    ("torch", "torch.default_dtype", ""),
    ("torch", "torch.default_device", "default device"),
    ("device", "torch.cuda.devices", ""),
    ("device", "torch.cuda.version", "CUDA"),
    ("device", "torch.cuda.cudnn", "cuDNN"),
    ("device", "torch.cuda.driver", "driver"),
    ("cpu", "cpu.model", ""),
    ("cpu", "cpu.num_usable", "usable cores"),
    ("cpu", "torch.cpu_capability", "kernels"),
    ("threads", "torch.threads.intraop", "within operators"),
    ("threads", "torch.threads.interop", "between operators"),
    ("determinism", "torch.flags.deterministic_algorithms", "deterministic algorithms"),
    ("determinism", "torch.flags.deterministic_warn_only", "warn only"),
    ("determinism", "torch.flags.cudnn_deterministic", "deterministic cuDNN"),
    ("determinism", "torch.flags.cudnn_benchmark", "cuDNN benchmark"),
    ("determinism", "torch.flags.mkldnn_deterministic", "deterministic oneDNN"),
    ("precision", "torch.flags.matmul_precision", "float32 matmul"),
    ("precision", "torch.flags.fp32.cuda_matmul", "CUDA matmul"),
    ("precision", "torch.flags.fp32.cudnn_conv", "cuDNN convolutions"),
    ("precision", "torch.flags.tf32.cuda_matmul", "TF32 in CUDA matmul"),
    ("precision", "torch.flags.tf32.cudnn", "TF32 in cuDNN"),
    ("packages", "packages.numpy", "numpy"),
    ("system", "platform.system", ""),
    ("system", "platform.machine", ""),
    ("system", "platform.libc", ""),
    ("system", "platform.hostname", "host"),
    ("code", "code.commit", "commit"),
    ("code", "code.dirty", "uncommitted changes"),
)
"""Topic, name, label."""

VARIABLES: Final = (
    "PYTHONHASHSEED",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_CBWR",
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_MAX_CPU_ISA",
)
"""Variables that are told where they were set."""


def select_conditions(environment: Mapping[str, Any]) -> tuple[RunCondition, ...]:
    """Return the conditions that matter most, out of the environment of a trace's header.

    What the run did not tell is left out: the settings of PyTorch are read when a recording ends, so that of a run
    that was killed only the installed version is known.
    """
    return tuple(_select(environment))


def _select(environment: Mapping[str, Any]) -> Iterator[RunCondition]:
    for topic, name, label in HIGHLIGHTS:
        if name == "torch.version" and "torch" not in environment:
            yield from _take(environment, topic, "packages.torch", "installed")
        elif name == "torch.cuda.devices" and _lacks_cuda(environment):
            yield RunCondition(topic=topic, name="torch.cuda", label="", value="PyTorch built without CUDA")
        else:
            yield from _take(environment, topic, name, label)
    for name in VARIABLES:
        yield from _take(environment, "variables", f"variables.{name}", name)


def _lacks_cuda(environment: Mapping[str, Any]) -> bool:
    torch = environment.get("torch")
    return isinstance(torch, dict) and torch.get("cuda", ...) is None


def _take(environment: Mapping[str, Any], topic: str, name: str, label: str) -> Iterator[RunCondition]:
    """Yield one condition if the run tells of it."""
    value: Any = environment
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            return
        value = value[key]
    yield RunCondition(topic=topic, name=name, label=label, value=_plain(value))


def _plain(value: Any) -> Plain:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
