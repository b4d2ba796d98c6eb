"""A file that is mapped while it grows holds what was appended, however it comes to its end."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from reproof.trace import appending
from reproof.trace.appending import MAX_ROOM_BYTES, PLAIN_BYTES, SPARE_BYTES, AppendedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room cannot be allocated ahead here")

BLOCK = bytes(range(1, 256)) * 4


def append_blocks(file: AppendedFile, num_bytes: int) -> bytes:
    """Append at least so many bytes and return them."""
    number = -(-num_bytes // len(BLOCK))
    for _ in range(number):
        file.append(BLOCK)
    return number * BLOCK


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is to be."""
    return tmp_path / "file"


@pytest.fixture
def file(path: Path) -> Iterator[AppendedFile]:
    """Return a file that is open for appending."""
    opened = AppendedFile(path, may_map=True)
    yield opened
    with contextlib.suppress(OSError):  # the test has closed it
        opened.close()


class TestContent:
    """What was appended, and nothing else."""

    def test_a_short_file_has_no_room(self, path: Path, file: AppendedFile) -> None:
        """A short run takes the bytes that it needs."""
        file.append(b"abc")
        file.append(b"")
        file.append(b"def")
        assert path.read_bytes() == b"abcdef"

    def test_a_longer_file_is_followed_by_zeros_until_it_is_closed(self, path: Path, file: AppendedFile) -> None:
        """A reader finds what was appended at once, and after the end at least one record of zeros."""
        expected = append_blocks(file, PLAIN_BYTES + 1)
        for _ in range(3 * PLAIN_BYTES // len(BLOCK)):
            file.append(BLOCK)
            expected += BLOCK
            found = path.read_bytes()
            assert found.startswith(expected)
            assert len(found) >= len(expected) + SPARE_BYTES
            assert not any(found[len(expected) :])
        file.close()
        assert path.read_bytes() == expected

    def test_room_grows_with_the_file_up_to_a_bound(self, path: Path, file: AppendedFile) -> None:
        """The room of a short run is small, that of a long one bounded."""
        expected = b""
        for num_bytes in (PLAIN_BYTES, 4 * PLAIN_BYTES, 2 * MAX_ROOM_BYTES):
            expected += append_blocks(file, num_bytes)
            room = path.stat().st_size - len(expected)
            assert room <= min(len(expected), MAX_ROOM_BYTES) + 2 * resource.getpagesize()
        file.close()
        assert path.read_bytes() == expected

    @pytest.mark.parametrize("size", [PLAIN_BYTES, MAX_ROOM_BYTES + 1, 3 * MAX_ROOM_BYTES])
    def test_one_append_may_be_larger_than_the_room(self, path: Path, file: AppendedFile, size: int) -> None:
        """Of whatever size, it is appended whole."""
        expected = append_blocks(file, PLAIN_BYTES + 1) + bytes(size) + BLOCK
        file.append(bytes(size))
        file.append(BLOCK)
        file.close()
        assert path.read_bytes() == expected

    def test_a_file_that_may_not_be_mapped_never_has_room(self, path: Path) -> None:
        """Its reader could not tell an unfinished end."""
        file = AppendedFile(path, may_map=False)
        expected = append_blocks(file, 2 * PLAIN_BYTES)
        assert path.read_bytes() == expected
        file.close()
        assert path.read_bytes() == expected


class TestWithoutRoom:
    """Where no room is to be had, plain writes serve."""

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EOPNOTSUPP, errno.EFBIG])
    @pytest.mark.parametrize("num_granted", [0, 1])
    def test_the_file_goes_on_without_room(
        self, path: Path, file: AppendedFile, monkeypatch: pytest.MonkeyPatch, code: int, num_granted: int
    ) -> None:
        """A file system that refuses room, at first or later, is written to in plain calls."""
        granted = iter(range(num_granted))

        def allocate(descriptor: int, start: int, length: int) -> None:
            if next(granted, None) is None:
                os.ftruncate(descriptor, start + length // 2)  # what a refusal may leave behind
                raise OSError(code, os.strerror(code))
            os.posix_fallocate(descriptor, start, length)

        monkeypatch.setattr(appending, "os", SimpleNamespace(**{**vars(os), "posix_fallocate": allocate}))
        expected = append_blocks(file, 5 * PLAIN_BYTES)
        assert path.read_bytes() == expected
        file.close()
        assert path.read_bytes() == expected

    def test_a_full_disk_is_an_error_and_no_signal(self, path: Path) -> None:
        """Each byte that fits is written; the first that does not raises, and what was appended before stays."""
        limit = 3 * PLAIN_BYTES + 17
        process = os.fork()
        if process == 0:
            os._exit(fill(path, limit))
        _, status = os.waitpid(process, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        found = path.read_bytes()
        assert len(found) == limit
        assert found == (BLOCK * (limit // len(BLOCK) + 1))[:limit]


def fill(path: Path, limit: int) -> int:
    """Append until the size of files is used up; return 0 if that was an error of the right kind."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    file = AppendedFile(path, may_map=True)
    try:
        append_blocks(file, 10 * limit)
    except OSError as error:
        return 0 if error.errno == errno.EFBIG else 2
    finally:
        file.close()
    return 1


def test_a_forked_child_leaves_the_file_alone(path: Path, file: AppendedFile) -> None:
    """A child that ends in order takes away none of the room in which its parent goes on."""
    expected = append_blocks(file, 2 * PLAIN_BYTES)
    size = path.stat().st_size
    process = os.fork()
    if process == 0:
        file.close()
        os._exit(0)
    os.waitpid(process, 0)
    assert path.stat().st_size == size
    expected += append_blocks(file, PLAIN_BYTES)
    file.close()
    assert path.read_bytes() == expected


def test_an_existing_file_is_refused(path: Path) -> None:
    """Nothing is overwritten."""
    path.write_bytes(b"x")
    with pytest.raises(FileExistsError):
        AppendedFile(path, may_map=True)
    assert path.read_bytes() == b"x"


def test_a_timeout_is_not_taken_for_a_refusal(file: AppendedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler of the program's may raise one while room is made."""

    def interrupt(*_: object) -> None:
        raise TimeoutError("time is up")

    monkeypatch.setattr(file, "_make_room", interrupt)
    with pytest.raises(TimeoutError, match="time is up"):
        append_blocks(file, 2 * PLAIN_BYTES)
