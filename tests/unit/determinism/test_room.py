"""`deterministic` makes a process deterministic, says what holds, and leaves no trace of itself."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.utils.deterministic

import reproof
from reproof.determinism import (
    ConditionState,
    conditions,
    deterministic,
    make_generator,
    request,
    restore_rng_states,
    rng_states,
    seed_worker,
    variables,
)
from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCUMENTATION = Path(__file__).resolve().parents[3] / "docs" / "determinism.md"
MEMORY: Any = torch.utils.deterministic
BACKENDS: Any = torch.backends
OPERATORS = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul")


class LeavingTheBlockError(Exception):
    """What the tests raise to leave a block early."""


def find_operator(name: str) -> Any:
    """Return the part of `torch.backends` that holds the precision of an operator."""
    backend, operator = name.split(".")
    return getattr(getattr(BACKENDS, backend), operator)


def ask_old_interface(read: Callable[[], object]) -> object:
    """Return what the old interface of float32 precision answers, or that it refuses to."""
    try:
        return read()
    except RuntimeError:
        return "refuses: mix of the legacy and new APIs"


def read_everything() -> dict[str, Any]:
    """Read all state that `deterministic` touches, by means of PyTorch alone; generators as comparable values."""
    _, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    return {
        "algorithms": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": MEMORY.fill_uninitialized_memory,
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "threads": torch.get_num_threads(),
        "precision": [find_operator(name).fp32_precision for name in OPERATORS],
        "generic precision": BACKENDS.fp32_precision,
        "matmul": ask_old_interface(torch.get_float32_matmul_precision),
        "cublas_tf32": ask_old_interface(lambda: torch.backends.cuda.matmul.allow_tf32),
        "cudnn_tf32": ask_old_interface(lambda: torch.backends.cudnn.allow_tf32),
        "environment": {name: os.environ.get(name) for name in ("PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG")},
        "random": random.getstate(),
        "numpy": (keys.tobytes(), position, has_gauss, gauss),
        "torch": (torch.get_rng_state().numpy().tobytes(), torch.initial_seed()),
    }


def draw() -> tuple[float, ...]:
    """Draw from each global generator, normal numbers too: they keep a second one in store."""
    torch_normal = torch.randn(3).tolist()
    return (random.random(), random.gauss(0, 1), *np.random.standard_normal(3), *torch_normal)  # noqa: NPY002


def train(seed: int) -> list[bytes]:
    """Train a small net with shuffling and dropout; return the bits of its parameters."""
    deterministic(seed)
    data = torch.utils.data.TensorDataset(torch.randn(32, 4), torch.randn(32, 1))
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(net.parameters())
    for inputs, targets in torch.utils.data.DataLoader(data, batch_size=8, shuffle=True):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(inputs), targets).backward()
        optimizer.step()
    return [parameter.detach().numpy().tobytes() for parameter in net.parameters()]


def read_condition(name: str) -> ConditionState:
    """Return one condition of this process."""
    return next(condition for condition in conditions() if condition.name == name)


def run_python(code: str, *options: str, **changes: str | None) -> Any:
    """Run code in a fresh Python with changed environment variables (None: removed); return the JSON that it prints."""
    names = {"PYTHONHASHSEED", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {name: value for name, value in changes.items() if value is not None}
    package = Path(reproof.__file__).parents[1]  # python -I ignores PYTHONPATH
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n{textwrap.dedent(code)}"
    command = [sys.executable, *options, "-c", code]
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)


@pytest.fixture(autouse=True)
def _give_back() -> Iterator[None]:
    """Undo by hand, without the code under test, what plain calls and changed flags leave behind."""
    before, environment = read_everything(), dict(os.environ)
    in_force = list(request.in_force)
    request.in_force.clear()
    yield
    request.in_force[:] = in_force
    for name in set(os.environ) - set(environment):
        if not name.startswith("TORCHINDUCTOR_"):  # set by the first import of PyTorch's compiler
            del os.environ[name]
    os.environ.update(environment)
    torch.use_deterministic_algorithms(before["algorithms"], warn_only=before["warn_only"])
    MEMORY.fill_uninitialized_memory = before["fill"]
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before["cudnn"]
    torch.set_num_threads(before["threads"])
    BACKENDS.fp32_precision = before["generic precision"]
    torch.set_float32_matmul_precision(before["matmul"])
    torch.backends.cudnn.allow_tf32 = before["cudnn_tf32"]
    for name, precision in zip(OPERATORS, before["precision"], strict=True):
        find_operator(name).fp32_precision = precision


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have PyTorch say that there is a GPU, so that the conditions of GPUs apply."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.version, "cuda", "13.0")


class TestDeterministic:
    """Seeded runs repeat, and the settings are those that were asked for."""

    def test_two_trainings_with_one_seed_end_in_the_same_bits(self) -> None:
        """Two trainings from the same seed give bit-identical parameters; another seed gives others."""
        assert train(1) == train(1) != train(2)

    def test_seeds_every_generator(self) -> None:
        """Python, NumPy and PyTorch draw the same again after the same seed, and other numbers after another."""
        drawn = []
        for seed in (3, 3, 4):
            deterministic(seed)
            drawn.append(draw())
        assert drawn[0] == drawn[1]
        assert not set(drawn[0]) & set(drawn[2])

    def test_a_plain_call_stays_in_force(self) -> None:
        """A plain call takes effect at once and outlives its result."""
        deterministic(seed=1)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (True, False)
        assert not MEMORY.fill_uninitialized_memory
        assert torch.backends.cudnn.allow_tf32 is False
        assert torch.initial_seed() == 1

    def test_an_operation_without_deterministic_implementation_raises(self) -> None:
        """By default PyTorch refuses an operation that it can only do nondeterministically."""
        with deterministic(), pytest.raises(RuntimeError, match="put_ does not have a deterministic implementation"):
            torch.zeros(4).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))

    def test_warn_only_warns(self) -> None:
        """With warn_only the same operation runs, with a warning, and the condition is said not to hold."""
        with deterministic(warn_only=True):
            with pytest.warns(UserWarning, match="put_ does not have a deterministic implementation"):
                torch.zeros(4).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))
            assert read_condition("deterministic-algorithms").holds is False

    def test_fills_memory_when_asked(self) -> None:
        """New memory is NaN with fill_uninitialized_memory, and the condition holds."""
        with deterministic(fill_uninitialized_memory=True):
            assert torch.empty(1000).isnan().all()
            assert read_condition("filled-memory").holds is True
        with deterministic():
            assert read_condition("filled-memory").holds is False

    def test_child_processes_share_a_hash_seed(self) -> None:
        """Children started in the block hash strings alike; a hash seed that the user chose is left alone."""
        code = "import json; print(json.dumps([hash('reproof'), sys.flags.hash_randomization]))"
        with deterministic(seed=5):
            children = [run_python(code, PYTHONHASHSEED=os.environ["PYTHONHASHSEED"]) for _ in range(2)]
        assert children[0] == children[1] == run_python(code, PYTHONHASHSEED="5")
        os.environ["PYTHONHASHSEED"] = "11"
        with deterministic(seed=5):
            assert os.environ["PYTHONHASHSEED"] == "11"

    @pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
    def test_takes_every_seed_that_numpy_takes(self, seed: int) -> None:
        """The limits of the range are inside it."""
        with deterministic(seed) as settings:
            assert (settings.seed, torch.initial_seed()) == (seed, seed)

    @pytest.mark.parametrize("seed", [-1, 2**32, True, 1.0, "1", None, np.int64(1)])
    def test_refuses_other_seeds_and_changes_nothing(self, seed: Any) -> None:
        """A seed that not every generator can take is named in the error, before anything is changed."""
        before = read_everything()
        with pytest.raises(UsageError, match=re.escape(str(seed))):
            deterministic(seed)
        assert read_everything() == before

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"matmul_precision": "best"}, "'best' is not known: pass one of highest, high, medium"),
            ({"matmul_precision": "high"}, "matmul_precision='high' needs TF32, which tf32=False forbids"),
            ({"num_threads": 0}, "the number of threads 0 is impossible"),
            ({"num_threads": True}, "the number of threads True is impossible"),
        ],
    )
    def test_refuses_impossible_settings(self, arguments: dict[str, Any], problem: str) -> None:
        """A value that cannot be carried out is named in the error, with what to pass instead."""
        with pytest.raises(UsageError, match=problem):
            deterministic(**arguments)


def by_hand() -> None:
    """Set every flag to something that is neither PyTorch's default nor what `deterministic` sets."""
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(1)
    os.environ["PYTHONHASHSEED"] = "random"
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":0:0"


