"""The table of conditions: complete, read from what is there, and aware of what a script sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from reproof.determinism import conditions
from reproof.doctor import Check, diagnose
from reproof.doctor.checks import TORCH_CONDITIONS, read_checks
from reproof.doctor.records import Kind
from reproof.doctor.script import read_target

if TYPE_CHECKING:
    from reproof.doctor.facts import Fact

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the machine of the tests happens to set."""
    for name in (*VARIABLES, "ATEN_CPU_CAPABILITY"):
        monkeypatch.delenv(name, raising=False)


def by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    """Return checks by their names."""
    return {check.name: check for check in checks}


def facts_of(folder: Path, source: str) -> dict[str, Fact]:
    """Return what a script sets."""
    (folder / "train.py").write_text(source, encoding="utf-8")
    facts = read_target(folder / "train.py")[1]
    assert facts is not None
    return facts


class TestTable:
    """What is in it."""

    def test_all_conditions_of_pytorch_are_in_it(self) -> None:
        """Those that `reproof.conditions` reads, in its order and words, and the list of their names is up to date."""
        states = conditions()
        checks = read_checks()
        assert tuple(state.name for state in states) == TORCH_CONDITIONS
        assert tuple(check.name for check in checks[: len(states)]) == TORCH_CONDITIONS
        assert [check.matters for check in checks[: len(states)]] == [state.why for state in states]

    def test_what_surrounds_pytorch_is_in_it(self) -> None:
        """Threads, processes, code paths, what a script sees to, versions, hardware."""
        names = [check.name for check in read_checks()]
        assert names[len(TORCH_CONDITIONS) :] == [
            "thread-variables",
            "processes",
            "code-paths",
            "worker-seeding",
            "loader-generators",
            "split-generators",
            "trial-seeds",
            "preprocessing-kept",
            "versions",
            "cuda-versions",
            "hardware",
        ]

    @pytest.mark.parametrize("ask_torch", [True, False])
    def test_each_row_is_complete(self, *, ask_torch: bool) -> None:
        """A state, a reason in a whole sentence, what to type, and an address."""
        for check in read_checks(ask_torch=ask_torch):
            assert check.state
            assert check.matters.endswith(".")
            assert check.how
            assert check.source.startswith("https://")

    def test_without_pytorch_its_rows_say_so(self) -> None:
        """And nothing is claimed to hold or not; the hash seed is known all the same."""
        checks = by_name(read_checks(ask_torch=False))
        for name in TORCH_CONDITIONS:
            if name != "hash-seed":
                assert checks[name].holds is None
                assert checks[name].state.startswith("unknown: ")
        assert checks["hash-seed"].holds == by_name(read_checks())["hash-seed"].holds

    def test_filled_memory_is_for_information(self) -> None:
        """A valid program does not need it, so that it is off is no fault."""
        assert by_name(read_checks())["filled-memory"].holds is None

    def test_variables_that_fix_a_code_path_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Unset they only matter between machines; AUTO fixes nothing."""
        names = ("thread-variables", "code-paths")
        assert [by_name(read_checks(ask_torch=False))[name].holds for name in names] == [None] * 2
        monkeypatch.setenv("MKL_NUM_THREADS", "4")
        monkeypatch.setenv("MKL_CBWR", "AVX2")
        checks = by_name(read_checks(ask_torch=False))
        assert [checks[name].holds for name in names] == [True] * 2
        assert checks["thread-variables"].state == "MKL_NUM_THREADS=4"
        monkeypatch.setenv("MKL_CBWR", "AUTO")
        assert by_name(read_checks(ask_torch=False))["code-paths"].holds is None

    def test_versions_and_hardware_are_told(self) -> None:
        """By name, the driver's as well."""
        checks = by_name(read_checks())
        for name in ("Python 3.", "PyTorch 2.", "NumPy "):
            assert name in checks["versions"].state
        for name in ("CUDA ", "cuDNN ", "driver "):
            assert name in checks["cuda-versions"].state
        assert "cores" in checks["hardware"].state


