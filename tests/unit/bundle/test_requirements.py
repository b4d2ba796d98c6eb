"""The packages of a bundle, as installers read them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.bundle import open_bundle
from reproof.bundle.requirements import (
    count_left_out,
    list_requirements,
    spell_lock,
    spell_requirements,
    write_environment,
)
from reproof.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.bundle import Bundle

ENVIRONMENT: dict[str, Any] = {
    "python": {"version": "3.11.7 (main)"},
    "packages": {"torch": "2.6.0+cpu", "NumPy": "2.1.0", "pytest": "8.0", "reproof": "0.1", "scikit_learn": "1.9"},
    "imported": ["numpy", "reproof", "scikit-learn", "torch"],
}
REPORT: dict[str, Any] = {
    "version": "1",
    "environment": {"python_version": "3.11"},
    "install": [
        {
            "metadata": {"name": "Zeta_x", "version": "1.0"},
            "download_info": {
                "url": "https://e.org/zeta_x-1.0%2Bcpu-any.whl",
                "archive_info": {"hashes": {"sha256": "ab"}},
            },
        },
        {
            "metadata": {"name": "alpha", "version": "2.0"},
            "download_info": {
                "url": "https://e.org/alpha-2.0-py3-none-any.whl",
                "archive_info": {"hashes": {"sha256": "cd"}},
            },
        },
    ],
}


@pytest.fixture
def told(bundle: Path) -> Bundle:
    """Return a bundle that tells what its training imported."""
    return replace(open_bundle(bundle), environment=ENVIRONMENT)


def test_only_what_was_imported_is_listed(told: Bundle) -> None:
    """With exact versions and the index of PyTorch; development tools and reproof itself are left out."""
    lines = spell_requirements(told).splitlines()
    assert [line for line in lines if line[0] != "#"] == [
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        "numpy==2.1.0",
        "scikit-learn==1.9",
        "torch==2.6.0+cpu",
    ]
    assert "Python 3.11.7" in lines[0]
    assert count_left_out(told, list_requirements(told)) == 2


@pytest.mark.parametrize("name", ["--index-url=http://evil", "a b", "x; import os", "https://evil/x.whl"])
def test_what_is_no_package_is_refused(name: str, told: Bundle) -> None:
    """A bundle is made by others: no option or address of theirs reaches an installer."""
    environment = {**ENVIRONMENT, "packages": {name: "1.0"}, "imported": [name]}
    with pytest.raises(UsageError, match="as a package"):
        spell_requirements(replace(told, environment=environment))
    environment = {**ENVIRONMENT, "packages": {"a": f"1.0 {name}"}, "imported": ["a"]}
    with pytest.raises(UsageError, match="as a package"):
        spell_requirements(replace(told, environment=environment))


def test_an_old_bundle_does_not_tell(bundle: Path) -> None:
    """It is said."""
    with pytest.raises(UsageError, match="does not tell which packages"):
        list_requirements(open_bundle(bundle))


def test_a_file_is_not_overwritten(told: Bundle, tmp_path: Path) -> None:
    """Requirements of the user's own stay."""
    write_environment(told, tmp_path / "new.txt")
    with pytest.raises(UsageError, match="exists"):
        write_environment(told, tmp_path / "new.txt")


PIP = """
import itertools, sys
for name in itertools.chain(["numpy"], itertools.repeat("torch")):
    print(f"WARNING: Retrying (R(total=0)) after connection broken by 'X(<y>: z)': /whl/{name}/", file=sys.stderr)
"""


def test_without_an_index_requirements_are_written(
    told: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pip would ask for each package, and wait for each: it is ended, and what it could not resolve is named."""
    (tmp_path / "pip.py").write_text(PIP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LaunchError, match=r"index: numpy and torch could not be resolved: .*requirements.txt has"):
        write_environment(told, tmp_path / "pylock.toml")
    assert (tmp_path / "requirements.txt").read_text() == spell_requirements(told)
    assert not (tmp_path / "pylock.toml").exists()
    with pytest.raises(UsageError, match="exists"):
        write_environment(told, tmp_path / "pylock.toml")


def test_a_lock_file_names_archives_with_digests() -> None:
    """It is TOML of the form that PEP 751 wants, sorted."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11")
    found = tomllib.loads(spell_lock(REPORT))
    assert (found["lock-version"], found["requires-python"]) == ("1.0", "==3.11.*")
    assert [package["name"] for package in found["packages"]] == ["alpha", "zeta-x"]
    wheel = found["packages"][1]["wheels"][0]
    assert wheel["name"] == "zeta_x-1.0+cpu-any.whl"
    assert wheel["hashes"] == {"sha256": "ab"}
    pylock = pytest.importorskip("packaging.pylock")
    pylock.Pylock.from_dict({**found, "packages": found["packages"][:1]}).validate()


def test_an_archive_without_a_digest_is_no_lock() -> None:
    """As of a folder that was installed."""
    item = {"metadata": {"name": "a", "version": "1"}, "download_info": {"url": "file:///a", "dir_info": {}}}
    with pytest.raises(LaunchError, match="no digest of a"):
        spell_lock({**REPORT, "install": [item]})
