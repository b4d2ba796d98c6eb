"""What programs print is in a ledger as a digest, or as it is where an experiment may have to give it back."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.interception import Interceptor
from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.entropy.printed import forget_printed
from reproof.entropy.sources import programs

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-of-a-helper"  # noqa: S105  # what is searched for
KEPT = [[f"{SECRET}\n", None], [[f"{SECRET}\n"], None], f"{SECRET}\n", [f"{SECRET}\n"]]


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the tapped functions back."""
    monkeypatch.setattr(subprocess.Popen, "communicate", subprocess.Popen.communicate)
    monkeypatch.setattr(os, "popen", os.popen)


def ask(folder: Path, plan: Plan) -> tuple[list[Any], list[Any]]:
    """Ask programs in each way that is tapped; return what they printed, and what the ledger has of it."""
    interceptor = Interceptor(folder, "0", plan)
    programs.install(interceptor)
    program = [sys.executable, "-IS", "-c", f"print({SECRET!r})"]
    text = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True).stdout
    data = subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout
    with os.popen(f"echo {SECRET}") as stream:  # noqa: S605  # a word of our own
        whole = stream.read()
    with os.popen(f"echo {SECRET}") as stream:  # noqa: S605  # as above
        lines = list(stream)
    interceptor.flush()
    noted = [source.values for source in read_ledgers(folder)["0"].values()]
    return [text, data, whole, lines], [value for values in noted for value in values]


@pytest.mark.usefixtures("as_before")
def test_a_plain_run_keeps_digests_and_a_check_forgets(tmp_path: Path) -> None:
    """The text is in no file of a plain run, nor of a check that has ended, and both have the same digests."""
    folders = [tmp_path / name for name in ("plain", "check", "experiment")]
    for folder in folders:
        folder.mkdir()
    plain, check, experiment = folders
    printed, digests = ask(plain, Plan())
    assert printed == [f"{SECRET}\n", f"{SECRET}\n".encode(), f"{SECRET}\n", [f"{SECRET}\n"]]
    assert ask(check, Plan(keeps_printed=True)) == (printed, KEPT)
    ledger = check / "rank0.entropy"
    with ledger.open("a", encoding="utf-8") as file:
        file.write(f'[[0,["{SECRET}')  # a kill has torn it
    forget_printed(tmp_path)
    assert [source.values[0] for source in read_ledgers(check)["0"].values()] == digests
    assert ledger.stat().st_mode & 0o777 == 0o600
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert ask(experiment, Plan(baseline=str(check))) == (printed, digests)  # there is nothing to replay: it is asked


@pytest.mark.usefixtures("as_before")
def test_of_long_output_the_digest_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be replayed, and is compared all the same."""
    monkeypatch.setattr(programs, "MAX_CHARACTERS", 10)
    assert ask(tmp_path, Plan(keeps_printed=True))[1] == ask(tmp_path, Plan())[1] != KEPT


def test_other_sources_and_ledgers_stay_as_they_are(tmp_path: Path) -> None:
    """Only what programs have printed is forgotten, to the byte."""
    places = '{"place":0,"key":"time.time@a.py:3","source":"time.time"}\n[[0,1.5],[-1,3],[0,[1,"two"]]]\n'
    more = '{"note":"unused","key":"random@start"}\n'
    (tmp_path / "rank0.entropy").write_text(places, encoding="utf-8")
    (tmp_path / "rank0.1.entropy").write_text(
        places + '{"place":1,"key":"os.popen@a.py:4","source":"os.popen"}\n[[1,"x"],[0,2]]\n' + more, encoding="utf-8"
    )
    forget_printed(tmp_path)
    assert (tmp_path / "rank0.entropy").read_text(encoding="utf-8") == places
    kept = (tmp_path / "rank0.1.entropy").read_text(encoding="utf-8")
    assert kept.startswith(places)
    assert kept.endswith(more)
    assert '"x"' not in kept
