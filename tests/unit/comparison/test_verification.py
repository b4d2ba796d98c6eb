"""Damaged traces are not called identical, whatever their size."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from reproof.cli import main
from reproof.comparison import compare, verification
from reproof.errors import TraceError
from reproof.trace import RankTrace, open_trace
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pair(run: Any, say: Any) -> tuple[Path, Path]:
    """Return two runs that are equal in every bit, numbers included."""
    steps = [[say.order("", 1, i), say.data(f"d{i}", 1, 2, statistics=(0.5, i)), say.label(i, i)] for i in range(5)]
    return run("a", *steps), run("b", *steps)


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every trace count as too large to be verified unasked."""
    monkeypatch.setattr(verification, "VERIFIED_BYTES", 0)


def flip_bits(path: Path, stride: int = 1) -> Iterator[int]:
    """Change one bit after the other in what follows the header, or every so many, each in the right content."""
    data = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for bit in range(8 * fmt.HEADER_BYTES, 8 * len(data), stride):
            os.pwrite(file.fileno(), bytes([data[bit // 8] ^ (1 << bit % 8)]), bit // 8)
            yield bit
            os.pwrite(file.fileno(), data[bit // 8 : bit // 8 + 1], bit // 8)


def is_refused(a: Path, b: Path, **options: Any) -> bool:
    """Whether a comparison ends in the one-line error for damage."""
    with pytest.raises(TraceError) as caught:
        compare(a, b, **options)
    return caught.value.slug == "trace-damaged" and "\n" not in str(caught.value)


class TestSmallTraces:
    """They are verified whole."""

    def test_each_flipped_bit_is_found(self, pair: tuple[Path, Path]) -> None:
        """Of digests, values and frames: compared with another run or with the trace that it is a copy of."""
        assert compare(*pair).is_verified
        for part in ("digests", "values"):
            assert all(is_refused(*pair) for _ in flip_bits(pair[1] / f"rank0.{part}", 5))
        assert compare(*pair).verdict == "identical"

    def test_each_flipped_bit_of_a_record_is_found(self, pair: tuple[Path, Path]) -> None:
        """An error, or, where the last frame then looks like a cut one, no verdict."""
        for _ in flip_bits(pair[1] / "rank0.frames", 5):
            try:
                assert compare(*pair).verdict == "inconclusive"
            except TraceError as error:
                assert "\n" not in str(error)  # noqa: PT017  # either may happen

    def test_digests_that_no_checksum_explains(self, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the chains say that frames are equal, and each trace says that it is sound."""
        monkeypatch.setattr(RankTrace, "verify", lambda *_, **__: None)
        for _ in zip(flip_bits(pair[1] / "rank0.digests"), range(3), strict=False):
            assert is_refused(*pair)

    def test_the_baseline_is_verified_too(self, pair: tuple[Path, Path]) -> None:
        """Whichever of them is damaged."""
        for _ in zip(flip_bits(pair[0] / "rank0.digests"), range(128), strict=False):
            assert is_refused(*pair)


@pytest.mark.usefixtures("unverified")
class TestLargeTraces:
    """Their digests are read, and their checksums only if that is asked for."""

    def test_each_flipped_bit_of_a_digest_is_found(self, pair: tuple[Path, Path]) -> None:
        """Though the chains are equal, which is all that bisection looks at."""
        assert all(is_refused(*pair) for _ in flip_bits(pair[1] / "rank0.digests"))

    def test_an_unverified_verdict_says_so(self, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
        """In its first line and in JSON; --verify verifies."""
        told = []
        for options in ((), ("--verify",), ("--json", "-"), ("--json", "-", "--verify")):
            with pytest.raises(SystemExit):
                main(["compare", *map(str, pair), *options])
            told.append(capsys.readouterr().out)
        assert told[0].splitlines()[0].endswith("; checksums not verified")
        assert "checksums not verified" not in told[1]
        assert [json.loads(text)["verified"] for text in told[2:]] == [False, True]

    def test_damaged_numbers_are_found_when_asked_for(self, pair: tuple[Path, Path]) -> None:
        """They decide nothing: unasked, the verdict stands and is told to be unverified."""
        for _ in zip(flip_bits(pair[1] / "rank0.values"), range(128), strict=False):
            found = compare(*pair)
            assert (found.verdict, found.is_verified) == ("identical", False)
            assert is_refused(*pair, verify=True)


class TestFlags:
    """Flags and steps that no writer writes, under right checksums."""

    @pytest.mark.parametrize(
        "frames",
        [
            [(0, 1), (1, 4), (2, 1)],
            [(0, 1), (1, 2), (2, 1)],
            [(0, 1), (1, 3), (2, 1)],
            [(0, 1), (1, 0), (2, 1)],
            [(0, 1), (1, 1), (1, 1)],
            [(0, 1), (2, 1), (1, 1)],
        ],
        ids=["unknown", "ends the run alone", "ends the run too early", "missing", "twice", "backwards"],
    )
    def test_each_is_refused(self, frames_writer: Any, tmp_path: Path, say: Any, frames: list[tuple[int, int]]) -> None:
        """By verification, and so by a comparison of small traces."""
        folder = frames_writer(tmp_path / "odd", [(step, flags, [say.data(f"d{step}")]) for step, flags in frames])
        with pytest.raises(TraceError, match=r"frame [012] "):
            open_trace(folder).verify()
        assert is_refused(folder, folder)
