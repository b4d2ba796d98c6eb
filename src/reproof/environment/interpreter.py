"""The Python interpreter, its packages, and the environment variables that change numbers or their order.

Packages are read from the names of the folders that installers leave (``torch-2.13.0+cpu.dist-info``,
https://packaging.python.org/en/latest/specifications/recording-installed-packages/), which takes a hundredth of the
time that `importlib.metadata` needs to open a file in each.
"""

from __future__ import annotations

import locale
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.hash_seed import pinned_hash_seed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_VARIABLES: Final = re.compile(
    r"(OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|VECLIB|NUMEXPR|GOTO|ATEN|ONEDNN|DNNL|TORCH|PYTORCH|TORCHINDUCTOR|AOT|TRITON"
    r"|CUDA|CUBLAS|CUBLASLT|CUDNN|NVIDIA|NVTE|NCCL|GLOO|HIP|ROCR|HSA|ROCBLAS|HIPBLASLT|MIOPEN|MALLOC|LC)_\w+"
    r"|(TCMALLOC|JEMALLOC|SLURM_(CPUS|GPUS|NTASKS|TASKS|MEM))\w*"
    r"|(LOCAL_|GROUP_)?(RANK|WORLD_SIZE)"
    r"|PYTHON(HASHSEED|PATH|OPTIMIZE|MALLOC|UTF8|NOUSERSITE|_GIL)"
    r"|LANG|LANGUAGE|TZ|LD_PRELOAD|LD_LIBRARY_PATH|LD_BIND_NOW|GLIBC_TUNABLES"
)
_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH")
_INSTALLED: Final = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist|egg)-info")


def describe_interpreter(command: Sequence[str] = ()) -> dict[str, Any]:
    """Return the topics ``python``, ``process``, ``locale`` and ``time_zone``."""
    return {
        "python": _describe_python(),
        "process": {"pid": os.getpid(), "cwd": _current_folder(), "argv": list(command) or list(sys.argv)},
        "locale": {
            "ctype": locale.setlocale(locale.LC_CTYPE),  # without a second argument it only tells
            "collate": locale.setlocale(locale.LC_COLLATE),
            "numeric": locale.setlocale(locale.LC_NUMERIC),
            "encoding": locale.getpreferredencoding(do_setlocale=False),
            "filesystem_encoding": sys.getfilesystemencoding(),
        },
        "time_zone": {"names": list(time.tzname), "utc_offset_seconds": -time.timezone},
    }


def find_packages(folders: Iterable[str] | None = None) -> dict[str, str]:
    """Return the versions of the installed packages by normalised name, sorted; the first on the path counts.

    None looks in `sys.path`.
    """
    packages: dict[str, str] = {}
    for folder in sys.path if folders is None else folders:
        for entry in _list_folder(folder):
            match = _INSTALLED.fullmatch(entry)
            if match:
                name = re.sub(r"[-_.]+", "-", match["name"]).lower()
                packages.setdefault(name, match["version"])
    return dict(sorted(packages.items()))


def select_variables(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that can change numbers or their order, sorted, and never one that may be a secret.

    None is for the variables of this process.
    """
    variables = os.environ if environment is None else environment
    names = (name for name in variables if _VARIABLES.fullmatch(name) and not _SECRET.search(name.upper()))
    return {name: variables[name] for name in sorted(names)}


def _describe_python() -> dict[str, Any]:
    seed = pinned_hash_seed()
    is_gil_enabled = getattr(sys, "_is_gil_enabled", None)  # new in 3.13, where the lock can be absent
    return {
        "version": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "build": " ".join(sys.version.split()),
        "executable": sys.executable or None,
        "hash_seed": "random" if seed is None else str(seed),
        "gil": True if is_gil_enabled is None else is_gil_enabled(),
        "flags": {name: getattr(sys.flags, name) for name in sys.flags.__match_args__},
    }


def _current_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None  # deleted meanwhile


def _list_folder(folder: str) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []  # an archive, or a folder that does not exist