class TestRestore:
    """Leaving the block puts back every flag, variable and generator."""

    @pytest.mark.parametrize("prepare", [lambda: None, by_hand], ids=["defaults", "set-by-hand"])
    @pytest.mark.parametrize("raises", [False, True], ids=["end", "exception"])
    def test_is_exact(self, prepare: Callable[[], None], *, raises: bool) -> None:
        """After the block everything is as before, whether it ended or raised, whatever was changed inside."""
        prepare()
        draw()
        before = read_everything()
        with pytest.raises(LeavingTheBlockError) if raises else ExitStack(), deterministic(1, num_threads=2):
            assert read_everything() != before
            draw()
            torch.backends.cudnn.benchmark = True
            torch.use_deterministic_algorithms(mode=False)
            os.environ["PYTHONHASHSEED"] = "77"
            if raises:
                raise LeavingTheBlockError
        assert read_everything() == before

    def test_generators_go_on_as_if_nothing_had_happened(self) -> None:
        """The numbers drawn around the block are those of a run without the block."""
        deterministic(1)
        expected = [draw(), draw()]
        deterministic(1)
        drawn = [draw()]
        with deterministic(2):
            draw()
        drawn.append(draw())
        assert drawn == expected

    def test_nested_blocks_restore_in_turn(self) -> None:
        """Each of two nested blocks puts back what it found."""
        outside = read_everything()
        with deterministic(1, num_threads=1):
            draw()
            between = read_everything()
            with deterministic(2, warn_only=True, tf32=True, matmul_precision="medium", num_threads=2):
                assert read_condition("seeds").state == "seeded with 2"
                draw()
            assert read_everything() == between
            assert read_condition("seeds").state == "seeded with 1"
        assert read_everything() == outside

    def test_a_plain_call_can_be_taken_back_once(self) -> None:
        """`restore` undoes a plain call, a second time does nothing, and restored settings cannot be entered."""
        before = read_everything()
        settings = deterministic(1)
        settings.restore()
        assert read_everything() == before
        torch.backends.cudnn.benchmark = True
        settings.restore()
        assert torch.backends.cudnn.benchmark
        with pytest.raises(UsageError, match="were restored already"), settings:
            pass

    def test_a_failure_on_the_way_in_leaves_nothing_changed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When a setting cannot be made, those made before it are undone."""
        before = read_everything()

        def fail(count: int) -> None:
            raise LeavingTheBlockError

        with monkeypatch.context() as patch:
            patch.setattr(torch, "set_num_threads", fail)
            with pytest.raises(LeavingTheBlockError):
                deterministic(1, num_threads=1)
        assert read_everything() == before
        assert read_condition("seeds").holds is None

    def test_keeps_the_compilers_own_setting(self) -> None:
        """The compiler's flag, which PyTorch couples to deterministic algorithms, keeps a value that differs."""
        compiler = pytest.importorskip("torch._inductor.config")
        with compiler.patch(deterministic=True):
            with deterministic():
                pass
            assert not torch.are_deterministic_algorithms_enabled()
            assert compiler.deterministic


