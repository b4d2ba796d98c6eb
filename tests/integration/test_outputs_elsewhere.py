"""What a run puts out elsewhere than in its working folder: itself, its children, a program that it starts."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

from reproof.comparison import compare

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import multiprocessing, os, subprocess, sys, torch
def main(value):
    open("../main.txt", "w").write(f"accuracy {value}")
    if os.fork() == 0:
        open("../child.txt", "w").write(f"accuracy {value}")
        os._exit(0)
    os.wait()
    subprocess.run([sys.executable, "-c", f"open('../program.txt', 'w').write('accuracy {value}')"])
    child = multiprocessing.get_context("spawn").Process(target=torch.save, args=(float(value), "../spawned.pt"))
    child.start()
    child.join()
if __name__ == "__main__":
    main(sys.argv[1])
"""


def test_files_elsewhere_are_compared(tmp_path: Path, environment: dict[str, str]) -> None:
    """Equal ones are equal, and each that differs is named."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "train.py").write_text(dedent(SCRIPT), encoding="utf-8")
    for name, value in (("a", "0.5"), ("b", "0.5"), ("c", "0.6")):
        command = [sys.executable, "-m", "reproof", "run", "-q", "-o", f"../{name}", "train.py", value]
        subprocess.run(command, cwd=work, env=environment, check=True)
    same, other = (compare(tmp_path / "a", tmp_path / name).output for name in ("b", "c"))
    assert same is not None
    assert other is not None
    assert (same.differences, same.num_files, same.notes) == ((), 4, ())
    names = sorted(difference.name for difference in other.differences)
    assert names == ["../child.txt line 1", "../main.txt line 1", "../program.txt line 1", "../spawned.pt"]
