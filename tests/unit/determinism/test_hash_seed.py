"""Whether the hash seed is pinned is found out about the interpreter, not about a variable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import reproof
from reproof.determinism import conditions
from reproof.determinism.hash_seed import describe_hash_seed, pinned_hash_seed

READ = """
import json, os, sys, types
sys.path.insert(0, {folder!r})
{change}
# Neither the package's __init__ nor PyTorch is needed, which takes seconds to start.
cuda = types.SimpleNamespace(is_initialized=lambda: False)
sys.modules["torch"] = types.SimpleNamespace(cuda=cuda)
sys.modules["reproof.determinism"] = package = types.ModuleType("reproof.determinism")
package.__path__ = [{folder!r} + "/reproof/determinism"]
from reproof.determinism.hash_seed import describe_hash_seed, pinned_hash_seed
print(json.dumps([pinned_hash_seed(), describe_hash_seed()]))
"""

WITHOUT_PROC = """
import pathlib
def refuse(self):
    raise FileNotFoundError(self)
pathlib.Path.read_bytes = refuse
"""


@pytest.mark.parametrize(
    ("variable", "options", "change", "pinned", "text"),
    [
        (None, (), "", None, "random"),
        ("random", (), "", None, "random"),
        ("0", (), "", 0, "pinned to 0"),
        ("42", (), "", 42, "pinned to 42"),
        ("42", ("-I",), "", None, "random; PYTHONHASHSEED=42 is ignored (python -I or -E)"),
        ("42", ("-R",), "", None, "random; PYTHONHASHSEED=42 did not take effect (python -R, or set too late)"),
        (
            None,
            (),
            "os.environ['PYTHONHASHSEED'] = '0'",
            None,
            "random; PYTHONHASHSEED=0 was set too late, after the interpreter started",
        ),
        ("7", (), "os.environ['PYTHONHASHSEED'] = '9'", 7, "pinned to 7; PYTHONHASHSEED=9 was set too late"),
        ("7", (), "del os.environ['PYTHONHASHSEED']", 7, "pinned to 7"),
        ("0", (), "del os.environ['PYTHONHASHSEED']" + WITHOUT_PROC, 0, "pinned to 0"),
        ("42", (), WITHOUT_PROC, 42, "pinned to 42"),
    ],
)
def test_it_is_told_truthfully(
    variable: str | None, options: tuple[str, ...], change: str, pinned: int | None, text: str
) -> None:
    """Set before the start it holds; set by the script, or ignored by Python's options, it does not."""
    code = READ.format(folder=str(Path(reproof.__file__).parents[1]), change=change)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    environment |= {"PYTHONHASHSEED": variable} if variable is not None else {}
    done = subprocess.run(
        [sys.executable, *options, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [pinned, text]


def test_it_is_a_condition() -> None:
    """The condition says what was found out about this interpreter, and how to pin the seed."""
    read = next(condition for condition in conditions() if condition.name == "hash-seed")
    assert read.holds is (pinned_hash_seed() is not None)
    assert read.state.startswith(describe_hash_seed())
    assert read.how.startswith("start python with PYTHONHASHSEED=0")
