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
MAX_SECONDS: Final = 600.0


def list_requirements(bundle: Bundle) -> list[tuple[str, str]]:
    """Return the packages that the training had imported, each with its version.

    Raises:
        UsageError: If the bundle does not tell, or names what no package is called.
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

    Raises:
        LaunchError: If pip does not find the archives.
        UsageError: If the file exists.

    Effects: creates the file. For a lock file pip asks its index, and downloads what it needs to know of the archives.
    """
    if path.exists():
        raise UsageError(f"{path} exists", "name another file with -o, or remove it")
    text = spell_requirements(bundle)
    if path.suffix == ".toml":
        text = spell_lock(ask_pip(text))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another file with -o") from None


def ask_pip(requirements: str) -> dict[str, Any]:
    """Return what pip would install here, with everything that it depends on.

    Raises:
        LaunchError: If pip is not there, or does not find something.
    """
    with tempfile.TemporaryDirectory(prefix="reproof-env-") as folder:
        listed, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        listed.write_text(requirements, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--only-binary", ":all:"]
        command += ["--quiet", "--retries", "1", "--report", str(report), "-r", str(listed)]
        try:
            done = subprocess.run(  # noqa: S603  # pip, with names and versions that were checked
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MAX_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise LaunchError("pip did not answer in time", "write requirements.txt instead") from None
        if done.returncode or not report.is_file():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line or "No module" in line]
            why = (lines or ["it said nothing"])[-1].removeprefix("ERROR: ")
            raise LaunchError(f"pip finds no archives for this machine: {why}", "write requirements.txt instead")
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return found


def spell_lock(report: Mapping[str, Any]) -> str:
    """Return `pylock.toml` of what pip has found (https://packaging.python.org/en/latest/specifications/pylock-toml/).

    Args:
        report: Of ``pip install --report``, version 1.

    Raises:
        LaunchError: If something was found without a digest.
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
        raise LaunchError(f"pip tells no digest of {name}", "write requirements.txt instead")
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
