"""What a user chooses to have compared: values by `reproof.log`, and the files that a training leaves."""

from __future__ import annotations

import importlib
import os
import pickle
import random
import struct
import threading
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import reproof
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Command, Events

TRAINING = """
    import csv, os, sys
    import numpy as np, torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset
    import reproof

    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = TensorDataset(torch.randn(24, 4), torch.randn(24, 1))
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters())
    os.makedirs("out", exist_ok=True)
    with open("out/log.csv", "w", newline="") as file:
        table = csv.writer(file)
        for epoch in range(2):
            for inputs, targets in DataLoader(data, batch_size=8, shuffle=True):
                loss = nn.functional.mse_loss(model(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            score = loss.item() + float(sys.argv[1])
            reproof.log(score=score, per_class=[score, 2 * score], epoch=epoch)
            table.writerow([epoch, loss.item()])
            state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, "out/last.pt")
            print(epoch, score)
    np.savez("out/weights.npz", **{name: value.numpy() for name, value in model.state_dict().items()})
    os.chdir("out")
"""

T = torch.arange(3.0)


def write_script(folder: Path, text: str) -> Path:
    """Write a script and return its path."""
    path = folder / "train.py"
    path.write_text(dedent(text), encoding="utf-8")
    return path


@pytest.mark.slow
class TestUnderReproofRun:
    """A training in fresh processes that logs, and leaves files."""

    def test_two_runs_are_identical(
        self, reproof: Command, tmp_path: Path, read_events: Callable[[Path], Events]
    ) -> None:
        """Though each writes its archives anew; artifacts come after the last step, in the order of their names."""
        write_script(tmp_path, TRAINING)
        for run in ("one", "two"):
            done = reproof("run", "--artifact", "out/*", "--artifact", "*.missing", "-o", run, "train.py", "0")
            assert (done.code, done.foreign_err) == (0, "")
        comparison = compare(tmp_path / "one", tmp_path / "two")
        assert (comparison.first, comparison.structure) == (None, ())
        assert [(s.what, s.why) for s in comparison.skipped] == [("artifact *.missing", "no file matches")]
        events = read_events(tmp_path / "one")
        assert len(events.named("score")) == 2
        kinds = [event.name.split("[")[0] for event in events if event.name.startswith("artifact")]
        order = ["artifact *.missing", "artifact out/last.pt", "artifact out/log.csv", "artifact out/weights.npz"]
        assert list(dict.fromkeys(kinds)) == order
        assert [event.step for event in events if event.name.startswith("artifact")] == [6] * len(kinds)
        assert "artifact out/last.pt['model']['0.weight']" in events.names

    def test_a_logged_value_that_differs_is_shown(self, reproof: Command, tmp_path: Path) -> None:
        """With its step, its stage and both values; the rest of the training is the same."""
        write_script(tmp_path, TRAINING)
        for run, offset in (("one", "0"), ("two", "0.5")):
            assert reproof("run", "-o", run, "train.py", offset).code == 0
        comparison = compare(tmp_path / "one", tmp_path / "two")
        first = comparison.first
        assert first is not None
        assert (comparison.verdict, first.step, first.stage, first.name) == ("diverged", 3, "metric", "score")
        assert float(first.candidate) - float(first.baseline) == pytest.approx(0.5)
        assert [(c.stage, c.differing) for c in comparison.counts if c.differing] == [("metric", 4)]
        shown = reproof("compare", "one", "two")
        assert shown.code == 1
        assert first.baseline in shown.out

    def test_a_run_is_as_without_reproof(self, python: Command, reproof: Command, tmp_path: Path) -> None:
        """Files and output have the same bits, and reading them leaves them as they are."""
        write_script(tmp_path, TRAINING)
        folder = tmp_path / "out"
        plain = python("train.py", "0")
        expected = {path.name: read_content(path) for path in folder.iterdir()}
        recorded = reproof("run", "--artifact", "**", "-o", "run", "train.py", "0")
        assert (
            (recorded.code, recorded.out, recorded.foreign_err)
            == (plain.code, plain.out, plain.err)
            == (0, plain.out, "")
        )
        assert {path.name: read_content(path) for path in folder.iterdir()} == expected
        assert open_trace(tmp_path / "run").header.problems == ()

    def test_a_script_that_never_imports_pytorch(
        self, reproof: Command, tmp_path: Path, read_events: Callable[[Path], Events]
    ) -> None:
        """Its values and files are compared as well; what it logs is what it was then."""
        write_script(
            tmp_path,
            """
            import reproof, sys
            values = [1, 2]
            reproof.log(values=values)
            values.append(sys.argv[1])
            open("table.csv", "w").write("1,2")
            """,
        )
        for run in ("one", "two"):
            done = reproof("run", "--artifact", "*.csv", "-o", run, "train.py", run)
            assert (done.code, done.foreign_err) == (0, "")
        events = read_events(tmp_path / "one")
        assert [(event.name, event.exact) for event in events] == [("values", (1, 2)), ("artifact table.csv", None)]
        assert compare(tmp_path / "one", tmp_path / "two").verdict == "identical"

    def test_values_logged_before_pytorch_is_imported(
        self, reproof: Command, tmp_path: Path, read_events: Callable[[Path], Events]
    ) -> None:
        """They come first."""
        write_script(tmp_path, "import reproof; reproof.log(seed=3); import torch; reproof.log(x=torch.ones(1))")
        assert reproof("run", "-o", "run", "train.py").code == 0
        assert [(event.name, event.exact) for event in read_events(tmp_path / "run")] == [("seed", (3,)), ("x", (1.0,))]

    def test_a_pattern_without_meaning_is_an_error(self, reproof: Command, tmp_path: Path) -> None:
        """Told in one line, before the script runs."""
        write_script(tmp_path, "open('ran', 'w')")
        done = reproof("run", "--artifact", "**.pt", "-o", "run", "train.py")
        assert (done.code, len(done.own_lines), done.foreign_err) == (2, 1, "")
        assert "'**.pt'" in done.err
        assert not (tmp_path / "ran").exists()


