"""Differences of the surroundings are graded; what is private stays out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reproof.bundle.surroundings import grade_environment, strip_private, strip_trace
from reproof.environment import collect_environment
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_surroundings_are_graded_by_what_can_change_numbers() -> None:
    """Threads and imported packages matter; the kernel's release, the zone and other packages do not."""
    original = {
        "torch": {"threads": {"intraop": 2}},
        "packages": {"numpy": "2.0", "black": "24"},
        "imported": ["numpy"],
        "platform": {"release": "6.1"},
        "variables": {},
        "locale": {"ctype": "C"},
    }
    here = {
        "torch": {"threads": {"intraop": 1}},
        "packages": {"numpy": "2.1", "black": "25"},
        "imported": ["numpy"],
        "platform": {"release": "6.2"},
        "variables": {"MKL_CBWR": "COMPATIBLE", "TZ": "UTC"},
        "locale": {"ctype": "de_DE"},
    }
    grades = {row.name: row.grade for row in grade_environment(original, here)}
    assert grades == {
        "torch.threads.intraop": "matters",
        "packages.numpy": "matters",
        "variables.MKL_CBWR": "matters",
        "packages.black": "harmless",
        "platform.release": "harmless",
        "variables.TZ": "harmless",
        "locale.ctype": "harmless",
    }


def test_an_environment_without_what_is_private() -> None:
    """Host, process, code and paths are gone; what changes numbers is there."""
    found = strip_private(collect_environment(("train.py", "--password", "hunter2")))
    assert not {"process", "code"} & found.keys()
    assert "hostname" not in found["platform"]
    assert "executable" not in found["python"]
    assert not [name for name in found["variables"] if name.endswith("PATH")]
    assert found["cpu"] == collect_environment()["cpu"]


def test_variables_with_a_path_are_left_out() -> None:
    """A cache has the name of its user in it; a number, a list and a size are no paths."""
    paths = {
        "TORCHINDUCTOR_CACHE_DIR": "/home/me/torchinductor",
        "CUDA_HOME": "C:\\cuda",
        "NCCL_X": "a=~/b",
        "TORCH_Y": "x,/home/me",
    }
    others = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "OMP_PLACES": "{0:4}", "MKL_CBWR": "AVX2", "TORCH_URL": "a/b"}
    assert strip_private({"variables": {**paths, **others}})["variables"] == others


def test_a_trace_without_what_is_private(run: Callable[..., Path], say: type) -> None:
    """Command line, ledgers and what was put out are gone; the events are the same, and it can be read."""
    environment = collect_environment(("train.py", "--password", "hunter2"))
    folder = run("a", [say.label(1)], command=("train.py", "--lr", "1"), environment=environment)  # type: ignore[attr-defined]
    for name in ("rank0.entropy", "rank0.1.entropy", "rank0.output"):
        (folder / name).write_text("hunter2", encoding="utf-8")
    strip_trace(folder)
    trace = open_trace(folder)
    assert (trace.header.command, trace.ranks[0].num_events) == ((), 1)
    assert not any(b"hunter2" in path.read_bytes() for path in folder.iterdir())
    assert "process" not in json.loads((folder / "run.json").read_text(encoding="utf-8"))["environment"]
