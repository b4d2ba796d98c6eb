"""What is in a file that a run has created or changed, by what its content and its name say that it is.

A file that is damaged, or of a format without a reader, is compared by its bytes. Nothing in a file is executed.
Left out: which files a run has created or changed (the recorder).
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from reproof.outputs.formats.archives import ZLIB_STARTS, read_compressed, read_tar, read_zip
from reproof.outputs.formats.arrays import NUMPY_MAGIC, read_npy, read_safetensors
from reproof.outputs.formats.databases import PARQUET_MAGIC, SQLITE_MAGIC, read_parquet, read_sqlite
from reproof.outputs.formats.documents import read_pdf, read_postscript, read_svg
from reproof.outputs.formats.events import read_events
from reproof.outputs.formats.images import JPEG_MAGIC, PNG_MAGIC, read_jpeg, read_png
from reproof.outputs.formats.parts import PartCollector
from reproof.outputs.formats.pickles import read_pickle
from reproof.outputs.formats.text import read_json, read_lines, read_table
from reproof.outputs.formats.torch_files import is_torch_archive, read_legacy, read_torch_zip
from reproof.outputs.records import BYTES, LINES, FileOutput, Part

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.outputs.surroundings import Surroundings

    Reader = Callable[[BinaryIO, PartCollector], None]

MAX_NESTED: Final = 2
"""Archives within archives are opened to this depth: ``run.tar.gz`` with a ``.npz`` in it."""
START_BYTES: Final = 512

UNREAD: Final = {
    ".wandb": "W&B's own log is full of times",
    ".tmp_wandb": "W&B's own log is full of times",
}
"""Formats of trackers without a reader, by the ending of the name."""
UNREAD_FILES: Final = {
    ("mlruns", "meta.yaml"): "MLflow's own record of when a run was made",
    ("wandb", "wandb-metadata.json"): "W&B's own record of where a run was made",
    ("wandb", "wandb-summary.json"): "W&B's own record with its times",
    ("wandb", "debug.log"): "W&B's own log",
    ("wandb", "debug-internal.log"): "W&B's own log",
    ("wandb", "debug-core.log"): "W&B's own log",
}
"""The same by a folder on the way and the name."""


PROFILE: Final = re.compile(rb'\s*\{\s*"(?:traceEvents"|schemaVersion"[^\0]{0,400}"(?:deviceProperties|traceEvents)")')
"""How a profiler's trace for Chrome's viewer begins: that of PyTorch and of others."""


class UnreadError(Exception):
    """A file is not compared, for the reason that this tells."""


class Format(NamedTuple):
    """A format and its reader."""

    name: str
    reader: Reader


def read_contents(path: Path, name: str, surroundings: Surroundings, num_earlier: int = 0) -> FileOutput:
    """Read a file.

    The name is as in what is recorded: relative to the working folder of the run, with ``/``. The first `num_earlier`
    bytes were there before the run, and are no output of a file of lines. Errors of the file system are a reason why
    the file is not compared, and never raised.
    """
    reason = explain_unread(name)
    if reason is not None:
        return FileOutput(name=name, format="unread", not_compared=reason)
    try:
        if path.is_symlink() and not path.is_file():
            return FileOutput(name=name, format="link", parts=read_link(path, surroundings))
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for its other end
            return FileOutput(name=name, format="unread", not_compared="it is not a regular file")
        with path.open("rb") as stream:
            form = choose_format(stream, name) if num_earlier else None
            if form is None or form.name != LINES:
                return _read_stream(stream, name, surroundings)
            stream.seek(num_earlier)
            return _read_stream(io.BytesIO(stream.read()), name, surroundings)
    except OSError as error:
        return FileOutput(name=name, format="unread", not_compared=error.strerror or type(error).__name__)


def read_link(path: Path, surroundings: Surroundings) -> tuple[Part, ...]:
    """Return where a link to a folder, or to nothing, leads, as its only part: ``best -> epoch_12``."""
    parts = PartCollector(surroundings)
    parts.add_text("target", str(path.readlink()))
    return parts.finish()


def explain_unread(name: str) -> str | None:
    """Return why a file is not read: it is a tracker's own, and full of times; None for all others."""
    path = PurePath(name)
    if path.suffix in UNREAD:
        return UNREAD[path.suffix]
    folders = path.parts[:-1]
    return next((why for (folder, last), why in UNREAD_FILES.items() if path.name == last and folder in folders), None)


