"""Which line is suspected of reading what an earlier run left, and with which files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.entropy.ledger import Source
from reproof.explain.laboratory import lay_over
from reproof.explain.leftovers import collect_leftovers, find_next_files
from reproof.explain.suspects import DISK, Suspect, rank

if TYPE_CHECKING:
    from pathlib import Path


def read(what: str, line: int, *files: str, step: int = 0) -> Source:
    """Return the reads of one line."""
    return Source(
        key=f"{what}@a.py:{line}",
        kind="state-on-disk",
        source=what,
        file="a.py",
        line=line,
        values=list(files),
        steps=[step] * len(files),
    )


def collect(overlay: Path | None, *sources: Source, last_step: int = 0) -> list[Suspect]:
    """Return the suspects, likeliest first."""
    ledger = {source.key: source for source in sources}
    return rank(collect_leftovers({"0": ledger}, overlay, last_step), last_step)


def make(folder: Path, *names: str) -> Path:
    """Make files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_each_line_has_its_files_and_the_last_read_comes_first(tmp_path: Path) -> None:
    """Run numbers are read when a run begins; a file nobody was seen to read may have been read by compiled code."""
    overlay = make(tmp_path, "kept/number.txt", "kept/a.npy", "kept/b.npy", "log.txt")
    found = collect(overlay, read("open", 3, "kept/number.txt"), read("open", 9, "kept/a.npy", "kept/b.npy"))
    assert [(suspect.line, suspect.files) for suspect in found] == [
        (9, ("kept/a.npy", "kept/b.npy")),
        (3, ("kept/number.txt",)),
        (None, ("log.txt",)),
    ]
    assert [suspect.key for suspect in found] == [f"{DISK}:open@a.py:9", f"{DISK}:open@a.py:3", DISK]


def test_content_tells_more_than_existence_and_that_more_than_a_listing(tmp_path: Path) -> None:
    """Each file belongs to the one line that tells most of it."""
    overlay = make(tmp_path, "kept/a.npy", "kept/done", "kept/c.npy")
    reads = (
        read("os.listdir of earlier files", 1, "kept"),
        read("os.stat", 2, "kept/a.npy", "kept/done"),
        read("open", 3, "kept/a.npy"),
    )
    found = {suspect.line: suspect.files for suspect in collect(overlay, *reads)}
    assert found == {1: ("kept/c.npy",), 2: ("kept/done",), 3: ("kept/a.npy",)}


def test_a_line_that_reads_the_last_file_left_would_read_the_others_next(tmp_path: Path) -> None:
    """Once the last is gone; not those of another folder, and not by another line."""
    overlay = make(tmp_path, "kept/1.pt", "kept/2.pt", "kept/3.pt", "other/1.pt")
    found = collect(overlay, read("os.listdir of earlier files", 1, "kept", "other"), read("open", 3, "kept/3.pt"))
    assert {suspect.line: suspect.files for suspect in found} == {
        1: ("kept/1.pt", "kept/2.pt", "other/1.pt"),
        3: ("kept/3.pt",),
    }
    listing, opening = sorted(found, key=lambda suspect: suspect.line or 0)
    second = read("open", 3, "kept/2.pt")
    listed = set(listing.files)
    assert find_next_files(opening, listed, {"0": {second.key: second}}, 0) == ("kept/1.pt", "kept/2.pt")
    assert find_next_files(opening, listed, {"0": {"open@a.py:4": read("open", 4, "kept/2.pt")}}, 0) == ()
    assert find_next_files(opening, listed, {}, 0) == ()


def test_a_library_that_opens_what_the_line_names_speaks_against_nothing() -> None:
    """As `torch.load` and `numpy.load` do: the line is likelier than who lists the folder."""
    opened = replace(read("open", 9, "kept/3.pt"), through="torch")
    found = collect(None, read("os.listdir of earlier files", 1, "kept"), opened)
    assert next(suspect.line for suspect in found) == 9


def test_what_is_read_after_the_divergence_is_no_suspect(tmp_path: Path) -> None:
    """Its files are those that no line was seen to read before."""
    overlay = make(tmp_path, "a.npy")
    assert [suspect.key for suspect in collect(overlay, read("open", 3, "a.npy", step=4), last_step=3)] == [DISK]
    assert [suspect.line for suspect in collect(overlay, read("open", 3, "a.npy", step=4), last_step=4)] == [3]


def test_without_an_overlay_the_reads_tell_the_files() -> None:
    """Files outside of the folder have no copies."""
    assert [suspect.files for suspect in collect(None, read("open", 3, "/tmp/a.npy"))] == [("/tmp/a.npy",)]  # noqa: S108
    assert collect(None) == []


def test_files_are_left_out_of_an_overlay(tmp_path: Path) -> None:
    """What is left out stays as it was, in its own folder alone."""
    overlay = make(tmp_path / "overlay", "a.txt", "kept/a.txt", "kept/b.txt")
    folder = tmp_path / "folder"
    (folder / "kept").mkdir(parents=True)
    (folder / "kept" / "a.txt").write_text("before")
    lay_over(overlay, folder, frozenset({"kept/a.txt"}))
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.txt")}
    assert found == {"a.txt": "a.txt", "kept/a.txt": "before", "kept/b.txt": "kept/b.txt"}


def test_a_link_makes_room_for_a_file_and_is_not_written_through(tmp_path: Path) -> None:
    """Nor is a link in the way of a link, as `latest` that a run leads elsewhere, or a folder in that of a file."""
    overlay = make(tmp_path / "overlay", "a.txt", "linked/b.txt", "was_folder")
    folder = make(tmp_path / "folder", "was_folder/c.txt")
    elsewhere = make(tmp_path / "elsewhere", "a.txt", "b.txt")
    (elsewhere / "a.txt").write_text("the user's")
    (overlay / "latest").symlink_to("step_2")
    (folder / "latest").symlink_to("step_1")
    (folder / "a.txt").symlink_to(elsewhere / "a.txt")
    (folder / "linked").symlink_to(elsewhere)
    lay_over(overlay, folder, frozenset())
    assert str((folder / "latest").readlink()) == "step_2"
    copied = ["a.txt", "linked/b.txt", "was_folder"]
    assert [(folder / name).read_text() for name in copied] == copied
    assert (elsewhere / "a.txt").read_text() == "the user's"
