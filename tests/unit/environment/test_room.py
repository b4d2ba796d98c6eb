"""What surrounds a process is told truly, and without anything heavy."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reproof.environment import collect_environment

if TYPE_CHECKING:
    from tests.unit.environment.conftest import RunPython


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

    def test_nothing_heavy_is_imported(self, run_python: RunPython) -> None:
        """In a fresh process, neither torch nor numpy is imported, and torch is not reported."""
        code = (
            "import sys\n"
            "from reproof.environment import collect_environment, collect_torch_environment\n"
            "collect_environment(); print(collect_torch_environment(), *{'torch', 'numpy'} & set(sys.modules))"
        )

        assert run_python(code) == "{}"

    def test_a_deleted_current_folder_is_unknown(self, run_python: RunPython, tmp_path: Path) -> None:
        """A process whose folder was removed is described all the same."""
        code = (
            f"import os; os.mkdir({str(tmp_path / 'gone')!r}); os.chdir({str(tmp_path / 'gone')!r})\n"
            "from reproof.environment import collect_environment\n"
            f"os.rmdir({str(tmp_path / 'gone')!r}); print(collect_environment()['process']['cwd'])"
        )

        assert run_python(code, PYTHONPATH=os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))) == "None"
