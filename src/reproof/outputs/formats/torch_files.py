"""Files of `torch.save`, read without PyTorch: the pickle by `pickles`, and the storages of its tensors beside it.

Since PyTorch 1.6 a file is a zip archive: ``data.pkl``, ``data/N`` per storage, and ``.data/serialization_id``, which
differs as soon as a date in the file does. Before, it was several pickles, then the storages under names that are
addresses. Of a storage, what the tensor covers is compared and not what lies around it.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from xxhash import xxh3_128

from reproof.legacy.restricted_pickle import PickledName
from reproof.outputs.formats.parts import CHUNK_BYTES, MAX_MEMORY_BYTES, read_all
from reproof.outputs.formats.pickles import AnyMachine, Built, Persistent, Walker

if TYPE_CHECKING:
    from reproof.outputs.formats.parts import PartCollector

DATA: Final = "data.pkl"
IGNORED: Final = (".data/serialization_id", "byteorder", "version", ".format_version", ".storage_alignment")
LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
_REBUILD: Final = "torch._utils._rebuild_tensor"
_PARAMETER: Final = "torch._utils._rebuild_parameter"
_ITEM_BYTES: Final = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1, "Bool": 1,
    "ComplexDouble": 16, "ComplexFloat": 8, "QInt8": 1, "QUInt8": 1, "QInt32": 4, "Untyped": 1,
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1, "complex128": 16, "complex64": 8, "float8_e4m3fn": 1,
    "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
}  # fmt: skip


def is_torch_archive(names: list[str]) -> bool:
    """Whether the members of a zip archive are those of `torch.save`, or of a model that was scripted."""
    return any(name.endswith("/" + DATA) for name in names)


def read_torch_zip(stream: BinaryIO, parts: PartCollector) -> None:
    """Read an archive of `torch.save`: tensors and values by their names, other members by their bytes.

    Raises whatever a damaged archive or pickle makes its reader raise.
    """
    with zipfile.ZipFile(stream) as archive:
        infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        root = next(name for name in infos if name.endswith("/" + DATA)).removesuffix(DATA)
        if infos[root + DATA].file_size > MAX_MEMORY_BYTES:
            raise ValueError("a pickle too large")
        storages = _ZipStorages(archive, root)
        Walker(parts, storages.read_tensor).walk(AnyMachine(archive.read(root + DATA)).run_program())
        for name in sorted(infos.keys() - storages.read - {root + DATA}):
            if name.startswith(root) and not name.endswith(IGNORED):
                with archive.open(name) as member:
                    parts.add_stream(name.removeprefix(root), member)  # type: ignore[arg-type]


def read_legacy(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a file of `torch.save` before PyTorch 1.6, or without its zip format.

    Raises whatever a damaged file makes its reader raise.
    """
    machine = AnyMachine(read_all(stream))
    if machine.run_next() != LEGACY_MAGIC:
        raise ValueError("not a file of torch.save")
    machine.run_next()
    machine.run_next()
    value = machine.run_next()
    keys: Any = machine.run_next()
    storages = _LegacyStorages()
    storages.sizes = _find_item_bytes(value)
    for key in keys:
        count = int.from_bytes(machine.read_rest(8), "little")
        storages.content[key] = machine.read_rest(count * storages.sizes.get(key, 1))
    Walker(parts, storages.read_tensor).walk(value)


class _Storages:
    """Digests tensors whose storages are found by their keys."""

    def copy(self, key: str, start: int, size: int, hasher: xxh3_128) -> None:
        """Hash so many bytes of a storage."""
        raise NotImplementedError

    def read_tensor(self, value: Built) -> tuple[str, str] | None:
        """Return digest and description of a tensor, or None for what is none."""
        if value.name == _PARAMETER and value.arguments and isinstance(value.arguments[0], Built):
            return self.read_tensor(value.arguments[0])
        if not value.name.startswith(_REBUILD):
            return None
        match value.arguments:
            case (Persistent(identity=("storage", PickledName() as kind, str() as key, _, int(), *_)),
                  int() as offset, tuple() as shape, tuple() as strides, *rest):  # fmt: skip
                dtype = next((item.text for item in rest if isinstance(item, PickledName)), kind.text)
                return self._digest(key, dtype, offset, shape, strides)
            case _:
                return None

    def _digest(
        self, key: str, dtype: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> tuple[str, str]:
        name = short_dtype(dtype)
        width = _ITEM_BYTES.get(name)
        if width is None:
            raise ValueError(f"a tensor of {dtype}")
        steps = zip(shape, strides, strict=True)
        covered = 0 if 0 in shape else 1 + sum((size - 1) * stride for size, stride in steps)
        hasher = xxh3_128(f"{name} {shape} {strides} ".encode())
        self.copy(key, offset * width, covered * width, hasher)
        return hasher.hexdigest(), f"{name} {list(shape)}"


class _ZipStorages(_Storages):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self.read: set[str] = set()
        self._archive = archive
        self._root = root

    def copy(self, key: str, start: int, size: int, hasher: xxh3_128) -> None:
        name = f"{self._root}data/{key}"
        self.read.add(name)
        with self._archive.open(name) as member:
            member.seek(start)
            while size > 0:
                chunk = member.read(min(size, CHUNK_BYTES))
                if not chunk:
                    raise ValueError("a storage that is cut off")
                hasher.update(chunk)
                size -= len(chunk)


class _LegacyStorages(_Storages):
    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}

    def copy(self, key: str, start: int, size: int, hasher: xxh3_128) -> None:
        content = self.content[key][start : start + size]
        if len(content) != size:
            raise ValueError("a storage that is cut off")
        hasher.update(content)


def short_dtype(name: str) -> str:
    """Return the type of elements from the name of a class of storages or of a dtype."""
    last = name.rpartition(".")[2]
    return last.removesuffix("Storage")


def _find_item_bytes(value: object) -> dict[str, int]:
    """Return how many bytes an element of each storage has, by the keys of the storages."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    todo = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Persistent):
            match item.identity:
                case ("storage", PickledName() as kind, str() as key, *_):
                    found[key] = _ITEM_BYTES.get(short_dtype(kind.text), 1)
        elif isinstance(item, Built):
            todo += [*item.arguments, *item.items, *item.states, *(one for pair in item.pairs for one in pair)]
        elif isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple, set, frozenset)):
            todo += item
    return found