def set_precision(name: str, precision: str) -> None:
    """Set the precision of one operator, or of all with ``""``, through the new interface."""
    (find_operator(name) if name else BACKENDS).fp32_precision = precision


PRECISIONS: dict[str, Callable[[], object]] = {
    "untouched": lambda: None,
    "old: matmul high": lambda: torch.set_float32_matmul_precision("high"),
    "old: matmul medium": lambda: torch.set_float32_matmul_precision("medium"),
    "old: cuBLAS on": lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
    "old: cuDNN off": lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    "new: all tf32": lambda: set_precision("", "tf32"),
    "new: all ieee": lambda: set_precision("", "ieee"),
    "new: all bf16": lambda: set_precision("", "bf16"),
    "new: cuBLAS tf32": lambda: set_precision("cuda.matmul", "tf32"),
    "new: convolution ieee": lambda: set_precision("cudnn.conv", "ieee"),
    "new: recurrent none": lambda: set_precision("cudnn.rnn", "none"),
    "new: oneDNN bf16": lambda: set_precision("mkldnn.matmul", "bf16"),
    "both: high, then ieee": lambda: (
        torch.set_float32_matmul_precision("high"),
        set_precision("cuda.matmul", "ieee"),
    ),
}


class TestPrecision:
    """Of PyTorch's two interfaces to float32 precision, none is broken for a script that uses it."""

    @pytest.mark.parametrize("matmul", ["highest", "high", "medium"])
    @pytest.mark.parametrize("prepare", PRECISIONS.values(), ids=PRECISIONS)
    def test_is_set_and_restored_from_every_state(self, prepare: Callable[[], object], matmul: str) -> None:
        """From any state, also those that the old interface cannot express, the block gets what it asked for."""
        prepare()
        before = read_everything()
        with deterministic(tf32=matmul != "highest", matmul_precision=matmul) as settings:
            states = {condition.name: condition.state for condition in settings.conditions}
            cublas, convolution, recurrent, onednn = (find_operator(name).fp32_precision for name in OPERATORS)
        assert (cublas == "tf32", convolution == "tf32", recurrent == "tf32") == (matmul != "highest",) * 3
        assert onednn in {"highest": ("none", "ieee"), "high": ("tf32",), "medium": ("bf16",)}[matmul]
        assert states["matmul-precision"] == matmul
        assert states["cudnn-tf32-off"] == ("TF32 is off" if matmul == "highest" else "TF32 is allowed")
        assert read_everything() == before

    @pytest.mark.parametrize("prepare", [name for name in PRECISIONS if not name.startswith(("new", "both"))])
    def test_the_old_interface_still_answers(self, prepare: str) -> None:
        """A script that reads `allow_tf32`, or enters `cudnn.flags`, does not get PyTorch's error for mixed use."""
        PRECISIONS[prepare]()
        with deterministic(), torch.backends.cudnn.flags(enabled=False):
            assert torch.get_float32_matmul_precision() == "highest"
            assert torch.backends.cuda.matmul.allow_tf32 is False

    def test_what_is_inherited_stays_inherited(self) -> None:
        """After the block, an operator that followed the precision of all backends follows it still."""
        set_precision("", "tf32")
        with deterministic():
            assert find_operator("cuda.matmul").fp32_precision == "ieee"
        assert find_operator("cuda.matmul").fp32_precision == "tf32"
        set_precision("", "ieee")
        assert find_operator("cuda.matmul").fp32_precision == "ieee"


