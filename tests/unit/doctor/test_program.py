"""Reading a script: the files it is made of, what names stand for, which code can happen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reproof.doctor.program import sources
from reproof.doctor.program.reading import Reading
from reproof.doctor.program.sources import Program
from reproof.errors import UsageError

if TYPE_CHECKING:
    from tests.unit.doctor.conftest import Doctor

FAULT = "import torch, time\ntorch.manual_seed(int(time.time()))  # finds: wall-clock\n"


def write(folder: Path, **files: str) -> Path:
    """Write files by name; a double underscore in a name stands for a folder. Returns the first."""
    paths = [folder / (name.replace("__", "/") + ".py") for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return paths[0]


def read_files(script: Path) -> list[str]:
    """Return the names of the files that a script is made of, relative to its folder."""
    return [str(source.path.relative_to(script.parent)) for source in Program(script).sources]


class TestFiles:
    """Which files belong to a script."""

    def test_imports_are_followed(self, tmp_path: Path) -> None:
        """Modules, packages, submodules named by from-imports, folders without an __init__, imports in functions."""
        script = write(
            tmp_path,
            train="import one, lib.deep\nfrom lib import two\nfrom plain.three import x\ndef f():\n    import four",
            one="",
            lib__init="",
            lib__two="",
            lib__deep="",
            plain__three="",
            four="",
            unrelated="",
        )
        (tmp_path / "lib" / "init.py").rename(tmp_path / "lib" / "__init__.py")
        assert sorted(read_files(script)) == [
            "four.py",
            "lib/__init__.py",
            "lib/deep.py",
            "lib/two.py",
            "one.py",
            "plain/three.py",
            "train.py",
        ]

    def test_relative_imports_of_a_package(self, tmp_path: Path) -> None:
        """A module that is run with -m finds its siblings, its parent's, and its package by its full name."""
        script = write(
            tmp_path,
            package__tools__train="from . import near\nfrom .. import far\nfrom package.other import x",
            package__tools__near="",
            package__far="",
            package__other="",
        )
        for folder in ("package", "package/tools"):
            (tmp_path / folder / "__init__.py").touch()
        names = {source.path.name for source in Program(script).sources}
        assert names == {"train.py", "near.py", "far.py", "other.py", "__init__.py"}

    def test_cycles_end(self, read: Doctor) -> None:
        """Modules that import each other are each read once."""
        answer = read("import a\n", a="import b\n", b="import a\n" + FAULT)
        assert answer.found == answer.expected

    def test_libraries_are_left_alone(self, tmp_path: Path) -> None:
        """What is not in the script's folder is not looked for."""
        assert read_files(write(tmp_path, train="import json, torch, numpy")) == ["train.py"]

    def test_a_folder_of_data_is_no_module(self, tmp_path: Path) -> None:
        """Python takes a regular package from elsewhere before a folder without an __init__."""
        (tmp_path / "datasets").mkdir()
        assert read_files(write(tmp_path, train="from datasets import load_dataset")) == ["train.py"]

    def test_too_many_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beyond the limit files are not read, and it is said."""
        monkeypatch.setattr(sources, "MAX_FILES", 2)
        program = Program(write(tmp_path, train="import a, b", a="", b=""))
        assert len(program.sources) == 2
        assert [item.why for item in program.not_read] == ["more than 2 files"]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"def broken(:\n", "line 1"),
            (b"x = '\xff\xfe'\n", "not in UTF-8"),
            (b"x = 1\0\n", "null"),
            (b"# coding: no-such-encoding\n", "no-such-encoding"),
            (b"x = " + b"(" * 5000 + b")" * 5000, ""),
            (b"#" * (sources.MAX_FILE_BYTES + 1), "larger than 2 MiB"),
        ],
        ids=["syntax error", "not UTF-8", "null byte", "unknown encoding", "nested too deeply", "too large"],
    )
    def test_a_script_that_cannot_be_read(self, tmp_path: Path, content: bytes, why: str) -> None:
        """Is an error of one line that says why; as a module it is listed instead."""
        (tmp_path / "broken.py").write_bytes(content)
        with pytest.raises(UsageError) as caught:
            Program(tmp_path / "broken.py")
        assert why in str(caught.value)
        assert "\n" not in str(caught.value)
        program = Program(write(tmp_path, train="import broken"))
        assert [Path(item.file).name for item in program.not_read] == ["broken.py"]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
    def test_encodings(self, tmp_path: Path, encoding: str) -> None:
        """A byte order mark and a declared encoding are understood."""
        declaration = "" if encoding == "utf-8-sig" else f"# coding: {encoding}\n"
        (tmp_path / "train.py").write_bytes(f"{declaration}x = 'é'\n".encode(encoding))
        assert "x = 'é'" in Program(tmp_path / "train.py").main.lines

    def test_lines_are_counted_as_python_does(self, read: Doctor) -> None:
        """A form feed, or a line separator in a string, ends no line."""
        answer = read("x = 'a\u2028b\x0c'\n" + FAULT)
        assert [place[2] for place in answer.found] == [3]
        assert answer.findings[0].text.startswith("torch.manual_seed")

    def test_invalid_escapes_are_no_warning(self, tmp_path: Path) -> None:
        """What Python warns of when it compiles is its own business (warnings are errors here)."""
        assert read_files(write(tmp_path, train="x = '\\d'\nif x is 3: pass\n")) == ["train.py"]

    def test_nothing_is_run_or_imported(self, tmp_path: Path) -> None:
        """Reading a script that would delete itself leaves it, and writes nothing."""
        script = write(tmp_path, train="import pathlib, one\npathlib.Path(__file__).unlink()", one="raise SystemExit")
        Reading(script)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one.py", "train.py"]


class TestNames:
    """The same thing under all its names."""

    @pytest.mark.parametrize(
        "source",
        [
            "import numpy\nrng = numpy.random.default_rng()",
            "import numpy as np\nrng = np.random.default_rng()",
            "import numpy.random\nrng = numpy.random.default_rng()",
            "from numpy import random as npr\nrng = npr.default_rng()",
            "from numpy.random import default_rng as make\nrng = make()",
            "from numpy.random import *\nrng = default_rng()",
            "import numpy as np\nmake = np.random.default_rng\nrng = make()",
            "import numpy as np\nrandom = np.random\nrng = random.default_rng()",
            "try:\n    import numpy as np\nexcept ImportError:\n    np = None\nrng = np.random.default_rng()",
            "from shared import np\nrng = np.random.default_rng()",
            "from shared import *\nrng = np.random.default_rng()",
            "import shared\nrng = shared.np.random.default_rng()",
            "import shared as s\nrng = s.make()",
        ],
    )
    def test_a_name_is_followed_to_its_library(self, read: Doctor, source: str) -> None:
        """Aliases, from-imports, stars, assignments and the user's own modules in between."""
        text = f"import torch\n{source}\ntorch.manual_seed(rng.integers(9))\n"
        answer = read(text, shared="import numpy as np\nfrom numpy.random import default_rng as make\n")
        assert [kind for kind, _, _ in answer.found] == ["unseeded-generator"]

    def test_a_name_of_the_users_own_is_not_the_librarys(self, read: Doctor) -> None:
        """A function called time, a module called random: they are the script's."""
        answer = read(
            """
            import torch, random
            def time():
                return 3
            torch.manual_seed(time())
            random.seed(time())
            torch.nn.Linear(random.randint(), 1)(x).sum().backward()
            """,
            random="def seed(value): pass\ndef randint(): return 4\n",
        )
        assert answer.found == []

    @pytest.mark.parametrize("names", ["*", "helper"])
    def test_modules_that_import_from_each_other(self, read: Doctor, names: str) -> None:
        """Names in a circle end, and stand for nothing."""
        a, b = f"from b import {names}\n", f"from a import {names}\n"
        assert read("from a import helper\nhelper()\n", a=a, b=b).found == []


