"""The settings of PyTorch that decide which kernels run and in which order they add.

They are read from the module that the process has imported; this module imports nothing of PyTorch, and CUDA is not
initialised for it: a process that has not used a GPU could otherwise no longer fork workers that do
(https://docs.pytorch.org/docs/2.13/notes/multiprocessing.html#cuda-in-multiprocessing).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

NVIDIA_DRIVER: Final = Path("/proc/driver/nvidia")

_BUILD: Final = {
    "version": "__version__",
    "git_version": "version.git_version",
    "is_debug": "version.debug",
    "mkl": "backends.mkl.is_available()",
    "mkldnn": "backends.mkldnn.is_available()",
    "openmp": "backends.openmp.is_available()",
    "cpu_capability": "backends.cpu.get_cpu_capability()",
    "default_dtype": "get_default_dtype()",
    "default_device": "get_default_device()",
}
_THREADS: Final = {"intraop": "get_num_threads()", "interop": "get_num_interop_threads()"}
_FLAGS: Final = {
    "deterministic_algorithms": "are_deterministic_algorithms_enabled()",
    "deterministic_warn_only": "is_deterministic_algorithms_warn_only_enabled()",
    "fill_uninitialized_memory": "utils.deterministic.fill_uninitialized_memory",
    "cudnn_enabled": "backends.cudnn.enabled",
    "cudnn_benchmark": "backends.cudnn.benchmark",
    "cudnn_deterministic": "backends.cudnn.deterministic",
    "mkldnn_enabled": "backends.mkldnn.enabled",
    "mkldnn_deterministic": "backends.mkldnn.deterministic",
    "matmul_precision": "get_float32_matmul_precision()",
    "reduced_precision_fp16": "backends.cuda.matmul.allow_fp16_reduced_precision_reduction",
    "reduced_precision_bf16": "backends.cuda.matmul.allow_bf16_reduced_precision_reduction",
    "sdp_flash": "backends.cuda.flash_sdp_enabled()",
    "sdp_mem_efficient": "backends.cuda.mem_efficient_sdp_enabled()",
    "sdp_math": "backends.cuda.math_sdp_enabled()",
    "sdp_cudnn": "backends.cuda.cudnn_sdp_enabled()",
}
_PRECISION: Final = {
    "generic": "backends.fp32_precision",
    "cuda_matmul": "backends.cuda.matmul.fp32_precision",
    "cudnn_conv": "backends.cudnn.conv.fp32_precision",
    "cudnn_rnn": "backends.cudnn.rnn.fp32_precision",
    "mkldnn_matmul": "backends.mkldnn.matmul.fp32_precision",
    "mkldnn_conv": "backends.mkldnn.conv.fp32_precision",
    "mkldnn_rnn": "backends.mkldnn.rnn.fp32_precision",
}
_TF32: Final = {"cuda_matmul": "backends.cuda.matmul.allow_tf32", "cudnn": "backends.cudnn.allow_tf32"}


def collect_torch_environment() -> dict[str, Any]:
    """Return the settings of PyTorch that hold now, under the topic ``torch``; empty if it was not imported.

    What this version or build of PyTorch does not tell is None.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    # Since PyTorch 2.9 precision has an interface of its own, and asking by the old one can raise.
    has_precision = _ask(torch, _PRECISION["cuda_matmul"]) is not None
    return {
        "torch": {
            **_ask_all(torch, _BUILD),
            "build_sha256": _digest_build(_ask(torch, "__config__.show()")),
            "threads": _ask_all(torch, _THREADS),
            "flags": {
                **_ask_all(torch, _FLAGS),
                **({"fp32": _ask_all(torch, _PRECISION)} if has_precision else {"tf32": _ask_all(torch, _TF32)}),
            },
            "cuda": _describe_cuda(torch),
        }
    }


def _ask_all(torch: Any, paths: dict[str, str]) -> dict[str, Any]:
    return {name: _plain(_ask(torch, path)) for name, path in paths.items()}


def _ask(torch: Any, path: str, *arguments: Any) -> Any:
    """Return what a path of attributes leads to, called if it ends so; None where PyTorch does not have it.

    A RuntimeError comes of precision that was set partly by the old and partly by the new interface.
    """
    value = torch
    try:
        for name in path.split("."):
            value = getattr(value, name.removesuffix("()"))
        return value(*arguments) if path.endswith("()") else value
    except (AttributeError, ImportError, RuntimeError, OSError, AssertionError):
        return None


def _plain(value: Any) -> Any:
    return value if value is None or type(value) in {bool, int, float, str} else str(value)


def _digest_build(description: str | None) -> str | None:
    """Digest how PyTorch was built, without what it found on this machine."""
    import hashlib

    if description is None:
        return None
    lines = [line for line in description.splitlines() if "CPU capability usage" not in line]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _describe_cuda(torch: Any) -> dict[str, Any] | None:
    """Return versions and devices of a build for GPUs, or None for a build without."""
    version, hip = _ask(torch, "version.cuda"), _ask(torch, "version.hip")
    if version is None and hip is None:
        return None
    is_initialized = bool(_ask(torch, "cuda.is_initialized()"))
    return {
        "version": _plain(version or f"hip {hip}"),
        "cudnn": _plain(_ask(torch, "backends.cudnn.version()")),
        "nccl": _plain(_ask(torch, "cuda.nccl.version()")),
        "driver": read_driver_version(NVIDIA_DRIVER),
        "devices": _list_devices(torch) if is_initialized else read_device_names(NVIDIA_DRIVER),
    }


def _list_devices(torch: Any) -> list[Any]:
    num_devices = _ask(torch, "cuda.device_count()") or 0
    return [_plain(_ask(torch, "cuda.get_device_name()", index)) for index in range(num_devices)]


def read_driver_version(folder: Path) -> str | None:
    """Return the version of the NVIDIA driver from the folder that it keeps in ``/proc``; None without one."""
    match = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", _read_text(folder / "version"))
    return match[1] if match else None


def read_device_names(folder: Path) -> list[str | None] | None:
    """Return the models of all NVIDIA devices of the machine by their bus addresses; None if it does not tell."""
    try:
        devices = sorted((folder / "gpus").iterdir())
    except OSError:
        return None
    models = (re.search(r"^Model:\s*(.+)$", _read_text(path / "information"), re.MULTILINE) for path in devices)
    return [match[1].strip() if match else None for match in models]


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
