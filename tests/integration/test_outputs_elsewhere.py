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
        print(f"child's accuracy {value}", flush=True)
        os._exit(0)
    os.wait()
    program = f"open('../program.txt', 'w').write('accuracy {value}'); print('program {value}')"
    subprocess.run([sys.executable, "-c", program])
    subprocess.run([sys.executable, "-c", "print('read by the script', id(object()))"], stdout=subprocess.PIPE)
    subprocess.run(["sh", "-c", f"echo accuracy {value} > ../shell.txt; echo {value}"])
    child = multiprocessing.get_context("spawn").Process(target=torch.save, args=(float(value), "../spawned.pt"))
    child.start()
    child.join()
if __name__ == "__main__":
    main(sys.argv[1])
"""


def test_what_is_put_out_elsewhere_is_compared(tmp_path: Path, environment: dict[str, str]) -> None:
    """Files and lines: equal ones are equal, each that differs is named, and what is not known is told."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "train.py").write_text(dedent(SCRIPT), encoding="utf-8")
    for name, value in (("a", "0.5"), ("b", "0.5"), ("c", "0.6")):
        command = [sys.executable, "-m", "reproof", "run", "-q", "-o", f"../{name}", "train.py", value]
        subprocess.run(command, cwd=work, env=environment, check=True)
    same, other = (compare(tmp_path / "a", tmp_path / name).output for name in ("b", "c"))
    assert same is not None
    assert other is not None
    assert (same.differences, same.num_files, same.num_lines, same.notes) == ((), 5, 2, ())
    assert [one.why for one in same.not_compared] == [
        "lines that other programs print (echo) are seen by `reproof check` alone"
    ]
    files = {difference.name.removesuffix(" line 1") for difference in other.differences if difference.kind == "file"}
    elsewhere = {"../child.txt", "../main.txt", "../program.txt", "../spawned.pt"}
    assert files == {*elsewhere, str(tmp_path / "shell.txt")}
    lines = [difference.baseline for difference in other.differences if difference.kind == "line"]
    assert lines == ["child's accuracy 0.5", "program 0.5"]
