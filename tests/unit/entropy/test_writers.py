"""Files that compiled code writes are heard of by the functions that start it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.jit

from reproof.entropy import writers
from reproof.entropy.writers import Writer, follow_writers

if TYPE_CHECKING:
    from collections.abc import Iterator


class File:
    """A class whose making opens a file."""

    def __init__(self, name: str, mode: str = "r") -> None:
        """Open it."""
        self.opened = name, mode


def write_picture(name: str, picture: object) -> bool:
    """Write a picture."""
    return bool(name) and picture is None


def map_file(name: str, shared: bool = False) -> str:  # noqa: FBT001, FBT002  # as libraries have it
    """Map a file into memory."""
    return f"{name} {shared}"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a module with rows of its own, whose functions are put back."""
    module: Any = ModuleType("a_library")
    module.File, module.write_picture = type("File", (File,), {"__init__": File.__init__}), write_picture
    module.map_file = map_file
    monkeypatch.setitem(sys.modules, "a_library", module)
    rows = Writer("a_library", "File.__init__", "name"), Writer("a_library", "write_picture", "name", 0)
    rows += (Writer("a_library", "map_file", "name", 0, "shared"),)
    missing = Writer("a_library", "Other.save", "path"), Writer("a_library", "other", "path")
    monkeypatch.setattr(writers, "WRITERS", rows + missing)
    return module


def test_what_is_written_is_heard_of_before(library: Any) -> None:
    """By position or by name, and the function does what it does; a row without its function is none."""
    heard: list[Any] = []
    follow_writers(heard.append)
    assert library.write_picture("a.png", None) is True
    assert library.write_picture(picture=None, name=b"b.png") is True
    assert library.File(Path("c.h5"), "w").opened == (Path("c.h5"), "w")
    assert library.map_file("d.bin", shared=True) == library.map_file("d.bin", True) == "d.bin True"  # noqa: FBT003
    assert heard == ["a.png", b"b.png", Path("c.h5"), "d.bin", "d.bin"]


def test_what_is_read_is_not(library: Any) -> None:
    """By the argument ``mode``, given or not; nor is a stream a path, nor a call that fails."""
    heard: list[Any] = []
    follow_writers(heard.append)
    library.File("a.h5")
    library.File("a.h5", mode="r")
    library.write_picture(sys.stdout, None)
    assert (library.map_file("a"), library.map_file("a", False)) == ("a False", "a False")  # noqa: FBT003  # as above
    with pytest.raises(TypeError, match="picture"):
        library.write_picture()
    assert heard == []


@pytest.mark.filterwarnings("ignore:`torch.jit.:DeprecationWarning")
def test_what_pytorch_writes_itself_is_heard_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scripted module by both of its ways to a file, and shared memory: none is an audit event."""
    heard: list[Any] = []
    module = sys.modules["torch.jit._script"]
    mapped = torch, torch.UntypedStorage
    for owner, name in (
        (torch.jit, "save"),
        (module.RecursiveScriptModule, "save"),
        *((owner, "from_file") for owner in mapped),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back at the end
    follow_writers(heard.append)
    scripted = torch.jit.script(torch.nn.Linear(1, 1))
    scripted.save(tmp_path / "a.pt")
    torch.jit.save(scripted, tmp_path / "b.pt")
    torch.from_file(str(tmp_path / "c.bin"), shared=True, size=2, dtype=torch.float32).fill_(1)
    torch.UntypedStorage.from_file(str(tmp_path / "d.bin"), True, 8).fill_(1)  # noqa: FBT003  # no names
    torch.from_file(str(tmp_path / "c.bin"), size=2, dtype=torch.float32)
    found = list(dict.fromkeys(map(str, heard)))
    assert found == [str(tmp_path / name) for name in ("a.pt", "b.pt", "c.bin", "d.bin")]
    assert (tmp_path / "b.pt").stat().st_size
