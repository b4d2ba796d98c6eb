"""Whose code a file is: the user's lines are named, those of packages are not, wherever these are installed."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import sysconfig
from pathlib import Path

import pytest

from reproof.entropy.sites import (
    LIBRARY,
    OURS,
    PYTHON,
    USER,
    Base,
    find_own_packages,
    find_user_frame,
    name_file,
    owner_of,
    site_of,
)


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


@pytest.mark.parametrize(
    ("note", "is_own"),
    [
        ('{"dir_info": {}, "url": "file://HERE"}', True),
        ('{"dir_info": {}, "url": "file://HERE/gone"}', False),
        ('{"archive_info": {}, "url": "file://HERE"}', False),
        ('{"vcs_info": {}, "url": "https://example.org/a.git"}', False),
        ('["dir_info", "url"]', False),
        ("", False),
        ('{"dir_info": {}, "url": "file://HERE", "compiled": true}', False),
    ],
    ids=["a folder", "one that is not here", "a wheel", "a repository", "another thing", "nothing", "compiled"],
)
def test_a_package_that_was_installed_from_a_folder_is_the_users(tmp_path: Path, note: str, *, is_own: bool) -> None:
    """Its files lie among those of other packages, as `pip install .` copies them there."""
    (tmp_path / "a-1.dist-info").mkdir()
    (tmp_path / "a-1.dist-info" / "direct_url.json").write_text(note.replace("HERE", str(tmp_path)), encoding="utf-8")
    files = ["../../bin/a,,", "mine/__init__.py,sha256=x,1", "mine/sub/b.py,,", "tool.py,,", "a-1.dist-info/RECORD,,"]
    files += ["mine/fast.so,sha256=y,2"] * ("compiled" in note)
    (tmp_path / "a-1.dist-info" / "RECORD").write_text("\n".join(files), encoding="utf-8")
    expected = (f"{tmp_path}/mine/", f"{tmp_path}/tool.py") if is_own else ()
    assert find_own_packages([tmp_path]) == expected


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("sys.exit(lib.main())", "lib.py"),
        ("raise SystemExit(main())", "lib.py"),
        ("main()", "lib.py"),
        ("value = main()", "train.py"),
        ("domain(main())", "train.py"),
        ("sys.exit(str(main()))", "train.py"),
    ],
)
def test_a_line_on_which_a_program_begins_is_not_to_blame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, file: str
) -> None:
    """The line of the package behind it is, also where that one calls another package."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "lib.py").write_text("import other\n\ndef main():\n    return other.ask(None)\n", encoding="utf-8")
    (packages / "other.py").write_text("def ask(_):\n    return find()\n", encoding="utf-8")
    script = tmp_path / "train.py"
    script.write_text(f"import sys, lib\nfrom lib import main\n{line}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(packages)
    for name in ("lib", "other"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    seen = []

    def find() -> int:
        frame = find_user_frame(sys._getframe(1))
        assert frame is not None
        seen.append((Path(site_of(frame).file).name, frame.f_lineno))
        return 0

    other = importlib.import_module("other")
    monkeypatch.setattr(other, "find", find, raising=False)
    with contextlib.suppress(SystemExit):
        exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), {"domain": lambda x: x})  # noqa: S102
    assert seen == [(file, 4 if file == "lib.py" else 3)]


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
