"""User's modules are compiled so that sets, hashes and identities pass through us, and nothing else changes."""

from __future__ import annotations

import ast
import random
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from reproof.entropy.calls.watching import ENTERED, ITEMS, PASSED, RETURNED
from reproof.entropy.interception import Interceptor
from reproof.entropy.ledger import Source, read_ledgers
from reproof.entropy.plan import Plan
from reproof.entropy.rewriting.hooking import Hooking
from reproof.entropy.rewriting.orders import MAX_ITEMS, OrderKeeper, find_canonical_order, is_set, is_unseeded, name_of
from reproof.entropy.rewriting.recompiling import CALL, FUNCTION, HASH, ORDER, POP, TEXT, Reordering, compile_changed

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


class Play:
    """Runs texts as user's scripts, first noting, then with every order that was noted turned around."""

    def __init__(self, folder: Path) -> None:
        """Run them in a folder."""
        self.folder = folder
        self.folder.joinpath("a").mkdir()
        self.folder.joinpath("b").mkdir()

    def note(self, text: str, plan: Plan | None = None, details: dict[str, Source] | None = None) -> dict[str, Any]:
        """Run a text and return its names."""
        interceptor = Interceptor(self.folder / ("a" if details is None else "b"), "0", plan or Plan())
        if details is not None:
            interceptor.details = {"0": details}
        keeper = OrderKeeper(interceptor)
        space: dict[str, Any] = {
            "WORDS": WORDS,
            ORDER: keeper.pass_ordered,
            CALL: keeper.pass_call,
            HASH: keeper.pass_hash,
            FUNCTION: keeper.pass_function,
            POP: keeper.pass_pop,
            TEXT: keeper.pass_text,
        }
        exec(  # noqa: S102  # what an experiment does
            compile_changed(text, str(self.folder / "train.py"), Reordering()), space
        )
        interceptor.flush()
        return space

    def noted(self, name: str = "a") -> dict[str, Source]:
        """Return what was noted, by source and line."""
        sources = read_ledgers(self.folder / name)["0"]
        return {f"{source.source}:{source.line}": source for source in sources.values()}

    def turn_around(self, text: str) -> tuple[Any, Any]:
        """Return `result` of a run, and of another in which every set has the opposite order."""
        first = self.note(text)["result"]
        details = read_ledgers(self.folder / "a")["0"]
        for source in details.values():
            source.values = [value[::-1] if isinstance(value, list) else value for value in source.values]
        return first, self.note(text, Plan(baseline="a"), details)["result"]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Return what runs texts."""
    return Play(tmp_path)


ITERATIONS = {
    "for": "result = []\nfor x in s:\n    result.append(x)",
    "comprehension": "result = [x for x in s]",
    "dict comprehension": "result = list({x: 1 for x in s})",
    "generator": "result = list(x for x in s)",
    "yield from": "def g():\n    yield from s\nresult = [*g()]",
    "list": "result = list(s)",
    "frozenset": "result = list(frozenset(s))",
    "derived set": "class S(set):\n    pass\nresult = list(S(s))",
    "star": "result = [*s]",
    "star in a call": "result = (lambda *a: list(a))(*s)",
    "unpacking": "a, *b = s\nresult = [a, *b]",
    "slice": "result = []\nresult[:] = s",
    "adding": "result = []\nresult += s",
    "extend": "result = []\nresult.extend(s)",
    "join": "result = ' '.join(s).split()",
    "zip": "result = [a for a, _ in zip(s, range(6))]",
    "enumerate": "result = [x for _, x in enumerate(s)]",
    "map": "result = list(map(str, s))",
    "next": "result = [next(iter(s)), *list(s)[1:]]",
    "sorted with ties": "result = sorted(s, key=lambda _: 0)",
    "dict": "result = list(dict.fromkeys(s))",
    "dict update": "d = {}\nd.update((x, 1) for x in s)\nresult = list(d)",
    "keys": "result = list(dict.fromkeys(WORDS).keys() & s)",
    "difference": "result = list(s | {'alpha'})",
    "Counter": "import collections\nresult = list(collections.Counter(s))",
    "counter update": "from collections import Counter\nc = Counter()\nc.update(s)\nresult = list(c)",
    "deque": "from collections import deque\nresult = list(deque(s))",
    "OrderedDict": "import collections\nresult = list(collections.OrderedDict.fromkeys(s))",
    "chain": "import itertools\nresult = list(itertools.chain(s))",
    "chain of sets": "import itertools\nresult = list(itertools.chain(*[s]))",
    "chain of values": "import itertools\nresult = list(itertools.chain.from_iterable({1: s, 2: ()}.values()))",
    "star of sets": "result = [a for a, _ in zip(*[s, range(6)])]",
    "map of lists": "result = next(map(list, [s]))",
    "map of texts": "result = next(map(' '.join, [s])).split()",
    "encoder": "import json\nresult = json.loads(json.dumps({'s': s}, default=list))['s']",
    "encoded text": "import json\nresult = json.dumps([s], default=str)[4:-4].split(\"', '\")",
    "reduce": "from functools import reduce\nresult = reduce(lambda a, b: a + [b], s, [])",
    "array": "import numpy as np\nresult = np.array(list(s)).tolist()",
    "text": "result = [x.strip(\"'{}\") for x in str(s).split(', ')]",
    "f-string": "result = [x.strip(\"'{}\") for x in f'{s}'.split(', ')]",
    "asynchronous": (
        "import asyncio\nasync def g():\n    for x in s:\n        yield x\n"
        "async def f():\n    return [x async for x in g()]\nresult = asyncio.run(f())"
    ),
    "match": "match list(s):\n    case [*result]:\n        pass",
    "decorated": "import functools\n@functools.cache\ndef f():\n    return list(s)\nresult = f()",
    "class": "class A:\n    items = [x for x in set(WORDS)]\nresult = A.items",
    "tuples": "result = [x for x, _ in {(w, 1) for w in WORDS}]",
    "nested frozensets": "result = [min(x) for x in {frozenset({w, w + 'z'}) for w in WORDS}]",
}


@pytest.mark.parametrize("case", ITERATIONS, ids=str)
def test_the_order_of_a_set_is_noted_and_replayed(case: str, play: Play) -> None:
    """Whatever goes through a set goes through it in the order of the earlier run."""
    first, second = play.turn_around(f"s = set(WORDS)\n{ITERATIONS[case]}\n")
    assert sorted(first) == sorted(WORDS)
    if case == "next":
        assert second[0] == list(set(WORDS))[-1]
    else:
        assert second == first[::-1]
    assert all(source.kind == "hash-order" for source in play.noted().values())


@pytest.mark.parametrize("change", [Reordering(), Hooking("train.py")], ids=["orders", "calls"])
@pytest.mark.parametrize("loop", ["for x in {}:\n    result.append(x)", "result = [x for x in {}]"])
def test_a_display_of_constants_keeps_its_order(change: ast.NodeTransformer, loop: str) -> None:
    """Python fills it when it compiles the loop; filled elsewhere, elements whose hashes collide change places."""
    names = dict.fromkeys((ORDER, PASSED, ITEMS, ENTERED, RETURNED), lambda *values: values[-1])
    orders = []
    for number in range(40):
        text = "result = []\n" + loop.format({(f"w{number}{i}", -i) if i % 2 else f"w{number}{i}" for i in range(5)})
        for make in (compile, lambda *source: compile_changed(*source[:2], change)):
            exec(make(text, "train.py", "exec"), space := {**names})  # noqa: S102  # what an experiment does
            orders.append(str(space["result"]))
            space.clear()  # an equal string that is kept somewhere changes the order
    assert orders[::2] == orders[1::2]


def test_what_compares_sets_returns_one_of_them(play: Play) -> None:
    """`max(a, b, key=len)` gives the larger set itself."""
    text = "a, b = set(WORDS), {'x'}\nresult = max(a, b, key=len) is a and min(*[a, b], key=len) is b"
    assert play.note(text)["result"] is True
    assert play.noted() == {}


def test_pop_takes_what_was_taken(play: Play) -> None:
    """`set.pop` takes the element of the earlier run, `pop` of everything else what it takes."""
    text = "s = set(WORDS)\nresult = [s.pop() for _ in range(3)]\nother = [[1, 2].pop(), {'k': 3}.pop('k'), {4}.pop()]"
    play.note(text)
    details = read_ledgers(play.folder / "a")["0"]
    (source,) = details.values()
    source.values = ["zeta", "beta", "nowhere"]
    space = play.note(text, Plan(baseline="a"), details)
    assert space["result"][:2] == ["zeta", "beta"]
    assert space["other"] == [2, 3, 4]
    assert len(space["s"]) == 3


def test_pop_of_a_large_set_is_quick(play: Play) -> None:
    """A set that is emptied element by element is not sorted each time."""
    start = time.monotonic()
    play.note("s = {str(i) for i in range(20000)}\nwhile s:\n    s.pop()")
    assert time.monotonic() - start < 5


def test_hashes_are_replayed(play: Play) -> None:
    """`hash()` and `__hash__()` return what they returned, where they depend on the hash seed."""
    text = "result = [hash('a'), 'b'.__hash__(), hash(('c', 1)), hash(3), hash((1, 2.5)), hash(2.5)]"
    first = play.note(text)["result"]
    details = read_ledgers(play.folder / "a")["0"]
    (source,) = details.values()
    assert source.values == first[:3]
    source.values = [1, 2, 3]
    assert play.note(text, Plan(baseline="a"), details)["result"] == [1, 2, 3, *first[3:]]


INDIFFERENT = {
    "numbers": "[x for x in {3, 1, 2.5, True}]",
    "tuples of numbers": "list({(1, 2), (3, 4)})",
    "one element": "list({'a'})",
    "sorted": "sorted({'a', 'b'})",
    "largest": "max({'a', 'b'})",
    "size": "len({'a', 'b'})",
    "no set": "[list('ab'), [*'ab'], dict.fromkeys('ab'), sum([1, 2])]",
    "union": "{'a'} | {'b'}",
}


@pytest.mark.parametrize("case", INDIFFERENT, ids=str)
def test_what_no_hash_seed_changes_is_not_noted(case: str, play: Play) -> None:
    """Sets of numbers, and uses to which the order is all one, are no suspects."""
    text = f"result = {INDIFFERENT[case]}"
    assert play.note(text)["result"] == eval(INDIFFERENT[case])  # noqa: S307  # our own texts
    assert play.noted() == {}


def test_sets_of_objects_are_noted_as_lying_by_address(play: Play) -> None:
    """The line is known, the order cannot be replayed; the kind is that of identities."""
    play.note("class A:\n    pass\nx = list({A() for _ in range(3)})\ny = sorted([A(), A()], key=lambda a: id(a))")
    found = play.noted()
    assert {(key, source.kind) for key, source in found.items()} == {
        ("set:3", "process-identity"),
        ("id:4", "process-identity"),
    }
    assert found["set:3"].values == [None]
    assert found["id:4"].values == [None, None]


def test_the_order_on_a_line_can_be_perturbed(play: Play) -> None:
    """On a chosen line sets have another order, `id` and `hash` other values, as unique as before, and nowhere else."""
    text = (
        "s = [str(i) for i in range(50)]\na = list(set(s))\nb = list(set(s))\n"
        "h = {hash(x) for x in s}\ni = [id(x) for x in s]"
    )
    plan = Plan(perturbs=("set@{0}:2", "hash@{0}:4", "id@{0}:5"))
    plan = Plan(perturbs=tuple(key.format(play.folder / "train.py") for key in plan.perturbs))
    space = play.note(text, plan)
    assert space["a"] != space["b"] == list(set(space["s"]))
    assert sorted(space["a"]) == sorted(space["b"])
    assert space["h"] != {hash(x) for x in space["s"]}
    assert (len(space["h"]), len(set(space["i"]))) == (50, 50)
    assert not set(space["i"]) & {id(x) for x in space["s"]}


def test_functions_of_the_user_get_the_set_itself(play: Play) -> None:
    """Only what does nothing but iterate is handed a list: others may ask for its type."""
    text = (
        "class Box:\n    def update(self, x):\n        return type(x)\n    extend = join = update\n"
        "def chain(x):\n    return type(x)\n"
        "s = set(WORDS)\nresult = [Box().update(s), Box().extend(s), chain(s), type(s), {'q'}.union(s) >= s]\n"
        "other = {'q'}\nother.update(s)"
    )
    space = play.note(text)
    assert space["result"] == [set, set, set, set, True]
    assert space["other"] == {"q", *WORDS}


def test_lines_of_errors_stay_as_they_are(play: Play) -> None:
    """A traceback names the lines of the source, and the text of what is wrong."""
    text = "s = set()\nfor x in [1]:\n    y = [\n        *s,\n        max(\n            s, key=len),\n    ]\n"
    with pytest.raises(ValueError, match="max") as caught:
        play.note(text)
    lines = [entry.lineno for entry in traceback.extract_tb(caught.tb) if "train.py" in entry.filename]
    assert lines == [5]


OWN_SOURCES = sorted(Path(__file__).parents[3].rglob("*.py"))


def test_any_source_compiles_and_keeps_its_positions() -> None:
    """Each expression that was there is where it was; checked on the tests of this project."""
    for path in random.Random(0).sample(OWN_SOURCES, 25):
        source = path.read_text(encoding="utf-8")
        code = compile_changed(source, str(path), Reordering())
        plain = compile(source, str(path), "exec", dont_inherit=True)
        assert lines_of(code) == lines_of(plain)
        assert code.co_flags == plain.co_flags


def lines_of(code: Any) -> set[int]:
    """Return the lines that have code, in nested functions too."""
    lines = {line for _, _, line in code.co_lines() if line}
    return lines.union(*(lines_of(const) for const in code.co_consts if hasattr(const, "co_lines")))


def test_super_and_what_looks_at_its_caller_work(play: Play) -> None:
    """`super()`, `locals()`, docstrings, future imports and positional-only parameters survive."""
    text = (
        '"""Docs."""\nfrom __future__ import annotations\nclass A(dict):\n    def pop(self, key="k", /):\n'
        "        return super().pop(key)\n    def __hash__(self):\n        return super(dict, self).__hash__() * 0 + 7"
        "\n"
        "def f(x: Undefined = 3):\n    return sorted(locals()), A(k=1).pop(), A(k=x).pop('k'), hash(A())\nresult = f()"
    )
    space = play.note(text)
    assert space["result"] == (["x"], 1, 3, 7)
    assert space["__doc__"] == "Docs."


def test_huge_sets_are_left_alone(play: Play) -> None:
    """Above a limit nothing is sorted or written."""
    play.note(f"s = {{str(i) for i in range({MAX_ITEMS + 1})}}\nresult = list(s)")
    assert play.noted() == {}


def test_noted_elements_are_limited(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that goes through sets for ever does not fill the disk."""
    monkeypatch.setattr("reproof.entropy.rewriting.orders.MAX_RANKS", 20)
    play.note("s = set(WORDS)\nfor _ in range(6):\n    list(s)")
    assert [value is None for value in play.noted()["set:3"].values] == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("items", "names"),
    [(["b", "a"], [1, 0]), ([("b", 1), ("a", 2)], [1, 0]), ([object(), object()], None), ([1, "a", None], [2, 0, 1])],
)
def test_elements_have_an_order_that_no_process_changes(items: list[Any], names: list[int] | None) -> None:
    """By their text and type; objects that lie by address have none."""
    assert find_canonical_order(items) == names


