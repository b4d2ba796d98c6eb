"""What is installed is the wheel of this source tree, whole, with nothing that is not pinned or not declared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import Distribution, distribution, distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import reproof

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "reproof"

# Extras for working on reproof: what the package itself imports must not be declared there alone.
EXTRAS_FOR_DEVELOPMENT = {"dev", "examples"}

pytestmark = pytest.mark.wheel


@pytest.fixture
def wheel() -> Distribution:
    """Return the installed distribution of reproof."""
    return distribution("reproof")


def list_imports(path: Path) -> set[str]:
    """Return the top-level names of all that a module imports when it runs, anywhere in it."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for block in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
        if isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            block.body = []  # for the type checker alone
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def list_declared(wheel: Distribution) -> set[str]:
    """Return the distributions that reproof declares, at its core or in an extra for its users."""
    declared: set[str] = set()
    for requirement in map(Requirement, wheel.requires or []):
        marker = requirement.marker
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", str(marker)) if marker else None
        if extra is None or extra[1] not in EXTRAS_FOR_DEVELOPMENT:
            declared.add(canonicalize_name(requirement.name))
    return declared


def test_the_wheel_holds_the_source_tree_to_the_byte(wheel: Distribution) -> None:
    """Each file of src/reproof is installed unchanged, and nothing else is, so no test ran on an old build."""
    sources = {path.relative_to(SOURCE): path.read_bytes() for path in SOURCE.rglob("*") if path.is_file()}
    sources = {path: content for path, content in sources.items() if "__pycache__" not in path.parts}
    package = Path(reproof.__file__).parent
    installed = [Path(file) for file in wheel.files or [] if file.parts[0] == "reproof" and file.suffix != ".pyc"]
    assert {path.relative_to("reproof") for path in installed} == set(sources)
    assert all((package / path).read_bytes() == content for path, content in sources.items())


def test_the_wheel_says_its_version_licence_and_types(wheel: Distribution) -> None:
    """The metadata agree with the package: version, SPDX licence with its text, and a py.typed marker."""
    names = {str(file) for file in wheel.files or []}
    assert wheel.version == reproof.__version__
    assert wheel.metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "reproof/py.typed" in names


def test_the_command_is_installed(wheel: Distribution) -> None:
    """`reproof --version`, as installed, says the version of the wheel."""
    command = Path(sys.executable).with_name("reproof")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert wheel.version in result.stdout


def test_each_import_is_declared(wheel: Distribution) -> None:
    """Whatever the package imports is in the standard library or among its declared requirements."""
    imported = set[str]().union(*map(list_imports, SOURCE.rglob("*.py")))
    foreign = imported - set(sys.stdlib_module_names) - {"reproof"}
    homes = packages_distributions()
    undeclared = {
        name for name in foreign if not list_declared(wheel) & {canonicalize_name(home) for home in homes.get(name, [])}
    }
    assert undeclared == set()


def test_each_requirement_has_a_lower_bound_and_no_upper_one(wheel: Distribution) -> None:
    """The library leaves the choice of newer versions to whoever installs it."""
    for requirement in map(Requirement, wheel.requires or []):
        assert [specifier.operator for specifier in requirement.specifier] == [">="], str(requirement)


def test_each_installed_version_is_pinned() -> None:
    """Nothing is installed that constraints.txt does not pin, at that version; pip comes with Python."""
    lines = [
        line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    ]
    pins = list(map(Requirement, filter(None, lines)))
    pinned = {canonicalize_name(pin.name): pin.specifier for pin in pins if not pin.marker or pin.marker.evaluate()}
    for package in distributions():
        name = canonicalize_name(package.name)
        # The CUDA build of torch brings libraries that it pins itself.
        if name not in {"pip", "reproof"} and not name.startswith(("cuda-", "nvidia-", "triton")):
            assert name in pinned, f"not pinned: {name}=={package.version}"
            assert Version(package.version) in pinned[name], f"{name}: {package.version} is not {pinned[name]}"
