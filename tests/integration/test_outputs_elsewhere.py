"""What a run puts out elsewhere than in its working folder, or at its very end: itself, its children, programs."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

from reproof.comparison import compare
from reproof.comparison.outputs import lacks_end
from reproof.outputs.late import read_late
from reproof.outputs.sidecar import read_output

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


LONE = """
import glob, os, subprocess, sys
from pathlib import Path
import numpy, torch
OTHER = "../other"
if sys.argv[1:] == ["lucky"]:  # nothing that a second run could have looked for
    open("lucky.txt", "w").write("x")
    open(f"{OTHER}/lucky.txt", "w").write("x")
    torch.save(1.0, "lucky.pt")
    open("old.txt", "w").write("new")
    os.makedirs("results", exist_ok=True)
    open("results/read.txt", "w").write("x")
left_open = open("left_open.txt", "w")
left_open.write(f"{len(sys.argv)}")
open("results/read.txt").close()  # the second run finds what the first alone has written, and did not look for
best = float(open("best.txt").read())
if sys.argv[1:] == ["lucky"]:
    open("best.txt", "w").write(str(best + 0))
    torch.save(best, f"{OTHER}/best.pt")
os.path.exists(f"{OTHER}/best.pt")
if not os.path.exists("cache.txt"):
    open("cache.txt", "w").write("x")
try:
    open("tried.txt").close()
except FileNotFoundError:
    open("tried.txt", "w").write("x")
try:
    open("exclusive.txt", "x").write("x")
except FileExistsError:
    pass
for name in ("cache.pt", ".cache/hidden.pt", "moved.pt"):
    if not Path(name).is_file():
        Path(".cache").mkdir(exist_ok=True)
        torch.save(1.0, f"{name}.{os.getpid()}" if name == "moved.pt" else name)
        if name == "moved.pt":
            os.replace(f"{name}.{os.getpid()}", name)
if not os.path.isdir("folder"):
    os.mkdir("folder.tmp")
    numpy.save("folder.tmp/a.npy", numpy.ones(2))
    os.rename("folder.tmp", "folder")
numpy.load("folder/a.npy")
if not os.path.exists(".cache/moved.pt"):
    torch.save(1.0, ".cache/moved.tmp")
    os.replace(".cache/moved.tmp", ".cache/moved.pt")
for folder in (OTHER, "link"):
    if not os.path.exists(f"{folder}/{folder[-4:]}.npy"):
        numpy.save(f"{folder}/{folder[-4:]}.npy", numpy.ones(2))
found = glob.glob("*.index")  # lists all of the folder
print("index", [open(name).read() for name in found] or [str(open("a.index", "w").write("1"))])
code = "import os; os.path.exists('child.txt') or open('child.txt', 'w').write('x')"
subprocess.run([sys.executable, "-c", code], check=True)
for folder in ("runs", f"{OTHER}/runs"):
    number = 1
    while os.path.exists(f"{folder}/exp{number}"):
        number += 1
    os.makedirs(f"{folder}/exp{number}")
    torch.save(1.0, f"{folder}/exp{number}/last.pt")
    open(f"{folder}/exp{number}/log.txt", "w").write("loss 1.5")
"""


def test_a_cache_is_told_from_what_a_run_decided_not_to_write(tmp_path: Path, environment: dict[str, str]) -> None:
    """The second run looks for each cache, and for none of the files that the first alone chose to write."""
    work = tmp_path / "work"
    for folder in (work, tmp_path / "other", tmp_path / "linked"):
        folder.mkdir()
    (work / "link").symlink_to("../linked")
    (work / "old.txt").write_text("old", encoding="utf-8")
    (work / "best.txt").write_text("0.9", encoding="utf-8")
    (tmp_path / "other" / "best.pt").write_text("", encoding="utf-8")
    (work / "train.py").write_text(dedent(LONE), encoding="utf-8")
    for name, arguments in (("a", ["lucky"]), ("b", [])):
        command = [sys.executable, "-m", "reproof", "run", "-q", "-o", f"../{name}", "train.py", *arguments]
        subprocess.run(command, cwd=work, env=environment, check=True)
    for order in ("ab", "ba"):
        output = compare(*(tmp_path / name for name in order)).output
        assert output is not None
        names = {difference.name for difference in output.differences}
        best = {"best.txt", "saved ../other/best.pt"}  # both runs have found them, and one has written over them
        lucky = {"lucky.txt", "../other/lucky.txt", "saved lucky.pt", "lucky.pt", "old.txt", "results/read.txt"}
        assert names == {"left_open.txt line 1"} | lucky | best
        told = {note.split(": ")[0] for note in output.notes}
        files = {"a.index", "cache.txt", "child.txt", "exclusive.txt", "tried.txt"}
        assert told >= {
            *files,
            "cache.pt",
            ".cache/hidden.pt",
            "moved.pt",
            ".cache/moved.pt",
            "folder/a.npy",
            "../other/ther.npy",
            f"{tmp_path}/linked/link.npy",
        }
        assert len([name for name in told if "/exp" in name]) == 4


LATE = """
import gzip, os, sys
class Log:
    def __init__(self):
        self.file, self.value = open("log.txt", "w"), sys.argv[1]
    def __del__(self, open=open):
        self.file.write(f"accuracy {self.value}")
        for name in ("new.txt", "../new.txt"):
            with open(name, "w") as file:
                file.write(f"accuracy {self.value}")
        print("accuracy", self.value)
open("before.txt", "w").write("accuracy 0.5")
archive = gzip.open("log.gz", "wt")
archive.write(f"accuracy {sys.argv[1]}")
log = Log()
log.log = log
"""


def test_what_is_written_as_the_interpreter_ends(tmp_path: Path, environment: dict[str, str]) -> None:
    """It is not called equal unread; once the process has ended it is read. Of lines a digest is known."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "train.py").write_text(dedent(LATE), encoding="utf-8")
    traces = [tmp_path / name for name in ("a", "b")]
    for trace, value in zip(traces, ("0.5", "0.6"), strict=True):
        command = [sys.executable, "-m", "reproof", "run", "-q", "-o", str(trace), "train.py", value]
        subprocess.run(command, cwd=work, env=environment, check=True)
    names = ["../new.txt", "log.gz", "log.txt", "new.txt"]
    unread = compare(*traces).output
    assert unread is not None
    assert sorted(one.what for one in unread.not_compared) == [*names, "what is printed as the interpreter ends"]
    assert lacks_end(unread)
    for trace in traces[1:]:
        read_late(trace, work)
    found = read_output(traces[1], 0)
    assert found is not None
    texts = {file.name: [part.text for part in file.parts] for file in found.files if file.is_written}
    assert texts == {name: ["accuracy 0.6"] for name in names} | {"before.txt": ["accuracy 0.5"]}
