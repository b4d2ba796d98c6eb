"""The architecture is what the import contracts in pyproject.toml and docs/architecture.md say it is."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from importlinter.api import read_configuration

import reproof

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "reproof"
UNIT_TESTS = ROOT / "tests" / "unit"

BESIDE_THE_MIRROR = {
    "test_architecture.py",
    "test_documents.py",
    "test_light_start.py",
    "test_selection.py",
    "doctor/test_tables.py",
}
"""Files of unit tests that are about no module: the package, the tests themselves, the scripts of a table."""


def read_contracts() -> dict[str, dict[str, Any]]:
    """Return the import contracts by their id."""
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    return {contract["id"]: contract for contract in contracts}


def read_layers() -> tuple[set[str], set[str]]:
    """Return the rooms that the layers contract requires, and those in parentheses: designed, not yet built."""
    names = [name.strip() for layer in read_contracts()["layers"]["layers"] for name in layer.split("|")]
    planned = {name.strip("()") for name in names if name.startswith("(")}
    return set(names) - {f"({name})" for name in planned}, planned


def list_rooms() -> set[str]:
    """Return the modules and packages directly under src/reproof."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return packages | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def find_module(test_file: Path) -> Path | None:
    """Return the module or the room that a file of unit tests mirrors by its name; None without one."""
    folder = PACKAGE / test_file.parent.relative_to(UNIT_TESTS)
    name = test_file.stem.removeprefix("test_")
    if name == "room":
        return folder if (folder / "__init__.py").is_file() else None
    words = name.split("_")
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    places = (place for one in names for place in (folder / f"{one}.py", folder / one / "__init__.py"))
    return next((place for place in places if place.is_file()), None)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of this project on the reproof that is found in a folder."""
    command = Path(sys.executable).with_name("lint-imports")
    arguments = ["--config", str(ROOT / "pyproject.toml"), "--no-logo", "--no-cache"]
    surroundings = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1"}
    return subprocess.run(
        [command, *arguments], env=surroundings, cwd=folder, capture_output=True, text=True, check=False
    )


def run_python(code: str) -> str:
    """Run code in a fresh process of this Python and return what it printed."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


class TestContractsNameWhatExists:
    """A contract that names a module of the past holds nothing; these fail when the two part."""

    def test_each_room_has_its_layer(self) -> None:
        """Every module and package of src/reproof is in the layers contract or excepted by it."""
        required, planned = read_layers()
        excepted = set(read_contracts()["layers"]["exhaustive_ignores"])
        assert list_rooms() - required - planned - excepted == set()

    def test_each_layer_has_its_room(self) -> None:
        """What the layers contract requires or excepts exists in src/reproof."""
        required, _ = read_layers()
        excepted = set(read_contracts()["layers"]["exhaustive_ignores"])
        assert (required | excepted) - list_rooms() == set()

    def test_a_room_that_is_built_is_no_longer_in_parentheses(self) -> None:
        """A planned room loses its parentheses when it is built, so that its loss would be noticed."""
        _, planned = read_layers()
        assert planned & list_rooms() == set()

    def test_other_contracts_name_rooms_of_the_layers(self) -> None:
        """Each room that any contract names, in its sources or its exceptions, is in the layers."""
        required, planned = read_layers()
        text = str([contract for name, contract in read_contracts().items() if name != "layers"])
        assert set(re.findall(r"reproof\.(\w+)", text)) - required - planned == set()

    def test_each_room_is_in_the_table(self) -> None:
        """docs/architecture.md has a row for each layer and room, those in parentheses too, in the contract's order."""
        text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| (\d+) \| (\(?)`(\w+)`", text, flags=re.MULTILINE)
        layers = read_contracts()["layers"]["layers"]
        expected = {
            (str(len(layers) - number), "(" if "(" in name else "", name.strip(" ()"))
            for number, layer in enumerate(layers)
            for name in layer.split("|")
        }
        assert set(rows) == expected


class TestTestsMirrorModules:
    """Where the tests of a module are is known from its name."""

    def test_each_file_of_unit_tests_is_named_after_its_module(self) -> None:
        """`test_X.py` and `test_X_topic.py` have X.py, or a wing X, at the same place; `test_room.py` has its room."""
        strangers = {
            str(path.relative_to(UNIT_TESTS)) for path in UNIT_TESTS.rglob("test_*.py") if find_module(path) is None
        }
        assert strangers == BESIDE_THE_MIRROR


class TestContractsHold:
    """`lint-imports` passes on the package as it is tested, and fails on a package with one fault."""

    def test_the_package_keeps_all_contracts(self) -> None:
        """The reproof that the tests import keeps every contract."""
        result = lint_imports(Path(reproof.__file__).parents[1])
        assert result.returncode == 0, result.stdout + result.stderr

    @pytest.mark.parametrize(
        ("file", "line", "contract"),
        [
            pytest.param("stray.py", "", "layers", id="a room without a layer"),
            pytest.param("errors.py", "import reproof.schema", "layers", id="an import that points up"),
            pytest.param("trace/__init__.py", "import reproof.environment", "layers", id="an import between siblings"),
            pytest.param("trace/format.py", "import reproof.trace.reader", "cycles", id="a cycle within a room"),
            pytest.param(
                "recorder/patches.py",
                "if TYPE_CHECKING:\n    from reproof.recorder.session import Recording",
                "cycles",
                id="a cycle of types",
            ),
            pytest.param(
                "digest/hashing.py",
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import reproof.recorder",
                "layers",
                id="a type from above",
            ),
            pytest.param("schema/events.py", "def f():\n    import torch", "tensors", id="torch in a function"),
            pytest.param("comparison/__init__.py", "import reproof.recorder", "reading", id="torch by a detour"),
            pytest.param("launch.py", "import click", "terminal", id="the terminal below the command line"),
            pytest.param("recorder/__init__.py", "import lightning", "frameworks", id="a framework in the core"),
        ],
    )
    def test_a_planted_fault_breaks_its_contract(self, tmp_path: Path, file: str, line: str, contract: str) -> None:
        """One forbidden import or stray module is found, by the contract that is there for it."""
        shutil.copytree(PACKAGE, tmp_path / "reproof", ignore=shutil.ignore_patterns("__pycache__"))
        path = tmp_path / "reproof" / file
        path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + f"\n{line}\n", encoding="utf-8")
        result = lint_imports(tmp_path)
        assert result.returncode == 1
        assert f"{read_contracts()[contract]['name']} BROKEN" in re.sub(r"\s+", " ", result.stdout)


