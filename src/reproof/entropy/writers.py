"""Hear of the files that compiled code writes: Python's audit hooks do not, so the functions that start it are tapped.

Left out: libraries without a row here, and folders that a library fills.
"""

from __future__ import annotations

import functools
import inspect
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import wrapt

from reproof.entropy.replacing import liken

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Writer(NamedTuple):
    """A function that has compiled code write a file.

    Attributes:
        module: Module that it is found in.
        name: Its name there, with its class if it is a method.
        argument: Its argument that tells which file; at `position` if it has no signature.
        position: Where that stands.
        only_if: The argument after it, without which it writes nothing; empty if it always does.
    """

    module: str
    name: str
    argument: str
    position: int = 1
    only_if: str = ""


WRITERS: Final = (
    Writer("torch.jit", "save", "f"),
    Writer("torch.jit._script", "RecursiveScriptModule.save", "f"),
    Writer("torch.package", "PackageExporter.__init__", "f"),
    Writer("torch.export", "save", "f"),
    Writer("torch", "from_file", "filename", 0, "shared"),
    Writer("torch", "UntypedStorage.from_file", "filename", 0, "shared"),
    Writer("pandas", "DataFrame.to_parquet", "path"),
    Writer("pandas", "DataFrame.to_feather", "path"),
    Writer("pandas", "DataFrame.to_orc", "path"),
    Writer("pyarrow.parquet", "ParquetWriter.__init__", "where"),
    Writer("pyarrow.feather", "write_feather", "dest"),
    Writer("pyarrow.csv", "write_csv", "output_file"),
    Writer("pyarrow.orc", "ORCWriter.__init__", "where"),
    Writer("polars", "DataFrame.write_parquet", "file"),
    Writer("polars", "DataFrame.write_csv", "file"),
    Writer("polars", "DataFrame.write_ipc", "file"),
    Writer("h5py", "File.__init__", "name"),
    Writer("cv2", "imwrite", "filename", 0),
    Writer("soundfile", "write", "file", 0),
    Writer("xgboost", "Booster.save_model", "fname"),
    Writer("lightgbm", "Booster.save_model", "filename"),
)


def follow_writers(note: Callable[[Any], None]) -> None:
    """Have a function called with the path of each file that one of `WRITERS` is about to write. It must not raise.

    Effects: replaces these functions for the life of the process, once their modules are imported.
    """
    for writer in WRITERS:
        wrapt.when_imported(writer.module)(functools.partial(_tap, writer, note))


def _tap(writer: Writer, note: Callable[[Any], None], module: ModuleType) -> None:
    owner: Any = module
    first, *rest = writer.name.split(".")
    original = vars(module).get(first)  # a module that is loaded when it is asked for something is not asked
    name = first
    for name in rest:
        owner, original = original, getattr(original, name, None)
    if original is None or not callable(original):
        return

    @functools.wraps(original)
    def write(*args: Any, **kwargs: Any) -> Any:
        path, condition = (
            kwargs.get(argument, args[position] if len(args) > position else None)
            for argument, position in ((writer.argument, writer.position), (writer.only_if, writer.position + 1))
        )
        writes = condition if writer.only_if else not _is_read(original, args, kwargs)
        if writes and isinstance(path, (str, bytes, os.PathLike)):
            note(path)
        return original(*args, **kwargs)

    try:
        setattr(owner, name, liken(write, original))
    except (AttributeError, TypeError):  # a class that is compiled itself
        return


def _is_read(original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a file is opened to be read, by its argument ``mode``, if there is such a thing."""
    try:
        bound = inspect.signature(original).bind(*args, **kwargs)
    except (TypeError, ValueError):  # the function says so itself, or has no signature
        return False
    bound.apply_defaults()
    return bound.arguments.get("mode") == "r"
