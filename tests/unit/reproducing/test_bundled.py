"""The code that a bundle holds is written out whole, or not at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import LaunchError
from reproof.reproducing.bundled import find_roots, write_project

if TYPE_CHECKING:
    from pathlib import Path


def make_bundle(**files: dict[str, str]) -> Any:
    """Return a bundle with some files of code."""
    return SimpleNamespace(code={"files": {name.replace("__", "/") + ".py": item for name, item in files.items()}})


def test_texts_are_written_at_their_places(tmp_path: Path) -> None:
    """With their folders, and with the line endings that they had."""
    bundle = make_bundle(train={"text": "import net\r\n"}, src__net={"text": "x = 1\n"})
    write_project(bundle, tmp_path / "project")
    assert (tmp_path / "project/train.py").read_bytes() == b"import net\r\n"
    assert (tmp_path / "project/src/net.py").read_bytes() == b"x = 1\n"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"train": {}}, "holds no code"),
        ({}, "holds no code"),
        ({"train": {"text": ""}, "keys": {"withheld": "line 3 looks like a credential"}}, "keys.py .line 3"),
    ],
)
def test_a_part_of_the_code_is_not_enough(files: dict[str, Any], problem: str, tmp_path: Path) -> None:
    """What is lacking is named."""
    with pytest.raises(LaunchError, match=problem):
        write_project(make_bundle(**files), tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_modules_are_found_where_they_were(tmp_path: Path) -> None:
    """A module of a `src` folder, a package, and a script that no module is called after."""
    bundle = make_bundle(
        src__net__model={"module": "net.model"}, scripts__train={"module": "train"}, main={"module": "__mp_main__"}
    )
    assert find_roots(bundle, tmp_path) == [tmp_path / "scripts", tmp_path / "src"]
