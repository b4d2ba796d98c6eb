"""A fresh process of ours imports what `python script.py` would import, and our own modules from nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import reproof
from reproof.launch.start import start_command

PROBE = """
import json, sys
def main():
    import reproof.errors
    print(json.dumps([sys.path, reproof.__file__, reproof.errors.__file__, sys.argv[1:]]))
"""


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Return a folder that PYTHONPATH names, with a module that tells what it sees."""
    folder = tmp_path / "named"
    folder.mkdir()
    (folder / "probe.py").write_text(PROBE)
    return folder


def run(command: list[str], named: Path, **variables: str) -> Any:
    """Return what a process started in a folder with modules of its own has printed."""
    folder = named.parent / "work"
    folder.mkdir(exist_ok=True)
    for name in ("json", "click", "reproof"):
        (folder / f"{name}.py").write_text("raise SystemExit('a module of the working folder')\n")
    environment = {**os.environ, "PYTHONPATH": str(named), **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def path_of_python(named: Path, **variables: str) -> list[str]:
    """Return `sys.path` as plain Python makes it, after the script's own folder."""
    script = named.parent / "script.py"
    script.write_text("import json, sys\nprint(json.dumps(sys.path))\n")
    path: list[str] = run([sys.executable, str(script)], named, **variables)
    return path if variables else path[1:]


@pytest.mark.parametrize("variables", [{}, {"PYTHONSAFEPATH": "1"}], ids=["plain", "safe path"])
@pytest.mark.parametrize("replaces_first", [False, True])
def test_the_path_is_that_of_a_script(variables: dict[str, str], named: Path, *, replaces_first: bool) -> None:
    """What PYTHONPATH names comes first, then the standard library and what is installed; the rest is not touched."""
    if variables and sys.version_info < (3, 11):
        pytest.skip("this Python knows no PYTHONSAFEPATH")
    command = start_command("probe", replaces_first=replaces_first)
    path, package, module, arguments = run([*command, "an argument"], named, **variables)
    own = reproof.__file__
    is_kept = replaces_first and not variables
    assert path == [*([own] if is_kept else []), *path_of_python(named, **variables)]
    assert path[int(is_kept)] == str(named)
    assert (package, module, arguments) == (own, str(Path(own).with_name("errors.py")), ["an argument"])