class TestConditions:
    """What is read back is what is the case."""

    def test_reading_changes_nothing(self) -> None:
        """Reading draws nothing, sets nothing, and leaves CUDA as uninitialised as it was."""
        before, is_initialized = read_everything(), torch.cuda.is_initialized()
        assert conditions() == conditions()
        assert read_everything() == before
        assert torch.cuda.is_initialized() is is_initialized

    @pytest.mark.usefixtures("fake_gpu")
    @pytest.mark.parametrize(
        ("name", "change", "state"),
        [
            ("seeds", lambda: torch.manual_seed(9), "seeded with 1, and torch with 9 since"),
            ("deterministic-algorithms", lambda: torch.use_deterministic_algorithms(mode=False), "off"),
            (
                "filled-memory",
                lambda: torch.use_deterministic_algorithms(mode=False),
                "on, without effect while deterministic algorithms are off",
            ),
            ("filled-memory", lambda: setattr(MEMORY, "fill_uninitialized_memory", False), "off"),
            ("cudnn-deterministic", lambda: setattr(torch.backends.cudnn, "deterministic", False), "off"),
            ("cudnn-benchmark-off", lambda: setattr(torch.backends.cudnn, "benchmark", True), "benchmarking is on"),
            ("cudnn-tf32-off", lambda: setattr(torch.backends.cudnn, "allow_tf32", True), "TF32 is allowed"),
            ("cudnn-tf32-off", lambda: set_precision("cudnn.rnn", "tf32"), "TF32 is allowed"),
            ("matmul-precision", lambda: torch.set_float32_matmul_precision("medium"), "medium"),
            ("matmul-precision", lambda: set_precision("mkldnn.matmul", "bf16"), "cuBLAS none, oneDNN bf16"),
            ("num-threads", lambda: torch.set_num_threads(3), "3 (nothing seen to set it)"),
        ],
    )
    def test_sees_what_is_changed_by_hand(self, name: str, change: Callable[[], object], state: str) -> None:
        """A condition holds in the block, and no longer once the script changes the setting behind its back."""
        with deterministic(1, fill_uninitialized_memory=True, num_threads=2):
            assert read_condition(name).holds is True
            change()
            assert (read_condition(name).holds, read_condition(name).state) == (False, state)

    def test_gpu_conditions_do_not_apply_without_a_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no GPU, its conditions neither hold nor fail."""
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
        undecided = {condition.name for condition in conditions() if condition.holds is None}
        assert undecided >= {"cudnn-deterministic", "cudnn-benchmark-off", "cudnn-tf32-off", "cublas-workspace"}

    @pytest.mark.usefixtures("fake_gpu")
    def test_a_workspace_set_after_cuda_started_does_not_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """CUBLAS_WORKSPACE_CONFIG holds if it was there before CUDA was initialised, and not if it came after."""
        monkeypatch.setattr(variables, "_workspace_before_cuda", None)
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
        assert read_condition("cublas-workspace").holds is False
        with monkeypatch.context() as patch, ExitStack() as undo:
            patch.setattr(torch.cuda, "is_initialized", lambda: True)
            variables.pin_workspace(undo)
            assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
            patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            late = read_condition("cublas-workspace")
        assert (late.holds, late.state) == (False, "not set when CUDA was initialised; :4096:8 came too late")
        assert "start python with CUBLAS_WORKSPACE_CONFIG=:4096:8" in late.how
        with monkeypatch.context() as patch, ExitStack() as undo:
            variables.pin_workspace(undo)
            patch.setattr(torch.cuda, "is_initialized", lambda: True)
            assert read_condition("cublas-workspace").holds is True

    @pytest.mark.usefixtures("fake_gpu")
    def test_tf32_can_be_forced_from_outside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """NVIDIA_TF32_OVERRIDE=1 overrules PyTorch's flags, and the condition says so."""
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
        with deterministic():
            assert read_condition("cudnn-tf32-off").holds is False

    def test_each_is_documented(self) -> None:
        """Every condition says why, how to set it and where that is documented, and has its place in the manual."""
        text = DOCUMENTATION.read_text(encoding="utf-8")
        for condition in conditions():
            assert condition.source.startswith("https://")
            assert condition.why.endswith(".")
            assert f"`{condition.name}`" in text
            assert condition.source in text