def test_what_is_a_set() -> None:
    """Sets and what is derived from them without another way to iterate; views and lists are none."""

    class Sorted(set[str]):
        def __iter__(self) -> Any:
            return iter(sorted(super().__iter__()))

    assert [is_set(x) for x in (set(), frozenset(), Sorted(), {}.keys(), [], "")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert is_unseeded({1, 2.0, (3, (4,))})
    assert not is_unseeded({1, "a"})
    assert name_of(frozenset({"b", "a"})) == name_of(frozenset({"a", "b"})) is not None
    assert name_of(ast.Name) == "ast.Name"


def test_functions_that_are_passed_on_are_noted(play: Play) -> None:
    """`key=hash`, `map(id, ...)` and `key=repr` count as calls on their line."""
    play.note(
        "class Node:\n    pass\nnodes = [Node(), Node()]\nsorted(WORDS, key=hash)\nlist(map(id, nodes))\n"
        "sorted(nodes, key=repr)\nsorted(WORDS, key=repr)\n"
    )
    assert {name: source.kind for name, source in play.noted().items()} == {
        "hash:4": "hash-order",
        "id:5": "process-identity",
        "id:6": "process-identity",
    }


def test_hashes_are_replayed_where_the_function_is_passed_on(play: Play) -> None:
    """Keys of a sort are those of the earlier run."""
    text = "result = list(map(hash, WORDS))"
    play.note(text)
    details = read_ledgers(play.folder / "a")["0"]
    next(iter(details.values())).values = list(range(len(WORDS)))
    assert play.note(text, Plan(baseline="a"), details)["result"] == list(range(len(WORDS)))


def test_names_of_the_users_own_stay_the_users(play: Play) -> None:
    """A function called `hash` and a variable called `id` are none of ours."""
    space = play.note(
        "def hash(x):\n    return x + x\nid = 5\nresult = [hash('a'), sorted([2, 1], key=hash), str(id)]\n"
    )
    assert space["result"] == ["aa", [1, 2], "5"]
    assert play.noted() == {}


def test_text_that_tells_an_address_is_noted(play: Play) -> None:
    """`repr` of an object without one of its own names its address; on a perturbed line it names another."""
    text = "class Node:\n    pass\nnode = Node()\nresult = repr(node), f'{node}', repr(node) == object.__repr__(node)\n"
    assert play.note(text)["result"][2] is True
    assert [source.kind for source in play.noted().values()] == ["process-identity"]
    key = next(iter(play.noted().values())).key
    assert play.note(text, Plan(perturbs=(key,)))["result"][2] is False


def test_sets_of_functions_lie_by_address(play: Play) -> None:
    """That functions have names does not make their order one of the hash seed."""
    play.note("def f(): pass\ndef g(): pass\nfor x in {f, g}:\n    pass\n")
    assert [source.kind for source in play.noted().values()] == ["process-identity"]
