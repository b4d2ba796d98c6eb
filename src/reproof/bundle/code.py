"""The code that ran: the project's own modules by their content, and the state of git around them.

A digest of the syntax tree stands beside that of the bytes, so that other comments or other spacing can be told from
other code. Installed packages have a version, which is in the environment.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.reach import find_reached, read_units
from reproof.bundle.syntax import digest_syntax
from reproof.credentials import find_in_code, mask_text
from reproof.environment.git import DIFF, finish_git, start_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

GIT_TIMEOUT_SECONDS: Final = 5.0
MAX_DIFF_BYTES: Final = 256 << 10
MAX_SOURCE_BYTES: Final = 16 << 20

_OUTSIDE: Final = frozenset({"site-packages", "dist-packages", "__pycache__"})
_USER_OF_WEB: Final = re.compile(r"^(https?://)[^/]*@")
_ADDRESS: Final = re.compile(r"(https?|ssh|git)://|[\w.-]+@[\w.-]+:")


def describe_code(project: Path, entry: str | None = None, *, keeps_text: bool = False) -> dict[str, Any]:
    """Return the digests of the project's modules that this process has imported, and of the entry's file.

    Without an entry it is not known what a training reaches; with `keeps_text` the text of the modules is kept, but of
    one that seems to hold a credential. Effects: starts git, where the project lies in a checkout, and waits at most 5
    seconds for it.
    """
    modules = dict(_imported_files(project))
    paths = {path.relative_to(project).as_posix(): path for path in modules}
    if entry is not None:
        name = entry.partition(":")[0]
        paths.setdefault(name, project / name)
    files = describe_sources(paths, entry, keeps_text=keeps_text)
    for path, module in modules.items():
        files.get(path.relative_to(project).as_posix(), {})["module"] = module
    return {"entry": entry, "files": files, "git": _describe_git(project)}


def describe_entry(project: Path, entry: str) -> dict[str, Any] | None:
    """Return what is recorded of a training that the user names for a folder that kept no code; None if it is not here.

    Its file alone is listed: that it may run is known, and not that it is the code which made the folder.
    """
    name = entry.partition(":")[0]
    files = describe_sources({name: project / name}, entry)
    return {"entry": entry, "files": files, "git": None} if files else None


def describe_sources(
    paths: Mapping[str, Path], entry: str | None, *, keeps_text: bool = False
) -> dict[str, dict[str, Any]]:
    """Return what is recorded of source files, by their names within the project; what cannot be read is left out.

    Returns ``sha256``, ``syntax``, and of Python ``units``: a digest of each part at its top. With an entry,
    ``reached`` has those that the training reaches, if it imports the file at all. With texts, ``text``, or
    ``withheld``: why it is not kept.
    """
    contents = {name: content for name, path in sorted(paths.items()) if (content := _read(path)) is not None}
    taken_apart = {name: units for name, content in contents.items() if (units := read_units(content)) is not None}
    reached = {} if entry is None else find_reached(taken_apart, entry)
    files: dict[str, dict[str, Any]] = {}
    for name, content in contents.items():
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "syntax": digest_syntax(content)}
        if name in taken_apart:
            files[name]["units"] = {unit.name: unit.digest for unit in taken_apart[name].units.values()}
        if name in reached:
            files[name]["reached"] = reached[name]
        if keeps_text:
            files[name] |= _keep_text(content)
    return files


def _keep_text(content: bytes) -> dict[str, str]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return {"withheld": "it is no text in UTF-8"}
    lines = find_in_code(text)
    return {"withheld": f"line {lines[0]} looks like a credential"} if lines else {"text": text}


def find_withheld(project: Path, entry: str) -> list[str]:
    """Return which imported modules would not be kept as text, and why."""
    files = describe_code(project, entry, keeps_text=True)["files"]
    return [f"{name}: {item['withheld']}" for name, item in files.items() if "withheld" in item]


def _read(path: Path) -> bytes | None:
    try:
        return None if path.stat().st_size > MAX_SOURCE_BYTES else path.read_bytes()
    except OSError:
        return None


def _imported_files(project: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of the project that are imported, each with the name of its module."""
    own = Path(__file__).resolve().parents[1]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        path = Path(os.path.abspath(file))  # noqa: PTH100  # a link to a module is called as the project calls it
        if path.is_relative_to(project) and not path.is_relative_to(own) and path.is_file():
            inside = path.relative_to(project)
            if not _OUTSIDE & set(inside.parts) and not any(part.startswith(".") for part in inside.parts):
                yield path, name


