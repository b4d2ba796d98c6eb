"""What a re-run needs is told beside what is here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.reproducing import needs as needs_module
from reproof.reproducing.evidence import Gate
from reproof.reproducing.needs import Need, list_needs

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE: dict[str, Any] = {
    "python": {"version": "3.11.7 (main)"},
    "packages": {"torch": "2.6.0+cpu", "numpy": "2.1.0"},
    "cpu": {"model": "Some CPU"},
    "platform": {"system": "Linux", "machine": "x86_64", "libc": ["glibc", "2.36"]},
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a machine of this kind."""
    monkeypatch.setattr(needs_module, "describe_surroundings", lambda: HERE)


def list_all(environment: Mapping[str, Any], code: Mapping[str, Any], *gates: Gate) -> dict[str, Need]:
    """Return what a bundle needs, by what it is."""
    manifest = SimpleNamespace(imported=False)
    bundle = SimpleNamespace(environment=environment, code=code, data={"files": {}}, manifest=manifest)
    job: Any = SimpleNamespace(bundle=bundle, project=Path("/project"), data_files={})
    return {need.what: need for need in list_needs(job, gates)}


def test_what_is_the_same_takes_one_row() -> None:
    """Packages that were imported and are here in that version; tools that were not imported do not count."""
    environment = {**HERE, "packages": {**HERE["packages"], "pytest": "8.0"}, "imported": ["numpy", "torch"]}
    found = list_all(environment, {})
    assert (found["packages"].needed, found["packages"].state) == ("numpy, torch", "same")
    assert found["Python"].state == "same"
    assert set(found) == {"packages", "Python"}


def test_what_differs_or_is_lacking_is_named() -> None:
    """With both versions; what no process can be given is said to be so."""
    environment = {
        **HERE,
        "python": {"version": "3.12.1"},
        "packages": {"torch": "2.5.0", "scikit-learn": "1.5"},
        "imported": ["scikit-learn", "torch"],
        "cpu": {"model": "Another CPU"},
    }
    found = list_all(environment, {})
    assert (found["Python"].needed, found["Python"].here, found["Python"].state) == ("3.12.1", "3.11.7", "differs")
    assert (found["torch"].needed, found["torch"].here, found["torch"].state) == ("2.5.0", "2.6.0+cpu", "differs")
    assert found["scikit-learn"].state == "missing"
    assert (found["processor"].state, "cannot be matched" in found["processor"].here) == ("fixed", True)


def test_code_is_told_by_what_the_training_reaches() -> None:
    """And from where it can be had."""
    code = {
        "files": {"train.py": {"reached": ["train"]}, "search.py": {}},
        "git": {"commit": "0123456789abcdef", "remote": "https://example.org/project.git", "diff_sha256": "f" * 64},
    }
    gate = Gate(name="code", state="different", detail="the project is not here (in /project): name it with --project")
    found = list_all(HERE, code, gate)
    assert (found["code"].needed, found["code"].here, found["code"].state) == ("train.py", gate.detail, "differs")
    assert found["commit"].needed == "0123456789ab with uncommitted changes of https://example.org/project.git"


def test_a_folder_of_others_does_not_tell_its_versions() -> None:
    """Those here are shown: other versions give other bits."""
    found = list_all({}, {})
    assert (found["PyTorch"].here, found["PyTorch"].state) == ("2.6.0+cpu", "unknown")
    assert found["PyTorch"].needed.startswith("not kept")
