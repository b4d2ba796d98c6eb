"""What PyTorch says of itself is told, and asking changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch

from reproof.environment import collect_torch_environment, torch_settings

if TYPE_CHECKING:
    from pathlib import Path

IN_FORKS = """
import json, os, sys
import torch
from reproof.environment import collect_torch_environment, compare_environments
for code in json.loads(sys.argv[1]):
    if (child := os.fork()) == 0:
        exec(code)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""
"""Runs pieces of code, each in a process that has just imported PyTorch: it is imported once, for all of them."""

CHANGED = """
before = collect_torch_environment()
torch.use_deterministic_algorithms(True, warn_only=True)
torch.set_float32_matmul_precision('high')
torch.set_num_threads(1 + torch.get_num_threads())
torch.backends.cudnn.benchmark = True
torch.set_default_dtype(torch.float64)
print(*(c.name for c in compare_environments(before, collect_torch_environment())))
"""

ASKED = """
import warnings
warnings.simplefilter('error')
state = torch.get_rng_state()
collect_torch_environment()
torch.set_num_interop_threads(1)
print(torch.equal(state, torch.get_rng_state()), torch.cuda.is_initialized())
"""

SET_TWICE = """
if not hasattr(torch.backends, "fp32_precision"):
    print("this PyTorch has one interface of precision")
else:
    torch.backends.cuda.matmul.fp32_precision = 'tf32'
    flags = collect_torch_environment()['torch']['flags']
    print(flags['matmul_precision'], flags['fp32']['cuda_matmul'])
"""


class TestTorchSettings:
    """What PyTorch says of itself."""

    def test_the_settings_are_those_that_hold(self) -> None:
        """Version, threads, processor capability and flags agree with PyTorch; JSON can hold them."""
        facts = collect_torch_environment()["torch"]

        assert json.loads(json.dumps(facts)) == facts
        assert facts["version"] == torch.__version__
        assert facts["threads"]["intraop"] == torch.get_num_threads()
        assert facts["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
        assert facts["default_dtype"] == str(torch.get_default_dtype())
        assert facts["flags"]["cudnn_benchmark"] is torch.backends.cudnn.benchmark
        assert (facts["cuda"] is None) == (torch.version.cuda is None and torch.version.hip is None)

    def test_settings_are_read_when_asked_and_left_as_they_were(self) -> None:
        """Changed ones are told; asking draws no number and starts nothing; two interfaces at odds are unknown."""
        command = [sys.executable, "-c", IN_FORKS, json.dumps([CHANGED, ASKED, SET_TWICE])]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        changed, asked, set_twice = done.stdout.splitlines()

        assert changed.startswith("torch.threads.intraop ")
        assert set(changed.split()) > {
            "torch.flags.deterministic_algorithms",
            "torch.flags.deterministic_warn_only",
            "torch.flags.matmul_precision",
            "torch.flags.cudnn_benchmark",
            "torch.default_dtype",
        }
        assert asked == "True False"
        assert set_twice in {"None tf32", "this PyTorch has one interface of precision"}

    @pytest.fixture
    def driver(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return a folder as the NVIDIA driver keeps it for two devices, and make it the one that is read."""
        for address, model in (("0000:01:00.0", "NVIDIA H100 80GB HBM3"), ("0000:02:00.0", "NVIDIA A100-SXM4-40GB")):
            (tmp_path / "gpus" / address).mkdir(parents=True)
            (tmp_path / "gpus" / address / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 54\n")
        (tmp_path / "version").write_text(
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5 22:23:56 UTC 2024\nGCC: gcc\n"
        )
        monkeypatch.setattr(torch_settings, "NVIDIA_DRIVER", tmp_path)
        return tmp_path

    @staticmethod
    def torch_for_gpus(*, is_initialized: bool) -> SimpleNamespace:
        """Return what stands in for a PyTorch built for CUDA, in which devices may only be asked once it started."""

        def get_device_name(index: int) -> str:
            assert is_initialized, "CUDA would be started"
            return f"device {index}"

        cuda = SimpleNamespace(
            is_initialized=lambda: is_initialized, device_count=lambda: 2, get_device_name=get_device_name
        )
        version = SimpleNamespace(cuda="12.8", hip=None)
        return SimpleNamespace(__version__="2.13.0+cu128", version=version, cuda=cuda)

    @pytest.mark.parametrize(
        ("is_initialized", "devices"),
        [(True, ["device 0", "device 1"]), (False, ["NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB"])],
    )
    def test_devices_are_told_without_starting_cuda(
        self, monkeypatch: pytest.MonkeyPatch, driver: Path, devices: list[str], *, is_initialized: bool
    ) -> None:
        """Before the first use of a GPU the driver's folder is read; afterwards PyTorch tells its devices."""
        monkeypatch.setitem(sys.modules, "torch", self.torch_for_gpus(is_initialized=is_initialized))

        facts = collect_torch_environment()["torch"]

        assert driver.is_dir()
        assert facts["version"] == "2.13.0+cu128"
        assert facts["cuda"]["version"] == "12.8"
        assert facts["cuda"]["driver"] == "550.54.15"
        assert facts["cuda"]["devices"] == devices
        assert facts["cpu_capability"] is None

    def test_no_driver_is_unknown(self, tmp_path: Path) -> None:
        """Where the folder is missing nothing is made up."""
        assert torch_settings.read_driver_version(tmp_path / "none") is None
        assert torch_settings.read_device_names(tmp_path / "none") is None
