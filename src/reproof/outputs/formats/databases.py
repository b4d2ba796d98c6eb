"""SQLite databases, row by row; Parquet tables, column by column where pyarrow is installed."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, Final

from reproof.outputs.formats.parts import read_all
from reproof.outputs.records import digest_text

if TYPE_CHECKING:
    import sqlite3

    from reproof.outputs.formats.parts import PartCollector

SQLITE_MAGIC: Final = b"SQLite format 3\0"
PARQUET_MAGIC: Final = b"PAR1"
MAX_ROWS: Final = 1_000_000
_WAL_FLAGS: Final = slice(18, 20)


def read_sqlite(stream: BinaryIO, parts: PartCollector) -> None:
    """Read the rows of each table in the order of their row numbers. The database is opened in memory, never the file.

    Raises sqlite3.Error if it is damaged; ValueError if it is too large, or Python is older than 3.11.
    """
    import sqlite3  # not every Python has it

    data = bytearray(read_all(stream))
    data[_WAL_FLAGS] = b"\1\1"  # what a write-ahead log still holds is a file of its own
    with closing(sqlite3.connect(":memory:")) as database:
        if sys.version_info < (3, 11):
            raise ValueError("Python 3.10 opens no database in memory")
        database.deserialize(bytes(data))
        database.execute("pragma trusted_schema = off")
        database.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        _read_tables(database, parts)


def _read_tables(database: sqlite3.Connection, parts: PartCollector) -> None:
    tables = database.execute("select name, sql from sqlite_master where type = 'table' order by name").fetchall()
    for table, sql in tables:
        parts.add("table " + table, digest_text(str(sql)), str(sql))
        cursor = database.execute(f'select * from "{table.replace(chr(34), chr(34) * 2)}"')  # noqa: S608  # quoted
        columns = [column[0] for column in cursor.description]
        for number, row in enumerate(cursor, start=1):
            if number > MAX_ROWS:
                raise ValueError(f"more than {MAX_ROWS} rows")
            parts.add_row(f"{table} row {number}", zip(columns, map(_show, row), strict=True))


def _show(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def read_parquet(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a Parquet table row by row.

    Raises ImportError if pyarrow is not installed; the file is then compared by its bytes; whatever pyarrow raises for
    a damaged file.
    """
    from pyarrow import parquet

    file = parquet.ParquetFile(stream)
    parts.add_value("columns", str(file.schema_arrow.remove_metadata()))
    number = 0
    for batch in file.iter_batches(batch_size=4096):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            number += 1
            parts.add_row(f"row {number}", zip(batch.schema.names, map(_show_exactly, row), strict=True))


def _show_exactly(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
