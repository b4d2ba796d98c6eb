"""What all tests share: where reproof comes from, which tests are skipped, and that a test leaves no trace behind."""

from __future__ import annotations

import gc
import importlib.util
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[1] / "src"

SELECTION = runpy.run_path(str(Path(__file__).with_name("selection.py")))

# Set by the first import of a library (scikit-learn, torch) or by pytest, never by reproof.
_VARIABLES_OF_OTHERS = ("KMP_", "PYTEST_", "TORCHINDUCTOR_")

# No deadline: the time of one example says nothing on a shared machine. The blob repeats a failure elsewhere.
hypothesis.settings.register_profile("reproof", deadline=None, print_blob=True)
hypothesis.settings.load_profile("reproof")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options by which the Makefile insists on the installed wheel and chooses among the tests."""
    parser.addoption("--installed", action="store_true", help="refuse to run on ./src: test the installed wheel")
    parser.addoption(
        "--tier", choices=SELECTION["TIERS"], default="test", help="which tests to run: tests/selection.py"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to test the source tree where the wheel is asked for; let Ctrl-C reach what tests start."""
    if config.getoption("--installed") and SOURCE in _find_package().parents:
        msg = f"--installed: reproof would be imported from {_find_package()}; unset PYTHONPATH, or run `make test`"
        raise pytest.UsageError(msg)
    if config.getoption("--tier") != "thorough":
        os.environ["REPROOF_LIGHT_START"] = "1"  # for the processes that tests start: light_start.py
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it in the background; children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Take what has been collected out of sight: each recording looks at all objects, and so does the collector."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str:
    """Say which reproof is tested, and how thoroughly."""
    return f"reproof: {_find_package()}, tier: {config.getoption('--tier')}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine or this run cannot test, and say why; the cheap tests first, then the slowest of the slow.

    A long test that comes last keeps one process busy while the others have nothing left to do.
    """
    items.sort(key=_expected_seconds)
    skip_gpu = pytest.mark.skip(reason="needs a CUDA device")
    skip_wheel = pytest.mark.skip(reason="needs the installed wheel: run `make test`")
    is_gpu_missing = any(item.get_closest_marker("gpu") for item in items) and not _has_gpu()
    for item in items:
        if is_gpu_missing and item.get_closest_marker("gpu"):
            item.add_marker(skip_gpu)
        if not config.getoption("--installed") and item.get_closest_marker("wheel"):
            item.add_marker(skip_wheel)
    for item, reason in SELECTION["find_left_out"](items, config.getoption("--tier")):
        item.add_marker(pytest.mark.skip(reason=reason))


def _expected_seconds(item: pytest.Item) -> tuple[bool, float]:
    """Return what sorts a test: whether it is slow, and then the more seconds the earlier."""
    marker = item.get_closest_marker("slow")
    return marker is not None, -float(marker.kwargs.get("seconds", 0)) if marker else 0.0


@pytest.fixture(autouse=True)
def _surroundings_are_left_as_found() -> Iterator[None]:
    """Fail the test that changes what later tests see; it is set up first, so it looks after all else is undone.

    Random states are not watched: pytest-randomly seeds them before each test.
    """
    before = _read_surroundings()
    yield
    after = _read_surroundings()
    # What is only known afterwards, such as torch's number of threads, is not held against the test; a variable is.
    added = {name for name in after.keys() - before.keys() if name.startswith("variable ")}
    names = sorted(name for name in before.keys() | added if after.get(name) != before.get(name))
    changed = {name: (before.get(name), after.get(name)) for name in names}
    assert not changed, f"the test left changed (before, after): {changed}"


def _read_surroundings() -> dict[str, Any]:
    """Read the state of this process that tests are most likely to change."""
    variables = {
        f"variable {name}": value for name, value in os.environ.items() if not name.startswith(_VARIABLES_OF_OTHERS)
    }
    return {
        **variables,
        "working folder": Path.cwd(),
        "sys.argv": list(sys.argv),
        "sys.path": list(sys.path),
        **_read_torch_flags(),
    }


def _read_torch_flags() -> dict[str, Any]:
    """Read torch's global flags; those of a fresh import while there is none: a test may be the first to import it."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_num_threads"):
        return _TORCH_DEFAULTS
    cudnn = torch.backends.cudnn
    return {
        "torch: deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch: warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "torch: fill uninitialized memory": torch.utils.deterministic.fill_uninitialized_memory,
        "torch: cudnn.benchmark": cudnn.benchmark,
        "torch: cudnn.deterministic": cudnn.deterministic,
        "torch: default dtype": str(torch.get_default_dtype()),
        "torch: gradients": torch.is_grad_enabled(),
        "torch: threads": torch.get_num_threads(),
        "torch: matmul precision": getattr(torch.backends.cuda.matmul, "fp32_precision", None),
    }


_TORCH_DEFAULTS = {
    "torch: deterministic algorithms": False,
    "torch: warn only": False,
    "torch: fill uninitialized memory": True,
    "torch: cudnn.benchmark": False,
    "torch: cudnn.deterministic": False,
    "torch: default dtype": "torch.float32",
    "torch: gradients": True,
}


def _find_package() -> Path:
    """Return the folder that reproof is imported from, without importing it."""
    spec = importlib.util.find_spec("reproof")
    if spec is None or spec.origin is None:
        msg = "reproof is not installed; run `make test`"
        raise pytest.UsageError(msg)
    return Path(spec.origin).resolve().parent


def _has_gpu() -> bool:
    """Tell whether there is a CUDA device; imports torch only for runs that have a `gpu` test."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
