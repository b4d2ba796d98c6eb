"""The packages that a training imported, for an installer: `requirements.txt`, or `pylock.toml` as of PEP 751.

Only what the training had imported is listed: development tools that were installed beside it are not. A lock file
names archives with their digests, which no environment records: pip finds them in its index, and installs nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof._version import __version__
from reproof.bundle.surroundings import find_version
from reproof.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reproof.bundle.records import Bundle

_LEFT_OUT: Final = frozenset({"reproof", "pip", "setuptools"})
_PYTORCH: Final = "https://download.pytorch.org/whl/"
_LABEL: Final = re.compile(r"\+(cpu|cu\d+|rocm[\d.]+|xpu)")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9][\w.!+-]*", re.ASCII)
_RETRY: Final = re.compile(r"Retrying \(.*: \S*/([\w.-]+)/?$")
"""What pip warns of when a connection fails, with the address that it asked for: of a package."""
_INSTEAD: Final = "write requirements.txt instead"
MAX_SECONDS: Final = 600.0
CONNECT_SECONDS: Final = 5
MAX_RETRIES: Final = 2
"""pip warns of each connection that fails; after so many its index is not in reach, whatever else it would ask for."""


def list_requirements(bundle: Bundle) -> list[tuple[str, str]]:
    """Return the packages that the training had imported, each with its version.

    Raises UsageError if the bundle does not tell, or names what no package is called.
    """
    imported: list[str] = bundle.environment.get("imported", [])
    if not imported:
        raise UsageError(f"{bundle.folder} does not tell which packages its training imported", "see environment.yaml")
    found = []
    for name in imported:
        version = find_version(bundle.environment, name)
        if name in _LEFT_OUT or version is None:
            continue
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
            raise UsageError(f"the bundle has {name!r:.60} {version!r:.60} as a package", "see environment.yaml")
        found.append((name, version))
    return found


def spell_requirements(bundle: Bundle) -> str:
    """Return `requirements.txt`, with the index of PyTorch where a version has its label (``2.6.0+cpu``)."""
    packages = list_requirements(bundle)
    labels = sorted({label[1] for _, version in packages if (label := _LABEL.search(version))})
    python = _read_python(bundle)
    lines = [
        f"# What the training {bundle.manifest.entry or 'of a bundle'} imported, under Python {python or 'unknown'};",
        f"# reproof {bundle.manifest.reproof} has recorded it, and is not listed.",
        *(f"--extra-index-url {_PYTORCH}{label}" for label in labels),
        *(f"{name}=={version}" for name, version in packages),
    ]
    return "\n".join(lines) + "\n"


def _read_python(bundle: Bundle) -> str:
    found = re.match(r"\d+\.\d+(\.\d+)?", str(bundle.environment.get("python", {}).get("version", "")))
    return found[0] if found else ""


def write_environment(bundle: Bundle, path: Path) -> None:
    """Write the packages of a bundle into a file: a lock file if its name ends in ``.toml``, else requirements.

    Raises LaunchError if pip does not find the archives; requirements are then written beside the lock file's place;
    UsageError if the file exists. Effects: creates the file. For a lock file pip asks its index, and downloads what it
    needs to know of the archives.
    """
    text = spell_requirements(bundle)
    if path.suffix != ".toml":
        _write_new(path, text)
        return
    _refuse_existing(path)
    try:
        lock = spell_lock(ask_pip(text))
    except LaunchError as error:
        instead = path.with_name("requirements.txt")
        _write_new(instead, text)
        remedy = f"{instead} has the same packages with their versions; {path.name} needs an index: try again with one"
        raise LaunchError(error.problem, remedy) from None
    _write_new(path, lock)


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} exists", "name another file with -o, or remove it")


def _write_new(path: Path, text: str) -> None:
    _refuse_existing(path)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another file with -o") from None


def ask_pip(requirements: str) -> dict[str, Any]:
    """Return what pip would install here, with everything that it depends on.

    Raises LaunchError if pip is not there, does not reach its index, or does not find something.
    """
    with tempfile.TemporaryDirectory(prefix="reproof-env-") as folder:
        listed, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        listed.write_text(requirements, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--only-binary", ":all:"]
        command += ["--quiet", "--retries", "1", "--timeout", str(CONNECT_SECONDS), "--report", str(report)]
        code, said = _follow_pip([*command, "-r", str(listed)])
        if code or not report.is_file():
            if unreached := dict.fromkeys(retry[1] for line in said if (retry := _RETRY.search(line))):
                names = " and ".join(unreached)
                raise LaunchError(f"pip does not reach an index: {names} could not be resolved", _INSTEAD)
            lines = [line for line in said if "ERROR" in line or "No module" in line]
            why = (lines or ["it said nothing"])[-1].strip().removeprefix("ERROR: ")
            raise LaunchError(f"pip finds no archives for this machine: {why}", _INSTEAD)
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return found


def _follow_pip(command: Sequence[str]) -> tuple[int, list[str]]:
    """Run pip and return its exit code and what it said; end it as soon as it does not reach an index."""
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603  # pip, with names and versions that were checked
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as pip:
        patience = threading.Timer(MAX_SECONDS, pip.kill)
        patience.start()
        try:
            for line in pip.stderr or ():
                said.append(line)
                if sum(_RETRY.search(text) is not None for text in said) >= MAX_RETRIES:
                    pip.kill()
            pip.wait()
        finally:
            patience.cancel()
    return pip.returncode, said


def spell_lock(report: Mapping[str, Any]) -> str:
    """Return `pylock.toml` of what pip has found (https://packaging.python.org/en/latest/specifications/pylock-toml/).

    `report` is of ``pip install --report``, version 1. Raises LaunchError if something was found without a digest.
    """
    lines = ['lock-version = "1.0"', f'created-by = "reproof {__version__}"']
    lines.append(f'requires-python = "=={report["environment"]["python_version"]}.*"')
    packages = sorted(report["install"], key=lambda item: str(item["metadata"]["name"]).lower())
    return "\n".join([*lines, *(line for item in packages for line in _spell_package(item))]) + "\n"


def _spell_package(item: Mapping[str, Any]) -> Iterator[str]:
    metadata, download = item["metadata"], item["download_info"]
    hashes: Mapping[str, str] = download.get("archive_info", {}).get("hashes", {})
    name = re.sub(r"[-_.]+", "-", str(metadata["name"])).lower()
    if not hashes:
        raise LaunchError(f"pip tells no digest of {name}", _INSTEAD)
    url = str(download["url"])
    yield from ("", "[[packages]]", f"name = {_quote(name)}", f"version = {_quote(str(metadata['version']))}")
    digests = ", ".join(f"{kind} = {_quote(value)}" for kind, value in sorted(hashes.items()))
    yield f"wheels = [{{ name = {_quote(_read_file_name(url))}, url = {_quote(url)}, hashes = {{ {digests} }} }}]"


def _read_file_name(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(url).path.rpartition("/")[2])


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)  # a basic string of TOML


def count_left_out(bundle: Bundle, packages: Sequence[tuple[str, str]]) -> int:
    """Return how many packages were installed and are not listed."""
    return max(0, len(bundle.environment.get("packages", {})) - len(packages))