class TestReach:
    """Only code that can happen counts."""

    def test_the_main_guard_of_a_module_does_not_run(self, read: Doctor) -> None:
        """That of the script does."""
        body = FAULT.replace("torch.", "    torch.")
        guarded = body.replace("\n    torch", "\nif __name__ == '__main__':\n    torch")
        assert read(guarded).found != []
        assert read("import other\n", other=guarded.replace("  # finds: wall-clock", "")).found == []

    @pytest.mark.parametrize(
        "use",
        [
            "fix()",
            "run = fix\nrun()",
            "register(fix)",
            "Runner().start()",
            "class Base:\n    hook = fix\nBase().hook()",
            "(lambda: fix())()",
            "import functools\nfunctools.partial(fix)()",
        ],
    )
    def test_a_function_that_is_used_in_any_way_counts(self, read: Doctor, use: str) -> None:
        """Called, handed on, called in a method or a lambda."""
        source = f"""
import torch, time
def fix():
    torch.manual_seed(int(time.time()))
class Runner:
    def start(self):
        fix()
{use}
"""
        assert [kind for kind, _, _ in read(source).found] == ["wall-clock"]

    @pytest.mark.parametrize(
        "block",
        [
            "with open('x') as f:\n    {}",
            "try:\n    {}\nfinally:\n    pass",
            "try:\n    pass\nexcept OSError:\n    {}",
            "for i in range(3):\n    pass\nelse:\n    {}",
            "while True:\n    {}",
            "match x:\n    case [y]:\n        {}",
            "async def f():\n    async with a as b:\n        {}\nf()",
            "class C:\n    {}",
            "[{} for i in range(3)]",
            "x = (y := {})",
            "print(f'{{{}}}')",
        ],
    )
    def test_code_in_any_kind_of_block_counts(self, read: Doctor, block: str) -> None:
        """As statements and within expressions."""
        call = block.format("torch.manual_seed(int(time.time()))")
        assert [kind for kind, _, _ in read(f"import torch, time\n{call}\n").found] == ["wall-clock"]

    def test_a_switch_that_is_off_counts_for_nothing(self, read: Doctor) -> None:
        """A constant of the script decides; an option of the command line may be either."""
        source = """
            import torch, time, sys
            DEBUG = False
            if DEBUG:
                torch.manual_seed(int(time.time()))
            """
        assert read(source).found == []
        assert read(source.replace("False", "bool(sys.argv[1:])")).found != []
