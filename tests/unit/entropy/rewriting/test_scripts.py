"""The script that Python is started with is compiled anew, and finds itself as it would have."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STARTUP = """
from types import SimpleNamespace
from reproof.entropy.plan import Plan
from reproof.entropy.rewriting import scripts
scripts.compile_module = lambda path, _plan: compile("print('changed')\\n" + open(path).read(), path, "exec")
scripts.install(SimpleNamespace(plan=Plan(watches_orders=True)))
"""

SCRIPT = """
import multiprocessing, sys
import beside
def double(x):
    return 2 * x
if __name__ == "__main__":
    print(__file__, __spec__, __package__, __name__, type(__loader__).__name__, sys.argv, sys.path[0], beside.X)
    print(sorted(name for name in globals() if name.startswith("__")))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(double, [1, 2]))
"""


def run(folder: Path, *first: Path, safe: str = "") -> list[str]:
    """Return what the script prints, with these folders first on the path."""
    path = os.pathsep.join([*map(str, first), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": safe}
    command = [sys.executable, "work/train.py", "--lr", "1"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_script_is_compiled_anew_and_notices_nothing(tmp_path: Path) -> None:
    """Its names, its arguments, its folder, and children that import it: as if Python had read it itself."""
    for name, files in (("work", {"train.py": SCRIPT, "beside.py": "X = 7"}), ("start", {"sitecustomize.py": STARTUP})):
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    assert run(tmp_path, tmp_path / "start") == ["changed", *run(tmp_path)]
    paths = (tmp_path / "work", tmp_path / "start")
    assert run(tmp_path, *paths, safe="1") == ["changed", *run(tmp_path, paths[0], safe="1")]
