"""`bundle.json` and the check that a folder is exactly what it says, before anything else of it is read.

Refused by name: a file that the manifest does not list, one that is missing, a symbolic link or any other special file,
a path that is absolute or leads out of the folder, a kind of file that no bundle has, other bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.numbers import read_margins
from reproof.bundle.records import (
    BEST_WEIGHTS,
    CODE,
    CONFIG,
    DATA,
    ENVIRONMENT,
    FORMAT,
    FORMAT_VERSION,
    JOBLIB_SCALER,
    LAST_WEIGHTS,
    MANIFEST,
    REFERENCE,
    SCALER,
    SIGNATURE,
    TRACE,
    TRIAL,
    FileEntry,
    Manifest,
)
from reproof.errors import BundleError
from reproof.trace.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_MANIFEST_BYTES: Final = 4 << 20
MAX_JSON_BYTES: Final = 64 << 20
MAX_FILES: Final = 10_000
MAX_DEPTH: Final = 4
CHUNK_BYTES: Final = 1 << 20

COPY_AGAIN: Final = "nothing of it was used; get the bundle again from whoever made it"
REQUIRED: Final = (CONFIG, TRIAL)
KNOWN: Final = frozenset({
    CONFIG, TRIAL, ENVIRONMENT, CODE, DATA, REFERENCE, SCALER, JOBLIB_SCALER, BEST_WEIGHTS, LAST_WEIGHTS,
})  # fmt: skip

_TRACE_FILE: Final = re.compile(rf"{TRACE}/(run\.json|rank\d{{1,5}}\.\w{{1,16}}|[\w-]{{1,60}}\.(json|\w{{1,16}}))")
_PATH: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,99}(/[A-Za-z0-9][\w.-]{0,99}){0,3}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ENTRY: Final = re.compile(r"[\w.-]+(/[\w.-]+)*\.py:[A-Za-z_]\w*", re.ASCII)
_KEY: Final = re.compile(r"\w+(\.\w+)*", re.ASCII)


def refuse(folder: Path, why: str) -> BundleError:
    """Return the error that refuses a bundle."""
    return BundleError(f"bundle {folder} is refused: {why}", COPY_AGAIN, slug="bundle-refused")


def quote(text: object) -> str:
    """Return a short printable form of a text from a file that is not trusted."""
    return ascii(text if isinstance(text, str) else repr(text))[:100]


def verify_folder(folder: Path) -> Manifest:
    """Check that a folder holds exactly what its manifest lists, to the byte, and return the manifest.

    Raises BundleError naming the first thing that is wrong.
    """
    manifest = read_manifest(folder)
    listed = {entry.path: entry for entry in manifest.files}
    found = dict(walk_folder(folder))
    for path in sorted(found.keys() - listed.keys() - {MANIFEST, SIGNATURE}):
        raise refuse(folder, f"{quote(path)} is not listed in {MANIFEST}")
    for path in sorted(listed.keys() - found.keys()):
        raise refuse(folder, f"{quote(path)} is missing")
    for path, entry in sorted(listed.items()):
        if found[path] != entry.num_bytes:
            raise refuse(folder, f"{path} has {found[path]} bytes, not the {entry.num_bytes} of {MANIFEST}")
        if digest_file(folder / path) != entry.sha256:
            raise refuse(folder, f"the bytes of {path} were changed: its sha256 is not the one of {MANIFEST}")
    return manifest


def walk_folder(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield path and size of every file below a folder.

    Raises BundleError if there is anything but files and folders, or too much of it.
    """
    pending = [("", 0)]
    count = 0
    while pending:
        prefix, depth = pending.pop()
        for entry in _scan(folder, prefix):
            count += 1
            if count > MAX_FILES or depth > MAX_DEPTH:
                raise refuse(folder, "it has more files or folders than any bundle")
            path = f"{prefix}{entry.name}"
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                raise refuse(folder, f"{quote(path)} is a symbolic link")
            if stat.S_ISDIR(mode):
                pending.append((f"{path}/", depth + 1))
            elif stat.S_ISREG(mode):
                yield path, entry.stat(follow_symlinks=False).st_size
            else:
                raise refuse(folder, f"{quote(path)} is neither a file nor a folder")


def _scan(folder: Path, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder / prefix) as entries:
            return list(entries)
    except OSError as error:
        raise BundleError(
            f"cannot read the bundle {folder}: {error.strerror}", "name a folder that reproof has written"
        ) from None