WORKERS = """
import json, random
import numpy as np, torch
from reproof.determinism import make_generator, seed_worker

class Draws(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        info = torch.utils.data.get_worker_info()
        return index, info.id, info.seed % 2**32, random.random(), float(np.random.random())

def draw(method):
    loader = torch.utils.data.DataLoader(Draws(), shuffle=True, batch_size=None, num_workers=2,
        worker_init_fn=seed_worker, generator=make_generator(1), multiprocessing_context=method)
    return list(loader)

if __name__ == "__main__":
    print(json.dumps([draw("fork"), draw("spawn")]))
"""


class TestWorkers:
    """DataLoader workers draw different numbers from each other, and the same in the next run."""

    @pytest.mark.slow
    def test_workers_are_seeded(self, tmp_path: Path) -> None:
        """Each worker's `random` and NumPy streams are those of its own seed, which follows the loader's generator."""
        script = tmp_path / "workers.py"
        script.write_text(WORKERS, encoding="utf-8")
        forked, spawned = run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")
        assert forked == spawned
        by_worker = {worker: [item for item in forked if item[1] == worker] for worker in (0, 1)}
        assert by_worker[0][0][3:] != by_worker[1][0][3:]
        for items in by_worker.values():
            python, numpy = random.Random(items[0][2]), np.random.RandomState(items[0][2])
            assert [item[3:] for item in items] == [[python.random(), numpy.random_sample()] for _ in items]

    def test_seed_worker_can_be_sent_to_a_process(self) -> None:
        """`seed_worker` pickles by name, which spawned workers need."""
        assert pickle.loads(pickle.dumps(seed_worker)) is seed_worker

    def test_make_generator(self) -> None:
        """Two generators of one seed draw alike, apart from the global generator; bad seeds are refused."""
        before = torch.get_rng_state()
        first, second = make_generator(5), make_generator(5, torch.device("cpu"))
        assert torch.equal(torch.randn(4, generator=first), torch.randn(4, generator=second))
        assert torch.equal(torch.get_rng_state(), before)
        with pytest.raises(UsageError, match="the seed -1 is out of range"):
            make_generator(-1)


