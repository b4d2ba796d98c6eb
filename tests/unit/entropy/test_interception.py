"""A tap notes what a call of the user's reads, replays it, and never gets in the program's way."""

from __future__ import annotations

import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from reproof.entropy import interception
from reproof.entropy.interception import Interceptor, Tap
from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.entropy.sites import Site

TAP = Tap(source="chance", kind="os-entropy")


@pytest.fixture
def interceptor(tmp_path: Path) -> Interceptor:
    """Return an interceptor that replays nothing."""
    return Interceptor(tmp_path, "0", Plan())


def values(interceptor: Interceptor) -> list[list[Any]]:
    """Return what was noted at each place."""
    interceptor.flush()
    return [source.values for source in read_ledgers(interceptor.folder)["0"].values()]


def replaying(tmp_path: Path, recorded: list[Any]) -> Interceptor:
    """Return an interceptor that replays values."""
    (tmp_path / "new").mkdir()
    interceptor = Interceptor(tmp_path / "new", "0", Plan(baseline="x"))
    interceptor.values_of = lambda _key: recorded  # type: ignore[method-assign]
    return interceptor


def test_reads_of_one_line_share_a_place(interceptor: Interceptor) -> None:
    """The line of the user's that calls is what counts, however it imported the function."""
    numbers = iter(range(10))
    chance = interceptor.tap(lambda: next(numbers), TAP)
    for _ in range(3):
        chance()
    chance()
    assert values(interceptor) == [[0, 1, 2], [3]]


