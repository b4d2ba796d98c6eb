"""What surrounds a process is told truly, quickly, without secrets, and compared with the most relevant first."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reproof.environment import (
    collect_environment,
    collect_torch_environment,
    compare_environments,
    host,
    source,
    torch_settings,
)
from reproof.environment.host import format_ranges
from reproof.environment.interpreter import find_packages, select_variables
from reproof.environment.source import find_script

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def run_python(code: str, *options: str, **variables: str | None) -> str:
    """Return what a fresh interpreter prints; a variable that is None is removed."""
    environment = {**os.environ, **variables}
    kept = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=kept).stdout.strip()


def names_of(baseline: dict[str, Any], candidate: dict[str, Any]) -> list[str]:
    """Return the names of the conditions that differ, in order."""
    return [condition.name for condition in compare_environments(baseline, candidate)]


class TestCollecting:
    """The facts about interpreter, machine, packages and variables."""

    def test_the_facts_are_plain_and_those_of_this_process(self) -> None:
        """JSON gives the same facts back, and they are this interpreter's and this machine's."""
        facts = collect_environment()

        assert json.loads(json.dumps(facts)) == facts
        assert facts["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
        assert facts["python"]["executable"] == sys.executable
        assert facts["python"]["flags"]["optimize"] == sys.flags.optimize
        assert facts["process"] == {"pid": os.getpid(), "cwd": str(Path.cwd()), "argv": sys.argv}
        assert facts["cpu"]["count"] == os.cpu_count()

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems tell less")
    def test_the_machine_is_known_on_linux(self) -> None:
        """System, processor and memory are told, and agree with the system's own words."""
        facts = collect_environment()

        assert facts["platform"]["machine"] == os.uname().machine
        assert facts["platform"]["hostname"] == os.uname().nodename
        assert facts["cpu"]["num_usable"] == len(os.sched_getaffinity(0))
        assert facts["memory_bytes"] > 2**26

    def test_a_command_stands_for_the_arguments_of_the_process(self) -> None:
        """Under `reproof run` the script's command line is kept, not our own."""
        assert collect_environment(["train.py", "--epochs", "2"])["process"]["argv"] == ["train.py", "--epochs", "2"]

    def test_nothing_heavy_is_imported(self) -> None:
        """In a fresh process, neither torch nor numpy is imported, and torch is not reported."""
        code = (
            "import sys\n"
            "from reproof.environment import collect_environment, collect_torch_environment\n"
            "collect_environment(); print(collect_torch_environment(), *{'torch', 'numpy'} & set(sys.modules))"
        )

        assert run_python(code) == "{}"

    def test_a_deleted_current_folder_is_unknown(self, tmp_path: Path) -> None:
        """A process whose folder was removed is described all the same."""
        code = (
            f"import os; os.mkdir({str(tmp_path / 'gone')!r}); os.chdir({str(tmp_path / 'gone')!r})\n"
            "from reproof.environment import collect_environment\n"
            f"os.rmdir({str(tmp_path / 'gone')!r}); print(collect_environment()['process']['cwd'])"
        )

        assert run_python(code, PYTHONPATH=os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))) == "None"

    def test_packages_are_those_that_the_installer_recorded(self) -> None:
        """The names of the folders give the same versions as reading every package's metadata."""
        expected: dict[str, str] = {}
        for distribution in importlib.metadata.distributions():
            name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
            expected.setdefault(name, distribution.version)

        assert {name: find_packages().get(name) for name in expected} == expected
        assert find_packages()["torch"] == torch.__version__

    def test_the_first_package_on_the_path_counts(self, tmp_path: Path) -> None:
        """As in an import, an earlier folder hides a later one; what is no package or no folder is passed over."""
        for entry in ("a/Some_Thing-1.0+cpu.dist-info", "b/some_thing-2.0.dist-info", "b/old-0.1-py3.11.egg-info"):
            (tmp_path / entry).mkdir(parents=True)
        (tmp_path / "b/module.py").touch()

        found = find_packages([str(tmp_path / folder) for folder in ("missing", "a", "b", "b/module.py")])

        assert found == {"old": "0.1", "some-thing": "1.0+cpu"}

    def test_only_variables_that_change_numbers_are_kept_and_no_secret(self) -> None:
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

    def test_processors_of_both_kinds_are_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Model and numeric instruction sets are read as x86 and ARM kernels write them; without the file, unknown."""
        x86 = "model name\t: Some CPU @ 2GHz\nflags\t\t: fpu smep avx avx2 fma avx512f\n\nmodel name\t: Other\n"
        for text, model, isa in (
            (x86, "Some CPU @ 2GHz", ["avx", "avx2", "avx512f", "fma"]),
            ("Features\t: fp asimd sve2 sme\nCPU part\t: 0xd40\n", "0xd40", ["asimd", "sme", "sve2"]),
        ):
            monkeypatch.setattr(host, "CPU_INFO", tmp_path / "cpuinfo")
            (tmp_path / "cpuinfo").write_text(text)
            cpu = host.describe_host()["cpu"]
            assert (cpu["model"], cpu["isa"]) == (model, isa)

        monkeypatch.setattr(host, "CPU_INFO", tmp_path / "missing")
        assert host.describe_host()["cpu"]["isa"] is None

    @pytest.mark.parametrize(("numbers", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 5, 7, 8], "0-2,5,7-8")])
    def test_processor_numbers_are_written_as_ranges(self, numbers: list[int], text: str) -> None:
        """Neighbours are joined."""
        assert format_ranges(numbers) == text


class TestHashSeed:
    """The seed of string hashes that holds, whatever the variable says later."""

    SHOW = "from reproof.environment.hash_seed import hash_seed; print(hash_seed())"

    @pytest.mark.parametrize("seed", ["0", "1", "42", "4294967295", "random", "", None])
    def test_the_seed_given_at_the_start_is_told(self, seed: str | None) -> None:
        """A number is told as that number; no number, or none at all, is random."""
        expected = seed if seed and seed.isdigit() else "random"

        assert run_python(self.SHOW, PYTHONHASHSEED=seed) == expected

    @pytest.mark.parametrize(("given", "expected"), [(None, "random"), ("7", "7"), ("0", "0")])
    def test_setting_the_variable_later_changes_nothing(self, given: str | None, expected: str) -> None:
        """A script that sets the variable itself is not believed."""
        code = f"import os; os.environ['PYTHONHASHSEED'] = '5'; {self.SHOW}"

        assert run_python(code, PYTHONHASHSEED=given) == expected

    def test_an_ignored_variable_is_not_believed(self) -> None:
        """With -E the interpreter draws its own seed, whatever the variable says."""
        code = f"import sys; sys.path[:] = {sys.path!r}; {self.SHOW}"

        assert run_python(code, "-E", PYTHONHASHSEED="42") == "random"


@needs_git
class TestSource:
    """The script, and the git checkout that it lies in."""

    @staticmethod
    def git(folder: Path, *arguments: str) -> str:
        """Run git in a folder as a test user, without any configuration of this machine."""
        command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=t@example.org", *arguments]
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()

    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        """Return a committed script in a new repository."""
        path = tmp_path / "project" / "scripts" / "train.py"
        path.parent.mkdir(parents=True)
        path.write_text("print(1)\n")
        self.git(tmp_path, "init", "--quiet", "project")
        self.git(path.parent, "add", ".")
        self.git(path.parent, "commit", "--quiet", "--message", "First")
        return path

    def test_commit_and_uncommitted_changes_are_told(self, script: Path) -> None:
        """A clean checkout has a commit; an edit makes it dirty, and each edit has its own digest."""
        clean = collect_environment([str(script), "--epochs", "2"])["code"]
        script.write_text("print(2)\n")
        edited = collect_environment([str(script)])["code"]
        script.write_text("print(3)\n")
        again = collect_environment([str(script)])["code"]

        assert clean["script"] == str(script)
        assert clean["commit"] == edited["commit"] == self.git(script.parent, "rev-parse", "HEAD")
        assert (clean["dirty"], edited["dirty"], again["dirty"]) == (False, True, True)
        assert len({facts["diff_sha256"] for facts in (clean, edited, again)}) == 3
        assert len({facts["script_sha256"] for facts in (clean, edited, again)}) == 3

    def test_a_repository_without_commits_is_told_as_such(self, tmp_path: Path) -> None:
        """Before the first commit there is neither commit nor difference."""
        self.git(tmp_path, "init", "--quiet")
        (tmp_path / "train.py").touch()

        code = collect_environment([str(tmp_path / "train.py")])["code"]

        assert (code["commit"], code["diff_sha256"]) == (None, None)

    def test_variables_of_git_do_not_mislead(self, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Inside a hook git sets its folder for others; the script's own checkout is asked all the same."""
        monkeypatch.setenv("GIT_DIR", str(script.parent / "nowhere"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(script.parent / "nothing"))

        assert collect_environment([str(script)])["code"]["dirty"] is False

    @pytest.mark.parametrize("body", ["exec {sleep} 60", "exit 1", None])
    def test_a_git_that_hangs_fails_or_is_missing_only_leaves_facts_out(
        self, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str | None
    ) -> None:
        """The digest of the script is there, and what git would have told is unknown."""
        (tmp_path / "bin").mkdir()
        if body:
            (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{body.format(sleep=shutil.which('sleep'))}\n")
            (tmp_path / "bin" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setattr(source, "GIT_TIMEOUT_SECONDS", 0.2)

        code = collect_environment([str(script)])["code"]

        assert (code["commit"], code["dirty"], code["diff_sha256"]) == (None, None, None)
        assert len(code["script_sha256"]) == 64

    def test_no_program_of_the_repository_runs(self, script: Path, tmp_path: Path) -> None:
        """A file-system monitor that the repository asks for is not started."""
        monitor = tmp_path / "monitor"
        monitor.write_text(f"#!/bin/sh\n: > {tmp_path / 'marker'}\n")
        monitor.chmod(0o755)
        self.git(script.parent, "config", "core.fsmonitor", str(monitor))
        script.write_text("print(2)\n")

        assert collect_environment([str(script)])["code"]["dirty"] is True
        assert not (tmp_path / "marker").exists()

    def test_the_script_is_found_in_a_command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first Python file counts, else the program itself; a module, a name too long or nothing is no script."""
        (tmp_path / "train.py").touch()
        (tmp_path / "tool").touch()
        monkeypatch.chdir(tmp_path)

        assert find_script(["python", "-u", "train.py", "other.py"]) == tmp_path / "train.py"
        assert find_script(["tool", "--x"]) == tmp_path / "tool"
        assert find_script(["-m", "package.module"]) is None
        assert find_script(["a\0b.py"]) is None
        assert find_script(["x" * 5000 + ".py"]) is None


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
    def test_two_processes_differ_in_what_was_changed(self) -> None:
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
