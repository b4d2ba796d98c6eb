"""The user's modules are compiled so that what calls are given and return passes through us, and do what they did."""

from __future__ import annotations

import ast
import traceback
from typing import Any

import pytest

from reproof.entropy.calls.watching import ENTERED, ITEMS, PASSED, RETURNED, VALUE
from reproof.entropy.rewriting.hooking import Hooking
from reproof.entropy.rewriting.recompiling import compile_changed

TRICKY = """
from __future__ import annotations
import asyncio, collections, dataclasses, enum, functools, json
class Kind(enum.Enum):
    A = "a"
    B = "b"
class Base:
    def __init__(self, x: "json.nothing" = max(1, 2)): self.__x = x
    @property
    def x(self): return self.__x
    @classmethod
    def make(cls, *a, **k): return cls(*a, **k)
class Derived(Base):
    count = sum([1, 2])
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.names = [*(str(i) for i in sorted({3, 1, 2}))]
@dataclasses.dataclass
class Row:
    a: int
    b: list = dataclasses.field(default_factory=lambda: list("xy"))
def walk(n):
    got = yield n
    if n: yield from walk(n - 1)
    return got
def local():
    here = max([1, 5])
    return sorted(locals())
async def wait(n):
    await asyncio.sleep(0)
    return [x async for x in later(n)]
async def later(n):
    for i in range(n): yield await asyncio.sleep(0, i)
def choose(kind):
    match kind:
        case Kind.A: return "first"
        case Row(a=1, b=[x, *rest]) if len(rest) > 0: return x
        case {"k": v, **others}: return (v, sorted(others))
        case _: return None
@functools.lru_cache(maxsize=None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
d = Derived(x=4)
text = f"{d.x!r:>5} {max(1, 2)} {'%s' % json.dumps({'a': [1]})}"
if (found := max(3, (y := 4))) > 3: text += str(found + y)
gen = walk(2)
first = next(gen)
counts = collections.Counter("abca").most_common(1)
try:
    json.loads("{")
except ValueError as error:
    text += type(error).__name__
a, *rest = map(int, "123")
result = [text, d.names, Derived.count, Derived.make(9).x, Row(1), first, list(gen), local(), counts, a, rest,
    asyncio.run(wait(3)), choose(Kind.A), choose(Row(1)), choose({"k": 1, "z": 2}), fib(20),
    {k: v for k, v in zip("ab", (1, 2))}, (lambda *p, q=max(1, 2): (p, q))(*[1], **{"q": 5})]
"""

IDENTITY: dict[str, Any] = {
    ENTERED: lambda _spot, function: function,
    PASSED: lambda value: value,
    RETURNED: lambda _spot, value: value,
    VALUE: lambda _spot, value: value,
    ITEMS: lambda _spot, items: items,
}


def run(source: str, **hooks: Any) -> dict[str, Any]:
    """Run a module that is compiled so."""
    names = {"__name__": __name__, **IDENTITY, **hooks}
    exec(compile_changed(source, "module.py", Hooking("module.py")), names)  # noqa: S102  # what is tested
    return names


def test_a_changed_module_does_what_it_did() -> None:
    """Classes, generators, coroutines, patterns, names and errors."""
    plain: dict[str, Any] = {"__name__": __name__}
    exec(compile(TRICKY, "module.py", "exec", dont_inherit=True), plain)  # noqa: S102  # to compare with
    assert repr(run(TRICKY)["result"]) == repr(plain["result"])


def test_the_call_stays_in_its_frame_on_its_line() -> None:
    """So that whoever looks at the stack sees no more than before."""
    names = run("import json\n\ndef read():\n    return json.loads(\n        '{')\n")
    with pytest.raises(ValueError, match="Expecting") as caught:
        names["read"]()
    frames = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == "module.py"]
    assert [frame.lineno for frame in frames] == [4]


def test_what_is_passed_is_named_by_its_place() -> None:
    """A call with what it is given; an attribute; the items of a loop."""
    seen: list[Any] = []
    run(
        "import os\nclass A: pass\na = A(); a.b = [1]\nfor x in a.b: os.path.join('p', str(x))",
        **{
            ENTERED: lambda spot, f: seen.append(spot.split("\t")[1:]) or f,
            VALUE: lambda spot, v: seen.append(spot.split("\t")[1:]) or v,
            ITEMS: lambda spot, v: seen.append(spot.split("\t")[1:]) or v,
        },
    )
    assert seen == [
        ["3", "4", "call", "A"],
        ["4", "9", "value", "a.b"],
        ["4", "9", "item", "a.b"],
        ["4", "14", "call", "os.path.join"],
        ["4", "32", "call", "str"],
    ]


@pytest.mark.parametrize(
    "source",
    [
        "@numba.njit\ndef f(x): return g(x)",
        "@torch.jit.script\ndef f(x): return g(x.y)",
        "f = lambda: print(len('a'), isinstance(1, int))",
        "x: list[g(1)]",
        "def f(x: g(1)) -> g(2): pass",
    ],
)
def test_what_a_compiler_reads_or_tells_nothing_is_left(source: str) -> None:
    """Functions that are compiled, annotations, and calls that only look."""
    changed = ast.unparse(Hooking("m.py").visit(ast.parse(source)))
    assert "__reproof_returned__" not in changed.replace("__reproof_returned__('m.py\\t1\\t1\\tcall\\tnumba.njit", "")


def test_functions_that_are_compiled_later_are_left() -> None:
    """By their names, and `forward`, which a compiled model runs."""
    source = "def f(x): return g(x)\nclass M:\n    def forward(self, x): return g(x)\nfast = torch.compile(f)"
    changed = ast.unparse(Hooking("m.py").visit(ast.parse(source)))
    assert changed.count("__reproof_entered__") == 1
