"""Archives by what is in them: the times, owners and compression of their members mean nothing.

An archive within an archive is opened too, once. Left out: encrypted members, which are compared by their bytes.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from typing import BinaryIO, Final, Protocol, cast

from reproof.outputs.formats.parts import MAX_MEMORY_BYTES, PartCollector, PrefixedCollector
from reproof.outputs.masks import mask_name

ZLIB_STARTS: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""How joblib begins a file that it compresses."""
MAX_MEMBERS: Final = 100_000


class MemberReader(Protocol):
    """Reads one member by its name and content."""

    def __call__(self, name: str, stream: BinaryIO, parts: PartCollector) -> None:
        """Add the parts of a member."""


def read_zip(stream: BinaryIO, parts: PartCollector, read_member: MemberReader) -> None:
    """Read a zip archive member by member, in the order of their names. Raises zipfile.BadZipFile if it is damaged."""
    with zipfile.ZipFile(stream) as archive:
        infos = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
        for info in infos[:MAX_MEMBERS]:
            with archive.open(info) as member:
                _read_one(info.filename, cast("BinaryIO", member), info.file_size, parts, read_member)
        _count(len(infos), parts)


def read_tar(stream: BinaryIO, parts: PartCollector, read_member: MemberReader) -> None:
    """Read a tar archive, compressed or not, member by member, in the order of their names.

    Raises tarfile.TarError if it is damaged.
    """
    with tarfile.open(fileobj=stream) as archive:
        infos = sorted(archive.getmembers(), key=lambda info: info.name)
        for info in infos[:MAX_MEMBERS]:
            if info.isfile() and (member := archive.extractfile(info)) is not None:
                _read_one(info.name, cast("BinaryIO", member), info.size, parts, read_member)
            elif not info.isdir():
                parts.add_value(f"{info.name}: link", info.linkname)
        _count(len(infos), parts)


def read_compressed(stream: BinaryIO, parts: PartCollector, read_member: MemberReader) -> None:
    """Read a file compressed by gzip, zlib, bzip2 or xz: a tar archive or a single file.

    Raises OSError, EOFError, zlib.error, lzma.LZMAError if it is damaged.
    """
    start = stream.read(6)
    stream.seek(0)
    opened = _open_compressed(start, stream)
    with opened:
        data = opened.read(MAX_MEMORY_BYTES + 1)
        if len(data) > MAX_MEMORY_BYTES:
            opened.seek(0)
            parts.add_stream("content", opened)
            return
    content = io.BytesIO(data)
    if _is_tar(data):
        read_tar(content, parts, read_member)
    else:
        read_member("", content, parts)


def _open_compressed(start: bytes, stream: BinaryIO) -> BinaryIO:
    import bz2  # not every Python has these two
    import lzma

    if start.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))
    if start.startswith(ZLIB_STARTS):
        return io.BytesIO(zlib.decompressobj().decompress(stream.read(), MAX_MEMORY_BYTES + 1))
    return cast("BinaryIO", bz2.BZ2File(stream) if start.startswith(b"BZh") else lzma.LZMAFile(stream))


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar"


def _read_one(name: str, stream: BinaryIO, size: int, parts: PartCollector, read_member: MemberReader) -> None:
    shown = f"{mask_name(name, parts.surroundings)}: "
    if size > MAX_MEMORY_BYTES:
        parts.add_stream(f"{shown}content", stream)
        return
    data = stream.read(MAX_MEMORY_BYTES + 1)
    member = PrefixedCollector(parts, shown)
    try:
        read_member(name, io.BytesIO(data), member)
    except Exception:  # noqa: BLE001  # whatever a damaged member makes a reader raise
        parts.add_bytes(f"{shown}content", data)
    else:
        member.deliver()


def _count(number: int, parts: PartCollector) -> None:
    parts.add_value("number of members", number)
