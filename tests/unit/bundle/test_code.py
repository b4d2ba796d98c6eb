"""Digests of code: what it does counts, and comments do not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from reproof.bundle import code
from reproof.bundle.code import compare_code, describe_code, describe_sources, find_differing_lines
from reproof.bundle.syntax import digest_syntax


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("def f(x):\n    return x + 1  # comment\n", True),
        ('def f(x):\n    """What it does."""\n\n    return (x + 1)\n', True),
        ("def f(x):\n    return x + 2\n", False),
        ("def f(x):\n    return x - 1\n", False),
        ("def f(y):\n    return y + 1\n", False),
        ("def f(x):\n    return x + 1.0\n", False),
    ],
)
def test_code_counts_and_comments_do_not(other: str, is_same: bool) -> None:  # noqa: FBT001  # a parameter
    """Comments, docstrings and parentheses leave the digest of the syntax; a number, a sign, a name change it."""
    assert (digest_syntax(other.encode()) == digest_syntax(b"def f(x):\n    return x + 1\n")) is is_same


PROJECT = """
import argparse

import torch

RATE = 0.1


def make_model():
    return torch.nn.Linear(1, 1)


def plot(values):
    return values


def train(config, run):
    return make_model(), RATE


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", default=20)
"""


def describe(folder: Path, text: str, name: str = "a.py", *, keeps_text: bool = False) -> dict[str, Any]:
    """Return what is recorded of a file of a project."""
    (folder / name).write_text(text)
    return describe_sources({name: folder / name}, "a.py:train", keeps_text=keeps_text)


@pytest.mark.parametrize(
    ("old", "new", "kind", "names"),
    [
        ("RATE = 0.1", "RATE = 0.1  # as in the paper", "reworded", ("a.py",)),
        ("RATE = 0.1", "RATE = 0.2", "changed", ("a.py: RATE",)),
        ("Linear(1, 1)", "Linear(1, 2)", "changed", ("a.py: make_model",)),
        ("return values", "return list(values)", "harmless", ("a.py: plot",)),
        ("default=20", "default=30", "harmless", ("a.py: __main__",)),
        ("RATE = 0.1", "torch.manual_seed(3)\nRATE = 0.1", "changed", ("a.py: <top>",)),
        ("RATE = 0.1", "UNUSED = 3\nRATE = 0.1", "harmless", ("a.py: UNUSED",)),
    ],
)
def test_what_the_training_reaches_counts(
    old: str, new: str, kind: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    """A function or value that it uses is other code; an unused helper or an option of the script is harmless."""
    assert old in PROJECT
    found = compare_code(describe(tmp_path, PROJECT), describe(tmp_path, PROJECT.replace(old, new)))
    told = {"changed": found.changed, "harmless": found.harmless, "reworded": found.reworded}
    assert {name: value for name, value in told.items() if value} == {kind: names}


def test_the_order_of_what_runs_at_an_import_counts(tmp_path: Path) -> None:
    """The same statements in another order may do something else."""
    first = "import torch\nSEED = 1\ntorch.manual_seed(SEED)\ndef train(config, run):\n    return SEED\n"
    second = "import torch\ntorch.manual_seed(SEED)\nSEED = 1\ndef train(config, run):\n    return SEED\n"
    found = compare_code(describe(tmp_path, first), describe(tmp_path, second))
    assert found.changed == ("a.py: the order of statements",)


def test_what_the_source_does_not_explain_counts_whole(tmp_path: Path) -> None:
    """A module that was imported though nothing names it, or of a bundle that knows only whole files."""
    before, after = (
        {name: value for name, value in describe(tmp_path, text)["a.py"].items() if name != "reached"}
        for text in (PROJECT, PROJECT.replace("return values", "return 1"))
    )
    assert compare_code({"a.py": before}, {"a.py": after}).changed == ("a.py",)
    old = {name: before[name] for name in ("sha256", "syntax")}
    assert compare_code({"a.py": old}, describe(tmp_path, PROJECT + "x = 1\n")).changed == ("a.py",)
    assert compare_code({}, describe(tmp_path, PROJECT)).changed == ("a.py is not in the bundle",)


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ('    API = "sk-proj-abcdefghijklmnopqrstuvwxyz"', False),
        ("DATA = '{home}/data.pt'", False),
        ("    token = tokenizer(text)", True),
    ],
)
def test_a_diff_that_gives_something_away_is_withheld(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_kept: bool
) -> None:
    """What git has not committed is kept, but for credentials and the user's own paths; its digest stays."""
    home = "/home/of-somebody"
    diff = f"diff --git a/a.py b/a.py\n@@ -1 +1,2 @@\n x = 1\n+{line.format(home=home)}\n"
    answers = {"rev-parse": b"abc\n", "config": b"", "diff": diff.encode()}
    monkeypatch.setattr("reproof.bundle.code._ask_git", lambda _, *arguments: answers[arguments[0]])
    monkeypatch.setenv("HOME", home)
    git = describe_code(tmp_path)["git"]
    assert (git["diff"] == diff, "withheld" in git) == (is_kept, not is_kept)
    assert git["diff_sha256"] == hashlib.sha256(diff.encode()).hexdigest()


def test_only_what_differs_is_shown(tmp_path: Path) -> None:
    """Of a unit that differs, its lines."""
    text = describe(tmp_path, PROJECT, keeps_text=True)["a.py"]["text"]
    lines = find_differing_lines(text, PROJECT.replace("Linear(1, 1)", "Linear(1, 2)"), ["make_model"])
    assert lines == [" def make_model():", "-    return torch.nn.Linear(1, 1)", "+    return torch.nn.Linear(1, 2)"]


def test_code_with_a_credential_is_not_kept(tmp_path: Path) -> None:
    """Its line is named, and not its content."""
    found = describe(tmp_path, f'{PROJECT}\nPASSWORD = "hunter2"\n', keeps_text=True)["a.py"]
    assert "text" not in found
    assert found["withheld"].startswith("line ")
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://3kq7unknownform0token@dev.azure.example/org/x.git", "https://dev.azure.example/org/x.git"),
        ("https://oauth2:glpat-ABCDEFGHIJKLMNOPQRST@git.example/x.git", "https://git.example/x.git"),
        ("https://git.example/a@b/x.git", "https://git.example/a@b/x.git"),
        ("git@git.example:me/x.git", "git@git.example:me/x.git"),
        ("/home/me/x.git", None),
    ],
)
def test_the_address_of_the_repository_has_no_user(url: str, told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token stands in the place of a user as often, without a form by which it could be known."""
    answers = {"rev-parse": b"ab12\n", "config": url.encode()}
    monkeypatch.setattr(code, "_ask_git", lambda _project, *words: answers.get(words[0]))
    assert code._describe_git(Path())["remote"] == told  # type: ignore[index]