def _read_stream(stream: BinaryIO, name: str, surroundings: Surroundings) -> FileOutput:
    form = choose_format(stream, name)
    note = None
    if form is not None:
        parts = PartCollector(surroundings)
        try:
            form.reader(stream, parts)
        except UnreadError as error:
            return FileOutput(name=name, format="unread", not_compared=str(error))
        except Exception as error:  # noqa: BLE001  # whatever a damaged file makes a reader raise
            note = f"compared by its bytes: not read as {form.name} ({_explain(error)})"
        else:
            return FileOutput(name=name, format=form.name, parts=parts.finish(), note="; ".join(parts.notes) or None)
    return FileOutput(name=name, format=BYTES, parts=read_bytes(stream, surroundings), note=note)


def read_bytes(stream: BinaryIO, surroundings: Surroundings) -> tuple[Part, ...]:
    """Return the bytes of a file as its only part."""
    stream.seek(0)
    parts = PartCollector(surroundings)
    parts.add_stream("content", stream)
    return parts.finish()


def choose_format(stream: BinaryIO, name: str, depth: int = 0) -> Format | None:
    """Return the format of a file, by how it begins, else by its name; None for what is compared by its bytes.

    Effects: leaves the stream at its start.
    """
    start = stream.read(START_BYTES)
    stream.seek(0)
    if PROFILE.match(start):
        return Format("profile", refuse_profile)
    by_content = _choose_by_content(start, stream, depth)
    if by_content is not None:
        return by_content
    suffix = PurePath(name).suffix.lower()
    if ".tfevents." in name:
        return Format("TensorBoard events", read_events)
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if start.startswith(_PICKLE_STARTS):
        return Format("pickle", read_pickle)
    return Format(LINES, read_lines) if _is_text(start) else None


_BY_CONTENT: Final[tuple[tuple[bytes, Format], ...]] = (
    (NUMPY_MAGIC, Format("NumPy array", read_npy)),
    (PNG_MAGIC, Format("PNG", read_png)),
    (JPEG_MAGIC, Format("JPEG", read_jpeg)),
    (b"%PDF-", Format("PDF", read_pdf)),
    (b"%!PS", Format("PostScript", read_postscript)),
    (SQLITE_MAGIC, Format("SQLite", read_sqlite)),
    (PARQUET_MAGIC, Format("Parquet", read_parquet)),
)
_BY_SUFFIX: Final = {
    ".json": Format("JSON", read_json),
    ".ipynb": Format("JSON", read_json),
    ".csv": Format("table", read_table),
    ".tsv": Format("table", read_table),
    ".svg": Format("SVG", read_svg),
    ".safetensors": Format("safetensors", read_safetensors),
}
_PICKLE_STARTS: Final = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", *ZLIB_STARTS)
_ZIP: Final = b"PK\x03\x04"


def refuse_profile(_stream: BinaryIO, _parts: PartCollector) -> None:
    """Refuse a profiler's trace. Raises UnreadError always."""
    raise UnreadError("the trace of a profiler is full of times")


def _choose_by_content(start: bytes, stream: BinaryIO, depth: int) -> Format | None:
    for magic, form in _BY_CONTENT:
        if start.startswith(magic):
            return form
    if start.startswith(_ZIP):
        if is_torch_archive(_list_zip(stream)):
            return Format("torch.save", read_torch_zip)
        return _nest("zip", read_zip, depth)
    if start.startswith(_COMPRESSED) and not _is_text(start):  # "x^" may begin a text too
        return _nest("compressed", read_compressed, depth)
    if start[257:262] == b"ustar":
        return _nest("tar", read_tar, depth)
    return Format("torch.save", read_legacy) if _is_legacy_torch(start) else None


def _nest(name: str, reader: Callable[..., None], depth: int) -> Format | None:
    """Return an archive whose members are read by their own formats."""
    if depth >= MAX_NESTED:
        return None

    def read_member(member: str, stream: BinaryIO, parts: PartCollector) -> None:
        form = choose_format(stream, member, depth + 1)
        if form is None:
            parts.add_stream("content", stream)
        elif form.reader is read_npy:
            read_npy(stream, parts, PurePath(member).stem)
        else:
            form.reader(stream, parts)

    return Format(name, lambda stream, parts: reader(stream, parts, read_member))


def _list_zip(stream: BinaryIO) -> list[str]:
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.namelist()
    except Exception:  # noqa: BLE001  # whatever a damaged archive makes zipfile raise
        return []
    finally:
        stream.seek(0)


def _is_legacy_torch(start: bytes) -> bool:
    """Whether a pickle begins with the number that older files of `torch.save` begin with."""
    return start.startswith(_PICKLE_STARTS) and start[2:14].endswith(b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"[:10])


def _is_text(start: bytes) -> bool:
    if b"\0" in start:
        return False
    try:
        io.TextIOWrapper(io.BytesIO(start), "utf-8").read()
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4  # a character may be cut off
    return True


def _explain(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:120] if text else type(error).__name__
