"""Packages and variables of the interpreter: those that count, and no secret."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from typing import TYPE_CHECKING

import pytest
import torch

from reproof.environment.interpreter import find_packages, select_variables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.environment.conftest import RunPython


def test_packages_are_those_that_the_installer_recorded() -> None:
    """The names of the folders give the same versions as reading every package's metadata."""
    expected: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        expected.setdefault(name, distribution.version)

    assert {name: find_packages().get(name) for name in expected} == expected
    assert find_packages()["torch"] == torch.__version__


def test_the_first_package_on_the_path_counts(tmp_path: Path) -> None:
    """As in an import, an earlier folder hides a later one; what is no package or no folder is passed over."""
    for entry in ("a/Some_Thing-1.0+cpu.dist-info", "b/some_thing-2.0.dist-info", "b/old-0.1-py3.11.egg-info"):
        (tmp_path / entry).mkdir(parents=True)
    (tmp_path / "b/module.py").touch()

    found = find_packages([str(tmp_path / folder) for folder in ("missing", "a", "b", "b/module.py")])

    assert found == {"old": "0.1", "some-thing": "1.0+cpu"}


def test_only_variables_that_change_numbers_are_kept_and_no_secret() -> None:
    """Threads, devices, allocators and locale are kept; keys, tokens and everything else are not."""
    kept = {
        "OMP_NUM_THREADS": "1", "MKL_CBWR": "AVX2", "KMP_AFFINITY": "x", "OPENBLAS_CORETYPE": "x",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "CUDA_VISIBLE_DEVICES": "", "NVIDIA_TF32_OVERRIDE": "0",
        "NCCL_ALGO": "Ring", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_VERBOSE": "1",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1", "PYTORCH_CUDA_ALLOC_CONF": "x", "PYTHONHASHSEED": "0",
        "LC_ALL": "C", "LANG": "C", "TZ": "UTC", "MALLOC_PERTURB_": "1", "LD_PRELOAD": "x",
        "SLURM_CPUS_PER_TASK": "4", "LOCAL_RANK": "0",
    }  # fmt: skip
    dropped = {
        "HOME": "/root", "PATH": "/bin", "USER": "me", "HF_TOKEN": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "TORCH_HUB_TOKEN": "x", "NVIDIA_API_KEY": "x", "CUDA_PASSWORD": "x", "PYTORCH_secret": "x", "XOMP_X": "x",
    }  # fmt: skip

    assert select_variables(kept | dropped) == kept


class TestHashSeed:
    """The seed of string hashes that holds, whatever the variable says later."""

    SHOW = (
        "from reproof.environment.interpreter import describe_interpreter;"
        "print(describe_interpreter()['python']['hash_seed'])"
    )

    @pytest.mark.parametrize("seed", ["0", "1", "42", "4294967295", "random", "", None])
    def test_the_seed_given_at_the_start_is_told(self, run_python: RunPython, seed: str | None) -> None:
        """A number is told as that number; no number, or none at all, is random."""
        expected = seed if seed and seed.isdigit() else "random"

        assert run_python(self.SHOW, PYTHONHASHSEED=seed) == expected

    @pytest.mark.parametrize(("given", "expected"), [(None, "random"), ("7", "7"), ("0", "0")])
    def test_setting_the_variable_later_changes_nothing(
        self, run_python: RunPython, given: str | None, expected: str
    ) -> None:
        """A script that sets the variable itself is not believed."""
        code = f"import os; os.environ['PYTHONHASHSEED'] = '5'; {self.SHOW}"

        assert run_python(code, PYTHONHASHSEED=given) == expected

    def test_an_ignored_variable_is_not_believed(self, run_python: RunPython) -> None:
        """With -E the interpreter draws its own seed, whatever the variable says."""
        code = f"import sys; sys.path[:] = {sys.path!r}; {self.SHOW}"

        assert run_python(code, "-E", PYTHONHASHSEED="42") == "random"
