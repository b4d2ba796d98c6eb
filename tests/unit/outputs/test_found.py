"""Which file of one run is that of another under a later number."""

from __future__ import annotations

import pytest

from reproof.outputs.found import find_numbered
from reproof.outputs.records import UNTOUCHED, FileOutput, RunOutput
from reproof.outputs.surroundings import Surroundings


def run(written: str, *found: str) -> RunOutput:
    """Return a run that wrote one file and left others as it found them."""
    known = Surroundings(began_at=0, ended_at=1, folder="/work")
    files = (FileOutput(name=written, format="bytes"), *(FileOutput(name=name, format=UNTOUCHED) for name in found))
    return RunOutput(surroundings=known, files=files)


@pytest.mark.parametrize(
    ("earlier", "later", "found", "are_paired"),
    [
        pytest.param("runs/exp1/w.pt", "runs/exp2/w.pt", ("runs/exp1/",), True, id="looked for the folder"),
        pytest.param("log_1.txt", "log_3.txt", ("log_1.txt", "log_2.txt"), True, id="looked for files"),
        pytest.param("r0.txt", "r1.txt", ("./*",), True, id="listed"),
        pytest.param("../runs/9/w.pt", "../runs/10/w.pt", ("/runs/*",), True, id="listed elsewhere"),
        pytest.param("c/e=0-s=6.ckpt", "c/e=0-s=6-v1.ckpt", ("c/e=0-s=6.ckpt",), True, id="none before"),
        pytest.param("out/log.tar.gz", "out/log (2).tar.gz", ("out/log.tar.gz",), True, id="none before an ending"),
        pytest.param("run/w.pt", "run_1/w.pt", ("run/",), True, id="a folder of none before"),
        pytest.param("run_09/w", "run_10/w", ("run_09/",), True, id="of as many digits"),
        pytest.param("a.ckpt", "a-v3.ckpt", ("a.ckpt", "a-v1.ckpt", "a-v2.ckpt"), True, id="none before, and others"),
        pytest.param("a.ckpt", "a-v3.ckpt", ("a.ckpt",), False, id="passed over what may not have been taken"),
        pytest.param("m_3.pt", "m_7.pt", ("m_3.pt",), False, id="passed over numbers"),
        pytest.param("best_3.pt", "best_4.pt", ("best_3.pt",), False, id="a number that is chosen"),
        pytest.param("out/fold1/w", "out/fold2/w", ("out/fold1/",), False, id="a folder of a number that is chosen"),
        pytest.param("w.pt", "w-v1.pt", (), False, id="none before, and looked for nothing"),
        pytest.param("w.pt", "wide1.pt", ("w.pt",), False, id="none before, and another name"),
        pytest.param("epoch_3.pt", "epoch_4.pt", (), False, id="looked for nothing"),
        pytest.param("epoch_3.pt", "epoch_7.pt", ("./*",), False, id="not the next one"),
        pytest.param("epoch_4.pt", "epoch_3.pt", ("./*",), False, id="an earlier one"),
        pytest.param("runs/exp1/w1.pt", "runs/exp2/w2.pt", ("runs/exp1/",), False, id="two numbers"),
        pytest.param("runs/exp1/w.pt", "runs/test2/w.pt", ("runs/exp1/",), False, id="another name"),
    ],
)
def test_numbered_names(earlier: str, later: str, found: tuple[str, ...], *, are_paired: bool) -> None:
    """A later number counts if the run has seen that the earlier one was taken; whichever run is the baseline."""
    assert find_numbered(run(earlier), run(later, *found)) == ({later: earlier} if are_paired else {})
    assert find_numbered(run(later, *found), run(earlier)) == ({earlier: later} if are_paired else {})


def test_a_name_that_could_be_of_two_is_of_none() -> None:
    """Several trainings in one run."""
    first = RunOutput(surroundings=None, files=tuple(FileOutput(name=f"r{n}", format="bytes") for n in (1, 2)))
    assert find_numbered(first, run("r3", "r1", "r2")) == {}
