"""Differences of the surroundings are graded."""

from __future__ import annotations

from reproof.bundle.surroundings import grade_environment


def test_surroundings_are_graded_by_what_can_change_numbers() -> None:
    """Threads and imported packages matter; the kernel's release, the zone and other packages do not."""
    original = {
        "torch": {"threads": {"intraop": 2}},
        "packages": {"numpy": "2.0", "black": "24"},
        "imported": ["numpy"],
        "platform": {"release": "6.1"},
        "variables": {},
        "locale": {"ctype": "C"},
    }
    here = {
        "torch": {"threads": {"intraop": 1}},
        "packages": {"numpy": "2.1", "black": "25"},
        "imported": ["numpy"],
        "platform": {"release": "6.2"},
        "variables": {"MKL_CBWR": "COMPATIBLE", "TZ": "UTC"},
        "locale": {"ctype": "de_DE"},
    }
    grades = {row.name: row.grade for row in grade_environment(original, here)}
    assert grades == {
        "torch.threads.intraop": "matters",
        "packages.numpy": "matters",
        "variables.MKL_CBWR": "matters",
        "packages.black": "harmless",
        "platform.release": "harmless",
        "variables.TZ": "harmless",
        "locale.ctype": "harmless",
    }
