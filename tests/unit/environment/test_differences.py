"""Surroundings are compared with the most relevant difference first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reproof.environment import collect_environment, compare_environments

if TYPE_CHECKING:
    from tests.unit.environment.conftest import RunPython


def names_of(baseline: dict[str, Any], candidate: dict[str, Any]) -> list[str]:
    """Return the names of the conditions that differ, in order."""
    return [condition.name for condition in compare_environments(baseline, candidate)]


class TestComparing:
    """Which surroundings differ between two runs."""

    def test_the_same_surroundings_have_no_difference(self) -> None:
        """Two descriptions of one process, and descriptions that differ in what always differs, are the same."""
        first, second = collect_environment(), collect_environment()
        second["process"] |= {"pid": first["process"]["pid"] + 1}
        first["process"]["argv"] = ["train.py", "-o", "runs/a", "--output=x", "--epochs", "2"]
        second["process"]["argv"] = ["train.py", "-o", "runs/b", "--output=y", "--epochs", "2"]
        first["created"], second["created"] = "2024-01-01", "2024-01-02"

        assert compare_environments(first, second) == ()

    @pytest.mark.slow
    def test_two_processes_differ_in_what_was_changed(self, run_python: RunPython) -> None:
        """A thread count and a hash seed are found, and the thread count is named first."""
        code = (
            "import json, torch; from reproof.environment import collect_environment, collect_torch_environment\n"
            "print(json.dumps({**collect_environment(['x']), **collect_torch_environment()}))"
        )
        first = json.loads(run_python(code, PYTHONHASHSEED="0", OMP_NUM_THREADS="1"))
        second = json.loads(run_python(code, PYTHONHASHSEED="1", OMP_NUM_THREADS="2"))

        conditions = {item.name: (item.baseline, item.candidate) for item in compare_environments(first, second)}

        assert conditions == {
            "torch.threads.intraop": ("1", "2"),
            "variables.OMP_NUM_THREADS": ("1", "2"),
            "python.hash_seed": ("0", "1"),
            "python.flags.hash_randomization": ("0", "1"),
        }
        assert next(iter(conditions)) == "torch.threads.intraop"

    def test_the_most_relevant_difference_comes_first(self) -> None:
        """PyTorch, threads, processor capability, hash seed, CUDA, flags, variables, code, packages, hardware, rest."""
        names = [
            "torch",
            "torch.threads.interop",
            "variables.MKL_NUM_THREADS",
            "torch.cpu_capability",
            "python.hash_seed",
            "torch.cuda.driver",
            "variables.CUDA_VISIBLE_DEVICES",
            "torch.flags.cudnn_benchmark",
            "variables.TZ",
            "code.script_sha256",
            "python",
            "packages.numpy",
            "cpu.model",
            "memory_bytes",
            "locale.ctype",
            "process.cwd",
        ]
        baseline: dict[str, Any] = {}
        candidate: dict[str, Any] = {}
        for name in reversed(names):
            path = (name if "." in name or name == "memory_bytes" else f"{name}.version").split(".")
            for environment, value in ((baseline, "old"), (candidate, "new")):
                topic = environment
                for key in path[:-1]:
                    topic = topic.setdefault(key, {})
                topic[path[-1]] = value

        assert names_of(baseline, candidate) == names

    def test_the_version_of_torch_is_one_condition(self) -> None:
        """It is called torch, and not repeated as a package; without PyTorch's own word the package counts."""
        first, second = "2.13.0", "2.12.1"
        packages = [{"packages": {"torch": version}} for version in (first, second)]
        both = [{"torch": {"version": version}, "packages": {"torch": version}} for version in (first, second)]

        (condition,) = compare_environments(both[0], both[1])
        assert (condition.name, condition.baseline, condition.candidate) == ("torch", "2.13.0", "2.12.1")
        assert names_of(packages[0], packages[1]) == ["packages.torch"]

    def test_what_a_run_does_not_tell_is_unknown(self) -> None:
        """Missing and null values are unknown; a variable or package missing from a full list is known to be absent."""
        baseline = {
            "cpu": {"model": "A", "isa": None},
            "variables": {"TZ": "", "LANG": "C"},
            "packages": {"numpy": "2"},
        }
        candidate = {"cpu": {"isa": ["avx"]}, "variables": {"LANG": "C"}, "packages": {}}

        conditions = {item.name: (item.baseline, item.candidate) for item in compare_environments(baseline, candidate)}

        assert conditions == {
            "variables.TZ": ("", "not set"),
            "packages.numpy": ("2", "not installed"),
            "cpu.model": ("A", "unknown"),
            "cpu.isa": ("unknown", '["avx"]'),
        }
        assert compare_environments({"variables": {"TZ": "UTC"}}, {})[0].candidate == "unknown"
        assert compare_environments({"cpu": {"isa": None}}, {}) == ()

    def test_descriptions_from_anywhere_are_compared(self) -> None:
        """Values of unexpected kinds and a thousand levels of nesting are no error."""
        deep: dict[str, Any] = {"leaf": 1}
        for _ in range(5000):
            deep = {"x": deep}

        assert names_of({"torch": "2", "cpu": [1, {"a": 2}]}, {"torch": {"version": "3"}, "cpu": 5}) == ["torch", "cpu"]
        assert len(compare_environments(deep, {})) == 1
        assert names_of({"process": {"argv": "x"}}, {"process": {"argv": None}}) == ["process.argv"]