class TestRngStates:
    """The states of the generators can be read and put back by themselves."""

    def test_round_trip(self) -> None:
        """After `restore_rng_states` the same numbers come again, as often as wanted."""
        draw()
        states = rng_states()
        expected = draw()
        for _ in range(2):
            restore_rng_states(states)
            assert draw() == expected

    @pytest.mark.gpu
    def test_devices_go_on_as_if_nothing_had_happened(self) -> None:
        """The generator of an initialised GPU is put back by the block."""
        torch.cuda.manual_seed_all(1)
        expected = [torch.randn(2, device="cuda").tolist() for _ in range(2)]
        torch.cuda.manual_seed_all(1)
        drawn = [torch.randn(2, device="cuda").tolist()]
        with deterministic(2):
            torch.randn(2, device="cuda")
        assert [*drawn, torch.randn(2, device="cuda").tolist()] == expected


class TestWithout:
    """NumPy is optional; PyTorch is not, and its absence is one line."""

    def test_numpy(self) -> None:
        """Without NumPy everything but its generator is seeded and restored."""
        code = """
        sys.modules["numpy"] = None
        import json, random, warnings
        warnings.simplefilter("ignore")  # PyTorch says that it found no NumPy
        import torch
        from reproof.determinism import deterministic, rng_states, seed_worker
        before = random.getstate()
        with deterministic(1):
            seed_worker(0)
            inside = torch.initial_seed()
        print(json.dumps([rng_states().numpy, inside, random.getstate() == before]))
        """
        assert run_python(code) == [None, 1, True]

    def test_torch(self) -> None:
        """Without PyTorch the import says what to install."""
        code = """
        sys.modules["torch"] = None
        import json
        from reproof.errors import DependencyError
        try:
            import reproof.determinism
        except DependencyError as error:
            print(json.dumps(str(error)))
        """
        assert run_python(code) == "PyTorch is not installed: pip install 'reproof[torch]'"