class TestReadingWorksWithoutTorch:
    """Starting, reading and comparing import neither torch nor numpy, nor rich before there is something to show."""

    @pytest.mark.parametrize(
        "statement",
        [
            "import reproof",
            "import reproof; reproof.compare; reproof.ReproofError",
            "import reproof.cli",
            "import reproof.comparison",
            "import reproof.environment",
            "import reproof.trace",
        ],
    )
    def test_an_import_leaves_heavy_packages_alone(self, statement: str) -> None:
        """After the statement, in a fresh process, none of the heavy packages is loaded."""
        code = f"import sys; {statement}; print(sorted({{'numpy', 'rich', 'torch'}} & set(sys.modules)))"
        assert run_python(code).strip() == "[]"

    def test_help_leaves_heavy_packages_alone(self) -> None:
        """`reproof --help` prints its usage and loads none of the heavy packages."""
        code = (
            "import atexit, sys; from reproof.cli import main; sys.argv = ['reproof', '--help'];"
            "atexit.register(lambda: print('loaded:', sorted({'numpy', 'rich', 'torch'} & set(sys.modules))));"
            "sys.exit(main())"
        )
        output = run_python(code)
        assert output.startswith("Usage: reproof")
        assert output.endswith("loaded: []\n")


class TestMaps:
    """The docstring of a package says what is in it."""

    @pytest.mark.parametrize(
        "package",
        ["comparison", "determinism", "digest", "entropy", "environment", "schema", "trace", "trace/views"],
    )
    def test_each_file_has_its_place_on_the_map(self, package: str) -> None:
        """Each module and package within it is named."""
        docstring = ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))) or ""
        folder = PACKAGE / package
        names = {path.stem for path in folder.glob("*.py")} | {
            path.parent.name for path in folder.glob("*/__init__.py")
        }
        assert sorted(name for name in names - {"__init__"} if not re.search(rf"\b{name}\b", docstring)) == []


class TestDocuments:
    """What the documents promise is there."""

    def test_each_public_name_is_documented(self) -> None:
        """Each name in `reproof.__all__` has its line in docs/api.md, and each line has its name."""
        documented = re.findall(
            r"^- `reproof\.(\w+)", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), flags=re.MULTILINE
        )
        assert sorted(documented) == sorted(reproof.__all__)

    def test_each_public_name_can_be_imported(self) -> None:
        """Each name in `reproof.__all__` is found by the lazy import."""
        for name in reproof.__all__:
            assert getattr(reproof, name) is not None

    def test_each_invariant_names_a_check_that_exists(self) -> None:
        """Each "Invariant:" of docs/architecture.md names a contract or a test, and it is there."""
        text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
        invariants = re.findall(r"^\*\*Invariant:\*\*.*?(?=\n\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
        assert invariants
        for invariant in invariants:
            contracts = re.findall(r"contract `(\w+)`", invariant)
            tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", invariant)
            assert contracts or tests, f"names no check: {invariant}"
            assert set(contracts) <= set(read_contracts())
            for file, name in tests:
                assert (ROOT / file).is_file(), f"no such test file: {file}"
                assert name in (ROOT / file).read_text(encoding="utf-8"), f"no such test: {file}::{name}"