compare = reproof.compare
"""By a name that no fixture has."""


def read_content(path: Path) -> Any:
    """Return the bytes of a file, or of each tensor in an archive."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {key: arrays[key].tobytes() for key in arrays.files}
    if path.suffix == ".pt":
        model = torch.load(path, weights_only=True)["model"]
        return {key: value.numpy().tobytes() for key, value in model.items()}
    return path.read_bytes()


class TestLog:
    """`reproof.log` within a recording of this process."""

    @pytest.mark.parametrize(
        ("value", "names", "exact"),
        [
            (0.1, ["x"], (0.1,)),
            (True, ["x"], (True,)),
            (7, ["x"], (7,)),
            (2**70, ["x"], None),
            ("text", ["x"], None),
            (None, ["x"], None),
            ([0.5, 0.25], ["x"], (0.5, 0.25)),
            ((1, 2), ["x"], (1, 2)),
            (T, ["x"], (0.0, 1.0, 2.0)),
            (T.double()[1], ["x"], (1.0,)),
            (T.to(torch.bfloat16), ["x"], None),
            (torch.zeros(300), ["x"], None),
            (np.float32(0.1), ["x"], (struct.unpack("f", struct.pack("f", 0.1))[0],)),
            (np.arange(3), ["x"], (0, 1, 2)),
            (np.array([0.5, 1.5]), ["x"], (0.5, 1.5)),
            (np.ma.masked_array([0.5, 1.5], [False, True]), ["x"], None),
            (T.to_sparse(), ["x"], None),
            (torch.ones(1, requires_grad=True), ["x"], (1.0,)),
            (torch.float32, ["x"], None),
            ({"a": T, "b": [T, {"c": 1}]}, ["x['a']", "x['b'][0]", "x['b'][1]['c']"], (0.0, 1.0, 2.0)),
        ],
        ids=lambda value: None if isinstance(value, (list, tuple)) else str(value)[:20],
    )
    def test_values_are_events_of_their_names(
        self,
        value: Any,
        names: list[str],
        exact: tuple[Any, ...] | None,
        tmp_path: Path,
        read_events: Callable[[Path], Events],
    ) -> None:
        """Any value, in any nesting; small numbers are kept to the bit beside the digest."""
        for run in ("a", "b"):
            with reproof.record(tmp_path / run, level="batches"):
                reproof.log(x=value)
        events = read_events(tmp_path / "a")
        assert (events.names, events[0].exact) == (names, exact)
        comparison = reproof.compare(tmp_path / "a", tmp_path / "b")
        assert (comparison.verdict, [(c.stage, c.compared) for c in comparison.counts]) == (
            "identical", [("metric", len(names))],
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("baseline", "candidate", "shown"),
        [
            (0.1, 0.1 + 2**-55, ("0.1", "0.10000000000000003")),
            (0.0, -0.0, ("0", "-0")),
            (3, 4, ("3", "4")),
            (True, False, None),
            (1, 1.0, None),
            ("a", "b", None),
            (T, T + 1, None),
            ([0.5, 1.0], [0.5, 2.0], None),
        ],
        ids=str,
    )
    def test_a_value_that_differs_is_found(
        self, baseline: Any, candidate: Any, shown: tuple[str, str] | None, tmp_path: Path
    ) -> None:
        """In its value, its sign or its type; numbers are shown."""
        for run, value in (("a", baseline), ("b", candidate)):
            with reproof.record(tmp_path / run):
                reproof.log(same=1, value=value)
        comparison = reproof.compare(tmp_path / "a", tmp_path / "b")
        assert comparison.first is not None
        assert (comparison.verdict, comparison.first.stage, comparison.first.name) == ("diverged", "metric", "value")
        if shown is not None:
            found = comparison.first.baseline, comparison.first.candidate
            assert [float(text) for text in found] == [float(text) for text in shown]
            assert found[0] != found[1]

    def test_values_belong_to_the_step_in_which_they_are_logged(
        self, tmp_path: Path, read_events: Callable[[Path], Events]
    ) -> None:
        """What follows an optimizer's step belongs to the next."""
        parameter = nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([parameter], lr=0.1)
        with reproof.record(tmp_path / "run"):
            for i in range(3):
                reproof.log(before=i)
                parameter.sum().backward()
                optimizer.step()
            reproof.log(after=3)
        events = read_events(tmp_path / "run")
        assert events.named("before").steps == [0, 1, 2]
        assert events.named("after").steps == [3]

    def test_each_recording_has_the_values(self, tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
        """Of several, those that are under way."""
        with reproof.record(tmp_path / "outer"):
            with reproof.record(tmp_path / "inner"):
                reproof.log(x=1)
            reproof.log(y=2)
        reproof.log(z=3)
        assert read_events(tmp_path / "outer").names == ["x", "y"]
        assert read_events(tmp_path / "inner").names == ["x"]

    def test_threads_may_log(self, tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
        """No value is lost or mixed up."""

        def log(thread: int) -> None:
            for i in range(200):
                reproof.log(**{f"thread{thread}": i})

        with reproof.record(tmp_path / "run"):
            threads = [threading.Thread(target=log, args=(i,)) for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        events = read_events(tmp_path / "run")
        for i in range(4):
            assert [event.exact for event in events.named(f"thread{i}")] == [(value,) for value in range(200)]

    def test_what_has_no_known_content_is_named(self, tmp_path: Path) -> None:
        """The training goes on; the runs are not called identical."""
        for run in ("a", "b"):
            with reproof.record(tmp_path / run):
                reproof.log(x=object(), y=1)
        comparison = reproof.compare(tmp_path / "a", tmp_path / "b")
        assert (comparison.verdict, comparison.num_events) == ("inconclusive", 1)
        assert [s.what for s in comparison.skipped] == ["x"]

    def test_an_error_never_reaches_the_training(self, tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
        """It becomes a problem of the trace, and the other values are recorded."""
        with reproof.record(tmp_path / "run"):
            reproof.log(x=Broken(a=1), y=1)
        assert read_events(tmp_path / "run").names == ["y"]
        (problem,) = open_trace(tmp_path / "run").header.problems
        assert "logged value not recorded: RuntimeError: broken" in problem

    def test_compiled_functions_may_log(self, tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
        """What they log is recorded at each call, not once when they are compiled."""

        @torch.compile(backend="eager")
        def compute(x: torch.Tensor) -> torch.Tensor:
            y = x * 2
            reproof.log(inner=y)
            return y + 1

        with reproof.record(tmp_path / "run"):
            for i in range(3):
                compute(torch.tensor(float(i)))
        assert [event.exact for event in read_events(tmp_path / "run").named("inner")] == [(0.0,), (2.0,), (4.0,)]
        assert open_trace(tmp_path / "run").header.problems == ()
        torch.compiler.reset()

    @pytest.mark.parametrize("start", ["fork", "spawn"])
    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
    @pytest.mark.slow
    def test_workers_of_a_loader_log_nothing(
        self, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_events: Callable[[Path], Events]
    ) -> None:
        """They are other processes, and in no order."""
        # A module of its own: a spawned worker could not import this one, which is on no path.
        (tmp_path / f"samples_{start}.py").write_text(LOGGING_SAMPLES)
        monkeypatch.syspath_prepend(tmp_path)
        samples = importlib.import_module(f"samples_{start}").LoggingSamples()
        loader = DataLoader(samples, batch_size=2, num_workers=1, multiprocessing_context=start)
        with reproof.record(tmp_path / "run"):
            batches = list(loader)
        assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3]]
        assert len(read_events(tmp_path / "run").named("index")) == 0

    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
    def test_forked_children_log_nothing(self, tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
        """The trace is their parent's."""
        with reproof.record(tmp_path / "run"):
            child = os.fork()
            if child == 0:
                reproof.log(x=1)
                os._exit(0)
            os.waitpid(child, 0)
            reproof.log(y=1)
        assert read_events(tmp_path / "run").names == ["y"]

    def test_without_a_recording_it_costs_nothing(self, python: Command) -> None:
        """Not even the import of PyTorch."""
        code = "import sys, reproof; reproof.log(x=1); print(sorted({'numpy', 'torch'} & set(sys.modules)))"
        assert python("-c", code).out.strip() == "[]"


class Broken(dict[str, int]):
    """A mapping that cannot be looked at."""

    def items(self) -> NoReturn:
        """Fail."""
        raise RuntimeError("broken")


LOGGING_SAMPLES = """
import reproof
import torch

class LoggingSamples(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        reproof.log(index=index)
        return index
"""


def test_artifacts_and_values_leave_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generators, tensors and the files themselves, down to the time of their last change."""
    monkeypatch.chdir(tmp_path)
    torch.save({"w": T, "p": nn.Parameter(T)}, "x.pt")
    np.savez("x.npz", w=T.numpy())
    Path("x.csv").write_text("1,2", encoding="utf-8")
    logged = torch.randn(3, requires_grad=True)
    before = read_state(logged)
    with reproof.record("run", artifacts=["x.*"]):
        reproof.log(value=logged, python=random, many=[logged, logged])
    assert read_state(logged) == before
    assert open_trace(Path("run")).header.problems == ()


def read_state(tensor: torch.Tensor) -> list[Any]:
    """Return what reading must not change."""
    numpy_state = pickle.dumps(np.random.get_state())  # noqa: NPY002  # the global state
    files = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path().glob("x.*")}
    bits = tensor.detach().numpy().tobytes()
    return [
        random.getstate(),
        numpy_state,
        torch.get_rng_state().tolist(),
        files,
        bits,
        tensor.grad_fn,
        tensor._version,
    ]