class TestDocument:
    """docs/doctor.md and docs/determinism.md say what there is."""

    def test_each_condition_and_each_kind_is_documented(self) -> None:
        """By its name, in a table."""
        docs = Path(__file__).resolve().parents[3] / "docs"
        text = "".join((docs / name).read_text(encoding="utf-8") for name in ("doctor.md", "determinism.md"))
        rows = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
        names = [*get_args(Kind), *(check.name for check in read_checks(ask_torch=False))]
        assert [name for name in names if f"`{name}`" not in rows] == []


class TestScript:
    """What a script sees to counts."""

    def test_settings_count(self, tmp_path: Path) -> None:
        """Each with its place, also without PyTorch; the rest stays as it is here."""
        source = "import torch\ntorch.use_deterministic_algorithms(True)\ntorch.set_float32_matmul_precision('high')\n"
        for ask_torch in (True, False):
            checks = by_name(read_checks(facts_of(tmp_path, source), ask_torch=ask_torch))
            assert checks["deterministic-algorithms"].holds
            assert checks["deterministic-algorithms"].state.endswith("train.py:2 sets it")
            assert checks["matmul-precision"].holds is False
        assert checks["loader-generators"].state == "nothing shuffles"

    def test_what_does_not_apply_here_still_does_not(self, tmp_path: Path) -> None:
        """A flag of cuDNN, where there is no GPU; a hash seed that is set too late."""
        lines = "import torch, os\ntorch.backends.cudnn.deterministic = True\nos.environ['PYTHONHASHSEED'] = '0'\n"
        checks = by_name(read_checks(facts_of(tmp_path, lines)))
        here = {state.name: state.holds for state in conditions()}
        assert checks["cudnn-deterministic"].holds == (None if here["cudnn-deterministic"] is None else True)
        assert checks["hash-seed"].holds == here["hash-seed"]
        assert "too late" in checks["hash-seed"].state

    def test_several_scripts_are_not_mixed(self, tmp_path: Path) -> None:
        """What one script sets says nothing of the conditions of another."""
        for name in ("a.py", "b.py"):
            (tmp_path / name).write_text("import torch\ntorch.use_deterministic_algorithms(True)\n", encoding="utf-8")
        diagnosis = diagnose(tmp_path, ask_torch=False)
        assert by_name(diagnosis.checks)["deterministic-algorithms"].holds is None
        assert by_name(diagnosis.checks)["worker-seeding"].state == "not looked at: name one script"


class TestDiagnosis:
    """All of it together."""

    def test_only_findings_decide_the_exit_code(self, tmp_path: Path) -> None:
        """Conditions that do not hold are the machine's, not the script's."""
        script = tmp_path / "train.py"
        script.write_text("import torch\n", encoding="utf-8")
        clean = diagnose(script)
        assert any(check.holds is False for check in clean.checks)
        assert clean.exit_code == 0
        script.write_text("import torch, os\ntorch.manual_seed(os.getpid())\n", encoding="utf-8")
        assert diagnose(script).exit_code == 1

    def test_json(self, tmp_path: Path) -> None:
        """Schema 1: checks and findings with all their fields."""
        script = tmp_path / "train.py"
        script.write_text("import torch, os\ntorch.manual_seed(os.getpid())\n", encoding="utf-8")
        found = diagnose(script, ask_torch=False).to_json()
        assert found["schema"] == 1
        assert set(found["checks"][0]) == {"name", "state", "holds", "matters", "how", "source"}
        (finding,) = found["findings"]
        assert set(finding) == {"kind", "file", "line", "text", "message", "fix"}
        assert (finding["kind"], finding["line"]) == ("process-identity", 2)
        assert finding["text"] == "torch.manual_seed(os.getpid())"
        assert list(found["files"]) == [str(script)]
        assert list(found["not_read"]) == []