def test_a_library_reads_on_behalf_of_the_line_that_called_it(
    interceptor: Interceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is named; what it reads while it is imported, and what PyTorch reads for itself, is not noted."""
    chance = interceptor.tap(lambda: 5, TAP)
    for name in ("some_package", "torch"):
        code = compile("def read():\n    return chance()", str(Path(pytest.__file__).with_name(f"{name}.py")), "exec")
        module = ModuleType(name)
        vars(module)["chance"] = chance
        exec(code, vars(module))  # noqa: S102  # code that is said to lie elsewhere
        assert module.read() == 5
    sources = list(read_ledgers(interceptor.folder)["0"].values())
    assert [source.through for source in sources] == ["some_package"]


def test_values_are_encoded_and_decoded(tmp_path: Path) -> None:
    """A value that JSON lacks is kept in a form that it has."""
    tap = Tap(source="c", kind="k", encode=bytes.hex, decode=lambda value, count: bytes.fromhex(value)[:count])
    interceptor = replaying(tmp_path, ["abcd"])
    chance = interceptor.tap(lambda count: b"\0" * count, tap)
    found = [chance(2) for _ in range(2)]
    assert found == [b"\xab\xcd", b"\0\0"]
    assert values(interceptor) == [["abcd", "0000"]]


def test_a_value_that_cannot_be_encoded_reaches_the_program(interceptor: Interceptor) -> None:
    """The program gets its value, the ledger a problem."""
    chance = interceptor.tap(lambda: "text", Tap(source="c", kind="k", encode=bytes.hex))
    assert chance() == "text"
    assert "a value of c@" in interceptor.ledger.problems[0]


@pytest.mark.parametrize("recorded", [None, 3, "zz", [], {}])
def test_a_value_that_cannot_be_replayed_is_read(recorded: Any, tmp_path: Path) -> None:
    """A damaged ledger has the program read the source itself."""
    tap = Tap(source="c", kind="k", encode=bytes.hex, decode=bytes.fromhex)
    interceptor = replaying(tmp_path, [recorded])
    chance = interceptor.tap(lambda: b"own", tap)
    assert chance() == b"own"
    assert interceptor.ledger.problems


def test_a_clock_goes_on_from_the_last_value(tmp_path: Path) -> None:
    """When there are no more values, time passes as fast as it does outside."""
    now = iter([100, 101, 105, 106])
    interceptor = replaying(tmp_path, [10, 11])
    clock = interceptor.tap(lambda: next(now), Tap(source="c", kind="k", is_clock=True))
    assert [clock() for _ in range(4)] == [10, 11, 15, 16]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, SystemExit])
def test_errors_of_the_source_are_the_programs(error: type[BaseException], interceptor: Interceptor) -> None:
    """What the function raises passes through, and nothing is noted."""

    def fail() -> None:
        raise error("own")

    with pytest.raises(error, match="own"):
        interceptor.tap(fail, TAP)()
    assert values(interceptor) == [[]]


def test_wrong_arguments_get_the_error_of_the_function(interceptor: Interceptor) -> None:
    """A condition on the arguments never speaks for the function."""
    chance = interceptor.tap(len, Tap(source="c", kind="k", applies=lambda items: items.missing))
    assert chance([1]) == 1
    with pytest.raises(TypeError, match="takes exactly one argument"):
        chance(1, 2)


def test_a_place_that_cannot_be_found_is_no_error(interceptor: Interceptor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong within us, the program gets its value."""
    chance = interceptor.tap(lambda: 5, TAP)
    monkeypatch.setattr(interceptor, "place_at", lambda *_: 1 / 0)
    assert chance() == 5
    assert interceptor.ledger.problems == ["a read of chance is not recorded: ZeroDivisionError: division by zero"]


def test_a_stand_in_counts_as_its_caller(interceptor: Interceptor) -> None:
    """A function of ours in the place of another is passed over; without that its reads are ours and not noted."""
    for is_stand_in in (True, False):
        tap = Tap(source=f"c{is_stand_in}", kind="k", stands_in=is_stand_in)
        chance = interceptor.tap(lambda: 5, tap)
        code = compile("def read():\n    return chance()", str(Path(interception.__file__).with_name("x.py")), "exec")
        space = {"chance": chance}
        exec(code, space)  # noqa: S102  # code that is said to lie elsewhere
        space["read"]()
    assert [source.source for source in read_ledgers(interceptor.folder)["0"].values()] == ["cTrue"]


def test_a_read_in_a_worker_init_function_is_the_seeding_of_workers(interceptor: Interceptor, tmp_path: Path) -> None:
    """What `worker_init_fn` reads seeds a worker, whatever it is."""
    chance = interceptor.tap(lambda: 5, TAP)
    user = compile("def init():\n    return chance()", str(tmp_path / "train.py"), "exec")
    package = compile(
        "def _worker_loop(init):\n    return init()", str(Path(pytest.__file__).with_name("w.py")), "exec"
    )
    space: dict[str, Any] = {"chance": chance}
    exec(user, space)  # noqa: S102  # code that is said to lie elsewhere
    exec(package, space)  # noqa: S102  # code that is said to lie elsewhere
    space["_worker_loop"](space["init"])
    assert [source.kind for source in read_ledgers(interceptor.folder)["0"].values()] == ["worker-seeding"]


def test_a_child_goes_on_in_a_ledger_of_its_own(interceptor: Interceptor, tmp_path: Path) -> None:
    """Places that are known already note in the child's ledger, from the start."""
    chance = interceptor.tap(lambda: 5, TAP)
    script = compile(textwrap.dedent("for _ in range(2):\n    chance()\n"), str(tmp_path / "train.py"), "exec")
    exec(script, {"chance": chance})  # noqa: S102  # code that is said to lie elsewhere
    interceptor.flush()
    interceptor.enter_child("0.1")
    exec(script, {"chance": chance})  # noqa: S102  # code that is said to lie elsewhere
    interceptor.flush()
    found = read_ledgers(interceptor.folder)
    assert {process: [s.values for s in sources.values()] for process, sources in found.items()} == {
        "0": [[5, 5]],
        "0.1": [[5, 5]],
    }


class TestTasks:
    """Reads in threads that have no line of the user's on their stack."""

    @staticmethod
    def read_in_pool(interceptor: Interceptor, tap: Tap) -> list[tuple[str, int | None]]:
        """Return key and line of each place, after a pool has called a tapped function for a line of the user's."""
        interceptor.workers = SimpleNamespace(name="future7", site=Site("train.py", 3, "main"))
        chance = interceptor.tap(lambda: 5, tap)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(chance).result() == 5
        return [(source.key, source.line) for source in read_ledgers(interceptor.folder)["0"].values()]

    def test_randomness_belongs_to_the_line_that_handed_in_the_task(self, interceptor: Interceptor) -> None:
        """Each task has values of its own."""
        assert self.read_in_pool(interceptor, TAP) == [("chance@train.py:3#future7", 3)]

    def test_other_reads_do_not(self, interceptor: Interceptor) -> None:
        """Clocks are read by threads of progress bars, which reach no training."""
        assert self.read_in_pool(interceptor, Tap(source="clock", kind="wall-clock")) == []


def test_a_worker_that_had_nothing_to_do_starts_as_a_fellow_did(tmp_path: Path) -> None:
    """Which worker of a pool gets a task is a race; those of another pool, and other sources, stay their own."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    for process, keys in (("0.pool1.2", ("random@start", "time.time@a.py:1")), ("0.pool2.1", ("b@start",))):
        earlier = Interceptor(tmp_path / "old", process, Plan())
        for key in keys:
            earlier.add_place({"key": key, "kind": "unseeded-rng", "source": "x"}).note(7)
        earlier.flush()
        earlier.ledger.close()
    later = Interceptor(tmp_path / "new", "0.pool1.1", Plan(baseline=str(tmp_path / "old")))
    assert later.values_of("random@start") == [7]
    assert later.values_of("time.time@a.py:1") is None
    assert later.values_of("b@start") is None