def _describe_git(project: Path) -> dict[str, Any] | None:
    commit = _ask_git(project, "rev-parse", "HEAD")
    if commit is None:
        return None
    found = {"commit": commit.decode("ascii", "replace").strip(), "remote": _find_remote(project)}
    diff = _ask_git(project, *DIFF)
    if diff is None:
        return {**found, "diff": None, "diff_sha256": None}
    text = diff.decode("utf-8", "replace") if len(diff) <= MAX_DIFF_BYTES else None  # of a larger diff only the digest
    digest = hashlib.sha256(diff).hexdigest()
    if text is not None and _is_private(text):
        return {
            **found,
            "diff": None,
            "diff_sha256": digest,
            "withheld": "a credential, or a path of this user",
        }
    return {**found, "diff": text, "diff_sha256": digest}


def _is_private(diff: str) -> bool:
    """Whether a diff has in it what must not be given away; each of its lines is looked at as code."""
    lines = (line[1:].strip() for line in diff.splitlines())
    return str(Path.home()) in diff or any(find_in_code(line) for line in lines)


def _find_remote(project: Path) -> str | None:
    """Return the address from which others can get the repository; None for a folder of this machine.

    Who is named before the ``@`` of a web address is a token as often as a user, and nobody else's business.
    """
    answer = _ask_git(project, "config", "--get", "remote.origin.url")
    text = "" if answer is None else mask_text(answer.decode("utf-8", "replace").strip())
    text = _USER_OF_WEB.sub(r"\1", text)
    return text if _ADDRESS.match(text) else None


def _ask_git(project: Path, *arguments: str) -> bytes | None:
    return finish_git(start_git(project, arguments), GIT_TIMEOUT_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDifference:
    """How the code of two runs differs.

    Attributes:
        changed: What the training reaches and is other code, as ``file: name``.
        harmless: What is other code, and the training does not reach.
        reworded: Files that differ in comments and spacing alone.
        units: Of each file that has changed, the units; empty for the whole file.
    """

    changed: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    reworded: tuple[str, ...] = ()
    units: dict[str, tuple[str, ...]] = field(default_factory=dict)


def compare_code(original: Mapping[str, Any], here: Mapping[str, Any]) -> CodeDifference:
    """Return how files that ran here differ from those of the bundle.

    Both are ``files`` of `code.json` by name; `here` may also be what a training reaches in a project.
    """
    changed, harmless, reworded = list[str](), list[str](), list[str]()
    units: dict[str, tuple[str, ...]] = {}
    for name, entry in here.items():
        known = original.get(name)
        if known is None:
            is_reached = "units" not in entry or bool(entry.get("reached", ["?"]))
            (changed if is_reached else harmless).append(f"{name} is not in the bundle")
        elif known["syntax"] == entry["syntax"]:
            reworded += [name] if known["sha256"] != entry["sha256"] else []
        else:
            reached, others = _compare_units(known, entry)
            if reached is None:
                changed.append(name)
                units[name] = ()
                continue
            changed += [f"{name}: {unit}" for unit in reached]
            harmless += [f"{name}: {unit}" for unit in others]
            units |= {name: tuple(reached)} if reached else {}
    return CodeDifference(changed=tuple(changed), harmless=tuple(harmless), reworded=tuple(reworded), units=units)


def _compare_units(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[list[str] | None, list[str]]:
    """Return which units of a file differ, those that are reached and others; None for those where it is not known."""
    a, b = first.get("units"), second.get("units")
    if a is None or b is None or "reached" not in second:
        return None, []  # it was imported, and the source does not tell why
    orders: list[list[str]] = [first.get("reached", second["reached"]), second["reached"]]
    reached = {unit for order in orders for unit in order}
    differing = [unit for unit in {**a, **b} if a.get(unit) != b.get(unit)]
    found = [unit for unit in differing if unit in reached]
    if not found and len({tuple(unit for unit in order if unit in a and unit in b) for order in orders}) > 1:
        found = ["the order of statements"]
    return found, [unit for unit in differing if unit not in reached]


def find_differing_lines(first: str, second: str, units: Sequence[str]) -> list[str]:
    """Return a unified diff of some units of a file; of the whole file, if none are named."""
    lines = difflib.unified_diff(_cut_out(first, units), _cut_out(second, units), n=1, lineterm="")
    return [line for line in lines if not line.startswith(("--- ", "+++ ", "@@"))]


def _cut_out(text: str, units: Sequence[str]) -> list[str]:
    lines, found = text.splitlines(), read_units(text.encode())
    spans = [span for unit in units if found and unit in found.units for span in found.units[unit].lines]
    return [line for first, last in spans for line in lines[first - 1 : last]] if spans else lines
