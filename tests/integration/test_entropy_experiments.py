"""Experiments: orders and hashes under another hash seed, the draws of one line, and addresses."""

from __future__ import annotations

import json
from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Return what writes a file of a test."""

    def write_file(text: str, name: str = "train.py") -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(text), encoding="utf-8")

    return write_file


@pytest.fixture
def run(tmp_path: Path, reproof: Command) -> Callable[..., str]:
    """Return what runs the script of a test under a plan and a hash seed, and returns what it printed."""

    def start(name: str, plan: Plan, seed: int = 1, *, command: tuple[str, ...] = ("train.py",)) -> str:
        (tmp_path / f"{name}.json").write_text(json.dumps({"plan": plan.to_json(), "probes": None}))
        done = reproof("run", "-o", name, "--experiment", f"{name}.json", *command, PYTHONHASHSEED=str(seed))
        assert done.code == 0, done.err
        return done.out

    return start


ORDERS = """
    import random, sys
    from package import lists
    WORDS = "alpha beta gamma delta epsilon zeta eta theta".split()
    class Bag:
        def __init__(self, words):
            self.words = set(words)
        def __iter__(self):
            return iter(self.words)
    def main():
        words = set(WORDS)
        print([w for w in words], "".join(frozenset(words)), next(iter(words)), dict(zip(words, range(8))))
        print(sorted(words, key=len), max(words, key=len), random.Random(0).choice(list(words)), [*words | {"x"}])
        print({w: i for i, w in enumerate(words)}.keys() & {"alpha", "beta"} == {"alpha", "beta"}, list(Bag(WORDS)))
        print([words.pop() for _ in range(3)], lists.inside(words), hash("alpha") % 1000, f"{words}")
    if __name__ == "__main__":
        main()
        from package import late
        print(late.ITEMS)
"""


@pytest.mark.parametrize("command", [("train.py",), ("-m", "package.start")], ids=["script", "module"])
def test_orders_are_replayed_under_another_hash_seed(
    command: tuple[str, ...], tmp_path: Path, run: Callable[..., str], write: Callable[..., None]
) -> None:
    """With its orders and hashes replayed a run prints what it did under the other hash seed; modules included.

    And a script that is run by its path, as a spawned child runs that of its parent.
    """
    write(ORDERS)
    write("def inside(s):\n    return [x for x in s], list(s)\n", "package/lists.py")
    write("ITEMS = list({'a', 'b', 'c', 'd'})\n", "package/late.py")
    write(
        "import runpy\nrunpy.run_path('train.py', run_name='__main__')\nprint(list(set('abcdef')))", "package/start.py"
    )
    write("", "package/__init__.py")
    plain = run("plain", Plan(), command=command)
    watched = run("a", Plan(watches_orders=True), command=command)
    assert watched == plain
    trace = str(tmp_path / "a")
    replay = Plan(baseline=trace, details=trace, watches_orders=True)
    assert run("b", replay, 2, command=command) == plain
    assert run("c", Plan(watches_orders=True), 2, command=command) != watched


def test_only_chosen_lines_are_replayed(tmp_path: Path, run: Callable[..., str], write: Callable[..., None]) -> None:
    """One line has the order of the earlier run, the other that of its own hash seed."""
    write("""
        words = set("alpha beta gamma delta epsilon zeta eta theta".split())
        print(list(words))
        print(list(words))
    """)
    first = run("a", Plan(watches_orders=True)).splitlines()
    own = run("b", Plan(watches_orders=True), 2).splitlines()
    trace = str(tmp_path / "a")
    plan = Plan(baseline=trace, details=trace, watches_orders=True, keys=("set@train.py:4",))
    assert run("c", plan, 2).splitlines() == [own[0], first[1]]


DRAWS = {
    "random": ("random", "import random", "random.random()", "random.seed(0)"),
    "numpy": ("numpy.random", "import numpy as np", "float(np.random.rand())", "np.random.seed(0)"),
    "torch": ("torch", "import torch", "float(torch.rand(()))", "torch.manual_seed(0)"),
}


@pytest.mark.parametrize(
    "case", [case if case != "torch" else pytest.param(case, marks=pytest.mark.thorough) for case in DRAWS]
)
def test_the_draws_of_one_line_are_perturbed_and_nothing_else(
    case: str, tmp_path: Path, run: Callable[..., str], write: Callable[..., None]
) -> None:
    """Lines that draw are found; with other numbers on one of them every other line draws what it drew."""
    name, imports, draw, seed = DRAWS[case]
    write(f"""
        {imports}
        def draw():
            return {draw}
        def numbers():
            for _ in range(2):
                yield {draw}
        class Samples:
            def __getitem__(self, index):
                return draw() if index % 2 else 0.0
        print("name", {draw})
        print("made", [draw() for _ in range(3)])
        print("yielded", list(numbers()))
        print("samples", [Samples()[index] for index in range(4)])
        for _ in range(100):
            last = {draw}
        print("last", last)
        {seed}
        print("seeded", {draw})
    """)
    run("plain", Plan())
    baseline = str(tmp_path / "plain")
    first = run("a", Plan(baseline=baseline, watches=(name,))).splitlines()
    assert run("replayed", Plan(baseline=baseline)).splitlines() == first
    lines = {
        source.line for source in read_ledgers(tmp_path / "a")["0"].values() if source.source == name and source.line
    }
    assert lines == {4, 7, 11, 16}
    changed = {11: ["name"], 4: ["made", "samples"], 7: ["yielded"], 16: []}
    for line, names in changed.items():
        plan = Plan(
            baseline=baseline, details=str(tmp_path / "a"), watches=(name,), perturbs=(f"{name}@train.py:{line}",)
        )
        second = run(f"b{line}", plan).splitlines()
        assert [one.split()[0] for one, other in zip(first, second, strict=True) if one != other] == names
    candidate = run("candidate", Plan()).splitlines()
    third = run("c", replace(plan, candidate=str(tmp_path / "candidate"), perturbs=(f"{name}@train.py:11",)))
    assert third.splitlines() == [candidate[0], *first[1:]]


@pytest.mark.slow
def test_what_a_program_draws_is_named_where_it_does(
    tmp_path: Path, run: Callable[..., str], write: Callable[..., None]
) -> None:
    """Not at the line on which it begins, although that is the user's only one: the package is an installed one."""
    write("import sys\nsys.path.insert(0, 'site-packages')\nimport lib\nsys.exit(lib.main())")
    write(
        """
        import random
        def main():
            print(random.random())
            own = random.Random()
            print(own.random())
        """,
        "site-packages/lib.py",
    )
    baseline = str(tmp_path / "plain")
    run("plain", Plan())
    run("a", Plan(baseline=baseline, watches=("random",)))
    found = {(one.source, one.file, one.line) for one in read_ledgers(tmp_path / "a")["0"].values()}
    lib = "site-packages/lib.py"
    assert {one for one in found if one[1] is not None} == {("random", lib, 4), ("random.Random", lib, 5)}


