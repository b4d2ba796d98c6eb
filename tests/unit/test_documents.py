"""What the documents name is there: modules, files, commands, options and pages."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import click
import pytest

import reproof
from reproof.cli.main import group

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("tests/*.md")])
FOLDERS = ("benchmarks", "changelog.d", "docs", "examples", "src", "tests")
"""Folders whose files are named by their paths from the root of the project."""

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def find_code(page: Path) -> list[str]:
    """Return what stands in back-quotes on a page, and the lines of its blocks of code."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?^```", text, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        text = text.replace(block, "")
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE)
    return [*re.findall(r"`([^`\n]+)`", text), *lines]


def is_defined(name: str) -> bool:
    """Whether a dotted name is a module of reproof, one of its public names, or a name that a module defines."""
    parts = name.split(".")[1:]
    if parts[0] in reproof.__all__:
        return True
    for count in range(len(parts), 0, -1):
        path = ROOT / "src" / "reproof" / Path(*parts[:count])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                text = file.read_text(encoding="utf-8")
                return all(re.search(rf"\b{part}\b", text) for part in parts[count:])
    return False


def find_command(words: list[str]) -> click.Command | None:
    """Return the command of reproof's that some words call, or None if there is none."""
    context = click.Context(group)
    command: click.Command = group
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        if found is None:
            return None
        command = found
    return command


@pages
def test_each_module_exists(page: Path) -> None:
    """What is written as `reproof.room.module` or `reproof.room.name` is found."""
    names = {
        name
        for code in find_code(page)
        for name in re.findall(r"(?<![\w./-])reproof(?:\.[a-z_]\w*)+", code, re.IGNORECASE)
    }
    assert sorted(name for name in names if not is_defined(name)) == []


@pages
def test_each_file_exists(page: Path) -> None:
    """What is written as a path below one of the project's folders is a file or folder there."""
    folders = "|".join(map(re.escape, FOLDERS))
    paths = {
        path
        for code in find_code(page)
        for path in re.findall(rf"(?<![\w./-])(?:{folders})/[\w./-]+(?![\w./<-])", code)
    }
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


@pages
def test_each_page_that_is_linked_exists(page: Path) -> None:
    """A link to another file of the project finds it."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = {link for link in links if not re.match(r"\w+:", link)}
    assert sorted(link for link in local if not (page.parent / link).exists()) == []


@pages
def test_each_command_and_option_exists(page: Path) -> None:
    """What is written as `reproof COMMAND` is a command, and takes the options that stand before a script's name."""
    wrong = []
    for code in find_code(page):
        match = re.match(r"(?:\$ )?reproof ([a-z][\w-]*(?: .*)?)", code)
        if match is None:
            continue
        words = match[1].split()
        command = find_command(words)
        options = {name for parameter in command.params for name in parameter.opts} if command else set()
        given = {
            word.partition("=")[0] for word in takewhile(lambda word: word != "--" and not word.endswith(".py"), words)
        }
        if command is None or {word for word in given if re.fullmatch(r"--[a-z][\w-]+", word)} - options - {"--help"}:
            wrong.append(code)
    assert wrong == []