def digest_file(path: Path) -> str:
    """Return the sha256 of a file, read a megabyte at a time."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def describe_file(folder: Path, path: str) -> FileEntry:
    """Return the entry of a file of a bundle that is being written."""
    return FileEntry(path=path, num_bytes=(folder / path).stat().st_size, sha256=digest_file(folder / path))


def read_listed(folder: Path, entry: FileEntry, limit: int) -> bytes:
    """Return the bytes of a file after checking their digest again, as the file may have changed since.

    Raises BundleError if they have changed since, or are more than `limit`.
    """
    if entry.num_bytes > limit:
        raise refuse(folder, f"{entry.path} has {entry.num_bytes} bytes, more than {limit}")
    content = (folder / entry.path).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise refuse(folder, f"{entry.path} was changed while it was read")
    return content


def read_manifest(folder: Path) -> Manifest:
    """Read `bundle.json`; nothing else is looked at.

    Raises BundleError if there is none, or it is foreign, damaged or newer.
    """
    path = folder / MANIFEST
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise refuse(folder, f"{MANIFEST} is no regular file")
        if status.st_size > MAX_MANIFEST_BYTES:
            raise refuse(folder, f"{MANIFEST} has {status.st_size} bytes, more than {MAX_MANIFEST_BYTES}")
        content = path.read_bytes()
    except OSError:
        problem = f"{folder} is not a bundle: it has no {MANIFEST}" if folder.exists() else f"there is no {folder}"
        raise BundleError(
            problem, "name a folder that a search wrote, or bring one of others in with `reproof bundle import`"
        ) from None
    data = parse_json(content, MANIFEST)
    if data.get("format") != FORMAT:
        raise BundleError(f"{path} is not the manifest of a bundle", "name a folder that a search wrote")
    try:
        return _read_fields(folder, Fields(data))
    except ValueError as error:
        raise refuse(folder, f"in {MANIFEST}, {error}") from None


def parse_json(content: bytes, source: str) -> dict[str, Any]:
    """Return the object that a JSON file holds; duplicate keys, NaN and infinity are refused.

    Raises BundleError if it holds anything else.
    """
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:120]
        raise BundleError(f"{source} is no readable JSON ({why})", COPY_AGAIN) from None
    if not isinstance(value, dict):
        raise BundleError(f"{source} holds no object", COPY_AGAIN)
    return value


def dump_json(value: dict[str, Any]) -> bytes:
    """Return JSON with sorted keys: the same value is the same bytes."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _read_fields(folder: Path, fields: Fields) -> Manifest:
    version = fields.number("format_version", minimum=1)
    if version > FORMAT_VERSION:
        raise BundleError(f"bundle {folder} has format {version}, newer than {FORMAT_VERSION}", "update reproof")
    files = tuple(_read_entry(item) for item in fields.take("files", list))
    _check_files(files)
    entry = None if fields.is_null("entry") else check_entry(fields.text("entry"))
    if not _KEY.fullmatch(fields.text("seed_key")):
        raise fields.wrong("seed_key")
    weights = fields.take("weights", dict)
    if not all(name in {"best", "last"} and _is_sha256(digest) for name, digest in weights.items()):
        raise fields.wrong("weights")
    alpha = fields.take("alpha", float)
    if not 0 < alpha < 0.5:  # noqa: PLR2004  # a level of significance
        raise fields.wrong("alpha")
    return Manifest(
        entry=entry,
        seed_key=fields.text("seed_key"),
        files=files,
        weights=weights,
        margins=read_margins(fields.take("margins", dict)),
        alpha=alpha,
        created=fields.text("created"),
        reproof=fields.text("reproof"),
        imported=fields.take("imported", bool),
    )


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _read_entry(item: Any) -> FileEntry:
    fields = Fields(item)
    entry = FileEntry(path=fields.text("path"), num_bytes=fields.number("bytes"), sha256=fields.text("sha256"))
    path = entry.path
    if path.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", path):
        raise ValueError(f"the path {quote(path)} is absolute")
    if ".." in re.split(r"[/\\]", path):
        raise ValueError(f"the path {quote(path)} leads out of the bundle")
    if not _PATH.fullmatch(path):
        raise ValueError(f"the path {quote(path)} is none that a bundle has")
    if not (path in KNOWN or _TRACE_FILE.fullmatch(path)):
        raise ValueError(f"{quote(path)} is a file that no bundle has")
    if not _SHA256.fullmatch(entry.sha256):
        raise ValueError(f"the sha256 of {quote(path)} is {quote(entry.sha256)}")
    return entry


def _check_files(files: tuple[FileEntry, ...]) -> None:
    paths = [entry.path for entry in files]
    if len({path.lower() for path in paths}) < len(paths):
        raise ValueError("a file is listed twice")
    if len(paths) > MAX_FILES:
        raise ValueError(f"{len(paths)} files are listed")
    for path in REQUIRED:
        if path not in paths:
            raise ValueError(f"{path} is not listed")


def check_entry(entry: str) -> str:
    """Return the name of a training if it can be one.

    Raises ValueError if it is absolute, leads out of the project or is not a ``path/to/file.py:function``.
    """
    if not _ENTRY.fullmatch(entry) or any(part.startswith(".") for part in entry.partition(":")[0].split("/")):
        raise ValueError(f"the entry {quote(entry)} is no path/to/file.py:function within a project")
    return entry
