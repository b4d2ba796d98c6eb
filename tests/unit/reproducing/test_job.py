"""The folder of a reproduction: made before anything runs, and taken back when nothing comes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import LaunchError, UsageError
from reproof.reproducing import job as job_module
from reproof.reproducing.job import Job, ReproduceRequest, open_job

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _any_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every folder for a verified bundle."""
    manifest = SimpleNamespace(entry=None, imported=False)
    monkeypatch.setattr(job_module, "open_bundle", lambda folder: SimpleNamespace(folder=folder, manifest=manifest))


def begin(tmp_path: Path, **options: Any) -> Any:
    """Open a reproduction of a bundle in this folder."""
    return open_job(ReproduceRequest(bundle=tmp_path / "best", **options), lambda _: None)


def fail(job: Job, error: BaseException) -> None:
    """Fail as a training does that has said something."""
    (job.out / "output.txt").write_text("said")
    raise error


def test_two_at_once_have_folders_of_their_own(tmp_path: Path) -> None:
    """Beside the bundle, by the time; what is made is left."""
    with begin(tmp_path) as first, begin(tmp_path) as second:
        assert first.out != second.out
    assert first.out.parent == tmp_path / "best-reproductions"
    assert first.out.is_dir()
    assert second.out.is_dir()


@pytest.mark.parametrize(("error", "stays"), [(LaunchError("no", "no"), True), (KeyboardInterrupt(), False)])
def test_an_error_leaves_what_was_said_and_an_interruption_nothing(
    tmp_path: Path,
    error: BaseException,
    stays: bool,  # noqa: FBT001  # a parameter
) -> None:
    """The output of a training that failed is what its error points to."""
    with pytest.raises(type(error)), begin(tmp_path) as job:
        fail(job, error)
    assert (job.out / "output.txt").exists() is stays
    assert (tmp_path / "best-reproductions").exists() is stays


def test_an_error_before_anything_was_written_leaves_nothing(tmp_path: Path) -> None:
    """Not even an empty folder."""
    with pytest.raises(LaunchError), begin(tmp_path):
        raise LaunchError("no", "no")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_the_user_has_named_is_never_emptied(tmp_path: Path) -> None:
    """Nor after Ctrl-C."""
    with pytest.raises(KeyboardInterrupt), begin(tmp_path, out=tmp_path / "mine") as job:
        fail(job, KeyboardInterrupt())
    assert (tmp_path / "mine/output.txt").exists()


@pytest.mark.parametrize(
    ("name", "message"), [("best/out", "lies in the bundle"), ("full", "is not empty"), ("file", "is not empty")]
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, name: str, message: str) -> None:
    """Before anything runs."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/kept").touch()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=message), begin(tmp_path, out=tmp_path / name):
        pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("named", "listed", "given", "expected"),
    [
        ("a.py:train", {"a.py": {}}, None, "a.py:train"),
        ("a.py:train", {}, "b.py:train", "b.py:train"),
        (None, {}, "b.py:train", "b.py:train"),
        ("setup.py:main", {"a.py": {}}, None, "code.json does not list that file: .*--entry setup.py:main"),
        ("setup.py:main", {}, None, "code.json does not list that file"),
        (None, {"a.py": {}}, None, "names no training"),
    ],
)
def test_the_training_is_one_that_the_bundle_has_listed_or_the_user_named(
    named: str | None, listed: dict[str, Any], given: str | None, expected: str, tmp_path: Path
) -> None:
    """A bundle alone does not choose which file of a project runs."""
    with begin(tmp_path, entry=given) as job:
        job.bundle.manifest, job.bundle.code = SimpleNamespace(entry=named), {"files": listed}
        if ":" in expected and " " not in expected:
            assert job.check_entry() == expected
        else:
            with pytest.raises(LaunchError, match=expected):
                job.check_entry()
