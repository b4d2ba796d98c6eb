"""The machine is described as its kernel does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.environment import host
from reproof.environment.host import format_ranges

if TYPE_CHECKING:
    from pathlib import Path


def test_processors_of_both_kinds_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Model and numeric instruction sets are read as x86 and ARM kernels write them; without the file, unknown."""
    x86 = "model name\t: Some CPU @ 2GHz\nflags\t\t: fpu smep avx avx2 fma avx512f\n\nmodel name\t: Other\n"
    for text, model, isa in (
        (x86, "Some CPU @ 2GHz", ["avx", "avx2", "avx512f", "fma"]),
        ("Features\t: fp asimd sve2 sme\nCPU part\t: 0xd40\n", "0xd40", ["asimd", "sme", "sve2"]),
    ):
        monkeypatch.setattr(host, "CPU_INFO", tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text(text)
        cpu = host.describe_host()["cpu"]
        assert (cpu["model"], cpu["isa"]) == (model, isa)

    monkeypatch.setattr(host, "CPU_INFO", tmp_path / "missing")
    assert host.describe_host()["cpu"]["isa"] is None


@pytest.mark.parametrize(("numbers", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 5, 7, 8], "0-2,5,7-8")])
def test_processor_numbers_are_written_as_ranges(numbers: list[int], text: str) -> None:
    """Neighbours are joined."""
    assert format_ranges(numbers) == text
