"""How files are mutated, and what guards the time and the memory of whoever reads them."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import resource
import shutil
import signal
import struct
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import pytest

from reproof.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK: Final = 125
"""Mutations of one test."""

NUM_BLOCKS: Final = 160
"""Blocks per subject in `make thorough`: seven subjects make 140,000 mutations."""

MAX_SECONDS: Final = 20
"""Time of the processor that no file of some kilobytes may take, however slow it is."""

MAX_BYTES: Final = 1 << 30
"""Address space that a reader may take beyond what the process has."""

MAX_LINE: Final = 2000
INTERESTING: Final = (0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)
WORDS: Final = (
    *(b"null true false {} [] -1 0 1e999 -0.0 NaN Infinity 1.5 0x1p99999 9223372036854775808".split()),
    b'""', b'"x"', b"9" * 400, b"1" + b"0" * 5000, b"[" * 3000, b'{"a":' * 3000, b'"\\ud800"', b"\xff\xfe",
    b"!!python/name:os",
)  # fmt: skip
TOKEN: Final = re.compile(rb'-?\d+(?:\.\d+)?|"(?:[^"\\]|\\.)*"|null|true|false|\w+')


class TooSlow(BaseException):  # it must pass through `except Exception`, as the end of patience does
    """A reader took longer than any file of this size may take."""


class Finding(NamedTuple):
    """What a command did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class Subject:
    """Something that reproof reads, and what must hold of every mutation of it.

    Attributes:
        name: What failures call it.
        files: What is mutated, as a glob within the folder.
    """

    name = ""
    files = "**/*"

    def make(self, folder: Path) -> None:
        """Make a sound input in a folder."""
        raise NotImplementedError

    def repair(self, folder: Path, path: Path, rng: random.Random) -> None:
        """Perhaps make checksums right again, as whoever forges a file does."""

    def judge(self, folder: Path, sound: Path) -> None:
        """Read a mutated folder in every way, beside the sound one, and assert what must hold."""
        raise NotImplementedError


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one to three changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATORS)(data, rng)
    return data


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    """Change one bit."""
    if not data:
        return b"\0"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """Put an integer at the edge of its type over four or eight bytes."""
    size, code = rng.choice(((4, "<I"), (8, "<Q"), (2, "<H")))
    at = rng.randrange(max(1, len(data) - size)) // size * size
    return data[:at] + struct.pack(code, rng.choice(INTERESTING) % 256**size) + data[at + size :]


def replace_token(data: bytes, rng: random.Random) -> bytes:
    """Put another value in the place of a number, a text or a word."""
    found = list(TOKEN.finditer(data))
    if not found:
        return flip_bit(data, rng)
    start, end = rng.choice(found).span()
    word = str(rng.choice(INTERESTING)).encode() if rng.random() < 0.3 else rng.choice(WORDS)
    return data[:start] + word + data[end:]


def swap_tokens(data: bytes, rng: random.Random) -> bytes:
    """Put one value in the place of another."""
    found = list(TOKEN.finditer(data))
    if not found:
        return flip_bit(data, rng)
    start, end = rng.choice(found).span()
    return data[:start] + rng.choice(found)[0] + data[end:]


def span(data: bytes, rng: random.Random) -> tuple[int, int]:
    """Return where a span of up to 64 bytes lies."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randrange(65))


def delete(data: bytes, rng: random.Random) -> bytes:
    """Take a span away."""
    start, end = span(data, rng)
    return data[:start] + data[end:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """Repeat a span."""
    start, end = span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 500)) + data[end:]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Insert random bytes."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randrange(1, 33)) + data[at:]


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data) + 1)]


def clear(data: bytes, rng: random.Random) -> bytes:
    """Put zeros over a span."""
    start, end = span(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def shuffle_lines(data: bytes, rng: random.Random) -> bytes:
    """Put a line elsewhere, or twice."""
    lines = data.split(b"\n")
    line = rng.choice(lines) if rng.random() < 0.5 else lines.pop(rng.randrange(len(lines)))
    lines.insert(rng.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


MUTATORS: Final = (
    flip_bit, flip_bit, overwrite, replace_token, replace_token, swap_tokens, delete, repeat, insert, truncate, clear,
    shuffle_lines,
)  # fmt: skip


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Stop what takes too long, and let what takes too much memory fail.

    Effects: an alarm and a limit of the process, both taken back.
    """

    def stop(*_: object) -> NoReturn:
        raise TooSlow

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  # no file of ours
        used = int(file.read().split()[0]) * resource.getpagesize()
    handler = signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_BYTES, hard))
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, handler)


def run_command(*arguments: object) -> Finding:
    """Run a command in this process; anything that escapes it is the test's failure."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    found = Finding(int(code or 0), out.getvalue(), re.sub(r"\Apage: .*\n", "", err.getvalue()))
    assert found.code in {0, 1, 2}
    if found.err:
        assert found.code == 2
        assert found.err.startswith("reproof: error: ")
        assert found.err.count("\n") == 1
        assert found.err[:-1].isprintable()
        assert len(found.err) < MAX_LINE
    return found


def fuzz(subject: Subject, numbers: range, folder: Path) -> None:
    """Judge mutations of a subject, each made from its number alone."""
    only = os.environ.get("REPROOF_MUTATION", "").rpartition(":")
    if only[0]:
        numbers = range(int(only[2]), int(only[2]) + 1) if only[0] == subject.name else range(0)
    sound, work = folder / "sound", folder / "mutated"
    sound.mkdir()
    subject.make(sound)
    shutil.copytree(sound, work)
    contents = {
        path.relative_to(sound): path.read_bytes() for path in sorted(sound.glob(subject.files)) if path.is_file()
    }
    for number in numbers:
        rng = random.Random(f"{subject.name} {number}")
        path = rng.choice(list(contents))
        (work / path).write_bytes(mutate(contents[path], rng))
        subject.repair(work, path, rng)
        try:
            with guarded():
                subject.judge(work, sound)
        except (Exception, TooSlow) as error:
            problem = f"mutation {subject.name}:{number}, of {path}: {type(error).__name__}: {error}"
            raise AssertionError(problem) from error
        for path, content in contents.items():
            if (work / path).read_bytes() != content:
                (work / path).write_bytes(content)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests their blocks of mutations: the first always, the others in `make thorough`."""
    if "numbers" in metafunc.fixturenames:
        blocks = [range(block * BLOCK, (block + 1) * BLOCK) for block in range(NUM_BLOCKS)]
        rest = [pytest.param(block, marks=pytest.mark.thorough) for block in blocks[1:]]
        metafunc.parametrize("numbers", [blocks[0], *rest], ids=lambda block: f"{block.start}")


@pytest.fixture(scope="session")
def subject_class() -> type[Subject]:
    """Return what every subject is."""
    return Subject


@pytest.fixture
def fuzzing(tmp_path: Path) -> Callable[[Subject, range], None]:
    """Return what judges a block of mutations of a subject."""
    return lambda subject, numbers: fuzz(subject, numbers, tmp_path)


@pytest.fixture(scope="session")
def command() -> Callable[..., Finding]:
    """Return what runs a command in this process and asserts what holds of every command."""
    return run_command
