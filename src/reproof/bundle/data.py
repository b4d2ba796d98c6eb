"""Fingerprints of the data that a training used: files by their bytes, arrays by their content, with and without order.

Two digests of each array tell "the same rows in another order" from "other rows", and digests of blocks of rows tell
where a change is. A changed cell looks like rounding in the numbers of a training: only a fingerprint can see it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from xxhash import xxh3_128_digest

from reproof.bundle.manifest import digest_file
from reproof.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NUM_BLOCKS: Final = 128
"""Blocks of rows of which each has a digest of its own."""


def name_data_file(path: Path, project: Path) -> tuple[str, bool]:
    """Return what a bundle calls a data file: its path in the project, or its name alone; and whether it lies in it."""
    absolute = path.resolve()
    inside = absolute.is_relative_to(project)
    return (absolute.relative_to(project).as_posix() if inside else absolute.name), inside


def describe_data_file(path: Path) -> dict[str, Any]:
    """Return the size of a file and its sha256. Raises UsageError if it cannot be read."""
    try:
        return {"bytes": path.stat().st_size, "sha256": digest_file(path)}
    except OSError as error:
        problem = f"cannot read the data file {path}: {error.strerror}"
        raise UsageError(problem, "check the path, or name the folder of the data with --data") from None


def describe_array(array: Any) -> dict[str, Any]:
    """Return the fingerprints of an array, tensor or list of numbers; rows are along its first dimension.

    Returns ``dtype``, ``shape``, ``sha256`` (content in order), ``unordered`` (the same for every order of rows) and
    ``blocks`` (digests of consecutive rows). Raises UsageError if it is none of these, or has elements other than plain
    numbers or text. Effects: copies a tensor from its device.
    """
    dtype, shape, data = _read_bytes(array)
    num_rows = shape[0] if shape else 1
    row_bytes = len(data) // num_rows if num_rows else 0
    view = memoryview(data)
    rows = [xxh3_128_digest(view[i * row_bytes : (i + 1) * row_bytes]) for i in range(num_rows)]
    block = max(1, -(-num_rows // NUM_BLOCKS))
    head = f"{dtype}{list(shape)}".encode()
    return {
        "dtype": dtype,
        "shape": list(shape),
        "sha256": hashlib.sha256(head + data).hexdigest(),
        "unordered": hashlib.sha256(head + b"".join(sorted(rows))).hexdigest(),
        "rows_per_block": block,
        "blocks": [xxh3_128_digest(b"".join(rows[i : i + block])).hex()[:16] for i in range(0, num_rows, block)],
    }


def _read_bytes(array: Any) -> tuple[str, tuple[int, ...], bytes]:
    if type(array).__module__.partition(".")[0] == "torch":
        from reproof.digest import copy_bytes

        return str(array.dtype).removeprefix("torch."), tuple(array.shape), copy_bytes(array) or b""
    if isinstance(array, (list, tuple, range)):
        array = list(array)
        if not all(type(item) in {int, float, str, bool} for item in array):
            raise UsageError("the data are a list of lists or objects", "give an array or a tensor")
        text = "\0".join(item.hex() if isinstance(item, float) else repr(item) for item in array)
        return _list_bytes(array, text)
    if hasattr(array, "to_numpy"):
        array = array.to_numpy()
    if hasattr(array, "dtype") and hasattr(array, "tobytes") and array.dtype.kind in "biufcUSMm":
        return array.dtype.newbyteorder("<").str.lstrip("<|=>"), tuple(array.shape), array.tobytes("C")
    problem = f"data of type {type(array).__name__} have no known content"
    raise UsageError(problem, "give an array or a tensor of numbers")


def _list_bytes(items: list[Any], text: str) -> tuple[str, tuple[int, ...], bytes]:
    if all(type(item) is int and -(2**63) <= item < 2**63 for item in items):
        return "i8", (len(items),), b"".join(item.to_bytes(8, "little", signed=True) for item in items)
    return "list", (), text.encode()


def describe_difference(name: str, original: dict[str, Any], here: dict[str, Any]) -> str | None:
    """Describe how an array differs from the recorded one; None if it is the same."""
    if original["sha256"] == here["sha256"]:
        return None
    if (original["dtype"], original["shape"]) != (here["dtype"], here["shape"]):
        return (
            f"{name} has {here['dtype']} of shape {here['shape']}, "
            f"{original['dtype']} of shape {original['shape']} in the bundle"
        )
    if original["unordered"] == here["unordered"]:
        return f"{name} has the same rows in another order"
    size = original.get("rows_per_block", 1)
    pairs = enumerate(zip(original.get("blocks", []), here.get("blocks", []), strict=False))
    differing = [index for index, (first, second) in pairs if first != second]
    total = original["shape"][0] if original["shape"] else 1
    return f"{name} has other content, {_name_rows(differing, size, total)}"


def _name_rows(blocks: list[int], size: int, total: int) -> str:
    if not blocks:
        return "place unknown"
    last = min(total, (blocks[-1] + 1) * size) - 1
    first = blocks[0] * size
    if len(blocks) == 1:
        return f"in row {first}" if first == last else f"within rows {first} to {last}"
    return f"in {len(blocks)} places, from row {first} to {last}"


def compare_data(original: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Describe how the data of a re-run differ from those of the bundle."""
    found = []
    for name, entry in original.get("files", {}).items():
        other = here.get("files", {}).get(name)
        if other is not None and other["sha256"] != entry["sha256"]:
            found.append(f"the file {name} has other bytes")
        elif other is None:
            found.append(f"the file {name} was not read here")
    for name, entry in original.get("arrays", {}).items():
        other = here.get("arrays", {}).get(name)
        text = f"{name} was not used here" if other is None else describe_difference(name, entry, other)
        if text is not None:
            found.append(text)
    more = here.get("arrays", {}).keys() - original.get("arrays", {}).keys()
    return [*found, *(f"{name} is used here alone" for name in sorted(more))]