def test_what_is_drawn_by_an_import_is_named_at_its_line(
    tmp_path: Path, run: Callable[..., str], write: Callable[..., None]
) -> None:
    """In a module of the user's at the line there, also where a library imports it; in a library where that is."""
    write("import sys\nsys.path.insert(0, 'site-packages')\nimport random\nimport own\nimport lib\nrandom.random()")
    write("import random\nrandom.random()", "own.py")
    write("import random\nrandom.random()\nimport late\nrandom.random()", "site-packages/lib.py")
    write("import random\n\nrandom.random()", "late.py")
    run("plain", Plan())
    run("a", Plan(baseline=str(tmp_path / "plain"), watches=("random",)))
    found = {(one.file, one.line) for one in read_ledgers(tmp_path / "a")["0"].values() if one.file is not None}
    assert found == {("own.py", 2), ("train.py", 5), ("late.py", 3), ("train.py", 6)}


def test_draws_in_workers_are_watched(tmp_path: Path, run: Callable[..., str], write: Callable[..., None]) -> None:
    """The lines that draw in forked workers are found and perturbed there, and the parent's are left as they are."""
    write("""
        import random
        import torch
        from torch.utils.data import DataLoader, Dataset
        import numpy as np
        class Samples(Dataset):
            def __len__(self):
                return 4
            def __getitem__(self, index):
                noise = GENERATOR.random()
                return torch.tensor([index, noise])
        GENERATOR = random
        print("parent", random.random())
        for batch in DataLoader(Samples(), 2, num_workers=1, worker_init_fn=lambda _: None):
            print("batch", batch.tolist())
    """)
    run("plain", Plan())
    baseline = str(tmp_path / "plain")
    first = run("a", Plan(baseline=baseline, watches=("random",)))
    assert first == run("b", Plan(baseline=baseline))
    found = [s.line for s in read_ledgers(tmp_path / "a")["0"].values() if s.source == "random" and s.line]
    assert found == [13]


def test_addresses_can_be_pinned(write: Callable[..., None], python: Command) -> None:
    """With fixed addresses `id()` and sets of objects are the same in each run; skipped where that is forbidden."""
    write("""
        import os, sys
        if len(sys.argv) == 1:
            from reproof.entropy.rewriting.addresses import are_pinned, pin_addresses
            if not pin_addresses():
                sys.exit(77)
            os.execv(sys.executable, [sys.executable, __file__, "go"])
        class Thing:
            def __init__(self, number):
                self.number = number
        things = [Thing(number) for number in range(40)]
        print(id(things), [thing.number for thing in set(things)])
    """)
    done = [python("train.py", PYTHONHASHSEED="0") for _ in range(2)]
    if done[0].code == 77:
        pytest.skip("this machine does not let a process choose fixed addresses")
    assert done[0].out == done[1].out != ""
    assert python("train.py", "go").out != python("train.py", "go").out


def test_a_perturbed_order_is_another_on_its_line_alone(run: Callable[..., str], write: Callable[..., None]) -> None:
    """Sets of objects cannot be replayed; whether their order matters can be tried."""
    write("""
        class Thing:
            pass
        things = [Thing() for _ in range(30)]
        numbers = {id(thing): number for number, thing in enumerate(things)}
        same = set(things)
        one = [things.index(thing) for thing in same]
        two = [things.index(thing) for thing in same]
        print(one == two)
    """)
    assert run("a", Plan(watches_orders=True)) == "True\n"
    assert run("b", Plan(watches_orders=True, perturbs=("set@train.py:7",))) == "False\n"


def test_a_line_that_trains_is_booked_when_a_step_begins(
    write: Callable[..., None], run: Callable[..., str], tmp_path: Path
) -> None:
    """What a library draws within one line of the user's belongs to the step in which it was drawn."""
    library = """
        import torch
        def fit(model):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for step in range(3):
                model(torch.randn(2, 3)).sum().backward()
                optimizer.step()
    """
    script = """
        import sys
        sys.path.insert(0, "site-packages")
        import torch, trainer
        model = torch.nn.Linear(3, 1)
        trainer.fit(model)
    """
    write(library, "site-packages/trainer.py")
    write(script)
    run("a", Plan())
    run("b", Plan(baseline="a", watches=("torch",)))
    ledger = read_ledgers(tmp_path / "b")["0"]
    assert ledger["torch@train.py:5"].steps == [0]
    assert ledger["torch@train.py:6"].steps == [0, 1, 2]
