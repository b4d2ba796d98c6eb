"""What a certificate says to others."""

from __future__ import annotations

from reproof.reproducing.certificate import without_folders


def test_folders_of_this_machine_are_not_named() -> None:
    """Not the whole path of project or home, wherever it stands in a text; a longer name is another folder."""
    folders = {"/home/me/p/out": "OUT", "/home/me/p": ".", "/home/me": "~", "/": "root"}
    told = {
        "a": ["/home/me/p/points.csv", "the same, in /home/me/p", "/home/me/pp/x"],
        "b": ("see /home/me/p/out/t: 1/2", 1.5, None),
    }
    assert without_folders(told, folders) == {
        "a": ["./points.csv", "the same, in .", "~/pp/x"],
        "b": ["see OUT/t: 1/2", 1.5, None],
    }
