"""Record what is in an artifact: tensors by their names, not the bytes of the archive around them.

An archive holds times and names of storages that differ from one save to the next of the same tensors. Files of other
formats are recorded by their bytes. Nothing in a file is executed: pickles go through PyTorch's restricted unpickler,
and numpy's objects are refused. Left out: which files are read (`paths`).
"""

from __future__ import annotations

import re
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.serialization import load  # at once: a script may replace `torch.load` by one that unpickles anything
from xxhash import xxh3_128

from reproof.digest import ALGORITHM, CannotDigestError
from reproof.digest.hashing import seed_of
from reproof.digest.tensors import reading
from reproof.recorder.artifacts.safetensors_format import read_safetensors
from reproof.recorder.metrics import record_metric
from reproof.schema import Event

if TYPE_CHECKING:
    from reproof.recorder.evidence import EvidenceRecorder

Reader = Callable[[Path], Iterator[tuple[str, Any]]]
"""Yields the parts of a file: how each is called within the file, and its value, or the error that tells why not."""

MAX_IN_MEMORY_BYTES: Final = 32 << 20
"""Larger files are mapped and not read into memory, where their format allows it."""

CHUNK_BYTES: Final = 1 << 20

ZIP_SIGNATURE: Final = b"PK\x03\x04"
PICKLE_SIGNATURES: Final = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
"""How a pickle begins since protocol 2."""

FORBIDDEN: Final = re.compile(r"GLOBAL ([\w.]+)")
"""Where PyTorch names what its restricted unpickler has refused."""

UNPICKLING_ERROR: Final = re.compile(r"WeightsUnpickler error:\s*(.+)")
SENTENCE_END: Final = re.compile(r"\.\s|\.$|\n")


def record_file(evidence: EvidenceRecorder, name: str, path: Path) -> None:
    """Record what a file holds in stage ``metric``; what cannot be read becomes a skipped event.

    The name of a tensor in it adds its key.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
            raise CannotDigestError("it is not a regular file")  # noqa: TRY301  # one place for all reasons
        reader = choose_reader(path)
        if reader is None:
            evidence.record_digest("metric", name, digest_file(path))
            return
        for part, value in reader(path):
            if isinstance(value, Exception):
                _skip(evidence, f"{name}{part}", value)
            else:
                record_metric(evidence, f"{name}{part}", value)
    except Exception as error:  # noqa: BLE001  # whatever a damaged file makes a library raise
        _skip(evidence, name, error)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Read without what the script has set: modes, default device, filters of warnings.

    Effects: within the context, no mode or autograd of PyTorch is on, and no warning is shown.
    """
    with warnings.catch_warnings(), reading(None):
        warnings.simplefilter("ignore")
        yield


def choose_reader(path: Path) -> Reader | None:
    """Return what reads a file of this name, or None for one that is compared by its bytes.

    ``.bin`` and ``.ckpt`` belong to many programs: they are read as PyTorch's if they begin like that.
    """
    suffix = path.suffix.lower()
    if suffix in {".bin", ".ckpt"}:
        return read_pytorch if begins_like_pytorch(path) else None
    return READERS.get(suffix)


def read_pytorch(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield what was given to `torch.save`, as a whole.

    Raises CannotDigestError if it is not a file of `torch.save`, or `torch.load` is not PyTorch's any more; whatever
    PyTorch raises for code, objects and damage in the file.
    """
    if not begins_like_pytorch(path):
        raise CannotDigestError("it was not written by torch.save")
    if getattr(load, "__globals__", None) is not vars(torch.serialization):
        raise CannotDigestError("the script has replaced torch.load, which reads it")
    is_archive, size = read_start(path).startswith(ZIP_SIGNATURE), path.stat().st_size
    if is_archive and (unpacked := measure_unpacked(path)) > size:
        raise CannotDigestError(f"it unpacks to {unpacked} bytes, and torch.save compresses nothing")
    # The archive's pages are read when they are digested, and need no memory of this process.
    is_mapped = is_archive and size > MAX_IN_MEMORY_BYTES
    yield "", load(path, map_location="cpu", weights_only=True, mmap=is_mapped)


def measure_unpacked(path: Path) -> int:
    """Return the bytes of all members of a zip archive, as its directory has them; 0 for one without a directory."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:  # PyTorch says what is wrong
        return 0


def begins_like_pytorch(path: Path) -> bool:
    """Whether a file begins as `torch.save` writes it: an archive since PyTorch 1.6, a bare pickle before."""
    return read_start(path).startswith((ZIP_SIGNATURE, *PICKLE_SIGNATURES))


def read_start(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(len(ZIP_SIGNATURE))


def read_numpy(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the array of an ``.npy`` file, or those of an ``.npz`` archive one after the other.

    Raises whatever numpy raises for objects and damage in the file.
    """
    import numpy as np

    is_large = path.stat().st_size > MAX_IN_MEMORY_BYTES
    loaded = np.load(path, mmap_mode="r" if is_large else None, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        yield "", loaded
        return
    with loaded:
        for key in loaded.files:
            try:
                value = loaded[key]
            except Exception as error:  # noqa: BLE001  # the other arrays may be sound
                value = error
            yield f"[{key!r}]", value


READERS: Final[dict[str, Reader]] = {
    ".npy": read_numpy,
    ".npz": read_numpy,
    ".pt": read_pytorch,
    ".pth": read_pytorch,
    ".safetensors": read_safetensors,
}


def digest_file(path: Path) -> bytes:
    """Return the digest of the bytes of a file, reading a megabyte at a time."""
    hasher = xxh3_128(seed=seed_of("file", ()))
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.digest()


def explain(error: Exception) -> str:
    """Return in one line why a file, or a part of it, could not be read."""
    text = str(error)
    if isinstance(error, CannotDigestError):
        return error.problem
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if (refused := FORBIDDEN.search(text)) is not None:
        return f"it holds code or an object ({refused[1]}), which is not unpickled: save tensors and plain values alone"
    if (told := UNPICKLING_ERROR.search(text)) is not None:
        return f"it is a pickle beyond what PyTorch reads without executing it ({first_sentence(told[1])})"
    first = first_sentence(text)
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def first_sentence(text: str) -> str:
    """Return the first sentence of a message, in one line and without its full stop."""
    return " ".join(SENTENCE_END.split(text.strip(), maxsplit=1)[0].split())


def _skip(evidence: EvidenceRecorder, name: str, error: Exception) -> None:
    evidence.frames.skip(Event(stage="metric", name=name, algorithm=ALGORITHM, skipped=explain(error)))
