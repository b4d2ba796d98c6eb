"""What an earlier run left outside of the working folder is found, hidden, and named as a cause."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command


def test_files_of_earlier_runs_are_noted_and_hidden(
    write: Callable[[str], None], reproof: Command, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Until the run writes them itself; files that were there long before stay to be seen."""
    other = tmp_path_factory.mktemp("other")
    for name in ("old", "left", "kept"):
        (other / name).write_text(name)
    os.utime(other / "old", (1e9, 1e9))
    time.sleep(0.1)
    write(f"""
        import os
        from pathlib import Path
        other = Path({str(other)!r})
        found = [name for name in ("old", "left", "kept", "never") if os.path.exists(other / name)]
        try:
            print(found, (other / "left").read_text())
        except FileNotFoundError as error:
            print(found, error.errno, error.filename == str(other / "left"))
        (other / "left").write_text("mine")
        print((other / "left").read_text(), (other / "left").exists())
        (other / "left").write_text("left")
        os.utime(other / "left", (float(os.environ["LEFT"]),) * 2)
    """)
    left = time.time() - 0.1
    os.utime(other / "left", (left, left))

    def run(name: str, *hidden: str) -> str:
        plan = Plan(since=left - 60, hides=tuple(str(other / one) for one in hidden))
        (tmp_path / "plan.json").write_text(json.dumps({"plan": plan.to_json(), "probes": None}))
        done = reproof("run", "-o", name, "--experiment", "plan.json", "train.py", LEFT=str(left))
        assert done.code == 0, done.err
        return done.out

    assert run("a") == "['old', 'left', 'kept'] left\nmine True\n"
    assert run("b", "left") == "['old', 'kept'] 2 True\nmine True\n"
    for name in "ab":
        sources = read_ledgers(tmp_path / name)["0"].values()
        noted = {source.source: source for source in sources if source.kind == "state-on-disk"}
        assert noted["os.stat"].values == [str(other / "left"), str(other / "kept")]
        assert noted["open"].values == [str(other / "left")]


@pytest.mark.slow
def test_state_in_the_users_cache_is_a_cause(
    write: Callable[[str], None], reproof: Command, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """It is confirmed by hiding it while all else is replayed."""
    write("""
        import os, time, torch
        from pathlib import Path
        torch.manual_seed(0)
        torch.set_num_threads(1)
        print(time.time())
        kept = Path(os.environ["HOME"], ".cache", "scale.txt")
        scale = float(kept.read_text()) if kept.exists() else 1.0
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            loss = (model(torch.ones(2, 3)) * scale).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(str(scale / 2))
    """)
    home = tmp_path_factory.mktemp("home")
    cache = tmp_path_factory.mktemp("cache")
    done = reproof("check", "--json", "r.json", "train.py", HOME=str(home), XDG_CACHE_HOME=str(cache))
    found = json.loads((tmp_path / "r.json").read_text())
    assert (done.code, found["verdict"]) == (1, "diverged")
    cause = found["causes"][0]
    assert (cause["kind"], cause["line"], cause["confirmed"]) == ("state-on-disk", 8, True)
    assert len(found["experiments"]) == 2
