"""Whose code a file is: the user's lines are named, those of packages are not, wherever these are installed."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from reproof.entropy.sites import LIBRARY, OURS, PYTHON, USER, Base, name_file, owner_of


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        (Path(sysconfig.get_path("purelib")) / "torch" / "nn" / "modules" / "linear.py", LIBRARY),
        (Path("/opt/other/lib/python3.11/site-packages/lightning/fabric/utilities/seed.py"), LIBRARY),
        (Path("/usr/lib/python3/dist-packages/scipy/stats.py"), LIBRARY),
        (Path("/home/ada/site-packages.py"), USER),
        (Path("/home/ada/project/train.py"), USER),
        (Path(os.__file__), PYTHON),
        (Path(sysconfig.get_path("stdlib")) / "random.py", PYTHON),
    ],
    ids=["installed", "by a .pth file", "of the system", "a file of that name", "a script", "os", "random"],
)
def test_the_owner_of_a_file(path: Path, owner: int) -> None:
    """What lies in a folder of packages belongs to a package, also to one of another installation."""
    assert owner_of(str(path)) == owner


def test_python_made_at_run_time_is_pythons() -> None:
    """Neither code without a file nor reproof's own is the user's."""
    assert owner_of("<string>") == PYTHON
    assert owner_of(owner_of.__code__.co_filename) == OURS


class TestNames:
    """The name of a file of the user's, by which what it reads is replayed."""

    def test_however_it_is_reached(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Relative to the working folder: through a link, a way round, or the folder that it is a copy of."""
        for folder in ("copy", "origin"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "lib.py").touch()
        (tmp_path / "link").symlink_to("copy")
        monkeypatch.setattr(Base, "prefix", f"{tmp_path}/copy/")
        monkeypatch.setattr(Base, "origin", f"{tmp_path}/origin/")
        for way in ("copy/lib.py", "link/lib.py", "copy/../origin/../copy/lib.py", "origin/lib.py"):
            assert name_file(f"{tmp_path}/{way}") == "lib.py"

    def test_outside_of_the_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By its own path, also where a link in the folder leads to it."""
        (tmp_path / "lib.py").touch()
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "lib.py").symlink_to("../lib.py")
        monkeypatch.setattr(Base, "prefix", f"{tmp_path}/here/")
        assert name_file(f"{tmp_path}/here/../lib.py") == f"{tmp_path}/lib.py"
        assert name_file(f"{tmp_path}/here/lib.py") == f"{tmp_path}/lib.py"
