"""The training that a bundle names is found in the project, by a look at its syntax, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.errors import LaunchError
from reproof.reproducing.entry import find_entry, module_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with a training, beside a file that lies outside of it."""
    folder = tmp_path / "project"
    (folder / "package/inner").mkdir(parents=True)
    (folder / "package/__init__.py").touch()
    (folder / "package/train.py").write_text("raise SystemExit\n\ndef train(config, run): ...\n\ndef other(x): ...\n")
    (folder / "package/inner/deep.py").write_text("def train(config, run): ...\n")
    (tmp_path / "outside.py").write_text("def train(config, run): ...\n")
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    return folder


def test_a_training_is_found_without_importing_its_file(project: Path) -> None:
    """The file of this one would end the process if it were imported."""
    assert find_entry(project, "package/train.py:train") == project / "package/train.py"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (None, "names no training"),
        ("package/train.py:lacking", "defines no lacking"),
        ("package/train.py:other", "defines no other"),
        ("package/lacking.py:train", "has no package/lacking.py"),
        ("../outside.py:train", "within a project"),
        ("/etc/x.py:train", "within a project"),
        ("link.py:train", "has no link.py"),
        (".hidden/x.py:train", "within a project"),
        ("package/train.py:train()", "within a project"),
    ],
)
def test_what_is_no_training_of_the_project_is_refused(entry: str | None, words: str, project: Path) -> None:
    """Paths that leave the project, links out of it, and functions of another form are refused in one line."""
    with pytest.raises(LaunchError, match=words):
        find_entry(project, entry)


def test_a_file_in_a_package_is_imported_with_it(project: Path) -> None:
    """Relative imports work where the file lies in a package; elsewhere it is a module of its own."""
    assert module_name(project / "package/train.py", project) == "package.train"
    assert module_name(project / "package/inner/deep.py", project) == "deep"
