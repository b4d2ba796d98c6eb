"""What to write instead of the line that is to blame, for every kind of cause.

Where one line can be written otherwise without knowing the rest of the script, it is: its syntax is read, one call is
replaced, all else stays as it stands. Else the remedy is an instruction. A rewritten line ends in a comment that says
what else it needs.

Left out: which line is to blame (`reproof.explain.search`), and what each kind is (`docs/causes/`).
"""

from __future__ import annotations

import ast
import io
import itertools
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.schema import CAUSE_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    Rule = Callable[["Line", str], str | None]

PAGES: Final = "https://github.com/reproof/reproof/blob/main/docs/causes"

GENERATORS: Final = frozenset(
    {"Random", "default_rng", "RandomState", "SeedSequence", "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
)
"""Calls that take entropy of the operating system if they are given no seed."""

SEEDING: Final = GENERATORS | {"seed", "manual_seed", "manual_seed_all", "set_seed", "seed_everything", "seed_all"}
"""Calls whose arguments are a seed and nothing else."""

SPLITTERS: Final = frozenset(
    {"train_test_split", "ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit", "RepeatedKFold", "resample"}
    | {f"make_{name}" for name in ("classification", "regression", "blobs", "moons", "circles", "friedman1")}
)
"""Calls of scikit-learn that draw from NumPy's global generator if they are given no `random_state`."""

LISTINGS: Final = frozenset({"listdir", "scandir", "glob", "iglob", "rglob", "iterdir", "walk", "fwalk"})
EMPTY: Final = {name: name.replace("empty", "zeros") for name in ("empty", "empty_like", "new_empty")}
KEEP_ORDER: Final = frozenset({"sorted", "range", "zip", "min", "max", "sum", "len"})
WALKERS: Final = frozenset({"list", "tuple", "enumerate", "iter"})

DRAWS: Final = {
    "urandom": "rng.randbytes({})",
    "token_bytes": "rng.randbytes({})",
    "token_hex": "rng.randbytes({}).hex()",
    "randbits": "rng.getrandbits({})",
    "randbelow": "rng.randrange({})",
    "uuid1": "uuid.UUID(int=rng.getrandbits(128), version=4)",
    "uuid4": "uuid.UUID(int=rng.getrandbits(128), version=4)",
}
"""Draws of the operating system, and the same from a seeded `random.Random`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What removes a cause.

    Attributes:
        kind: Kind of the cause.
        fix: What to write instead, or what to do.
        reason: Why the line is to blame, in one sentence.
        link: Page about causes of this kind.
    """

    kind: str
    fix: str
    reason: str
    link: str


def remedy_for(kind: str, source: str, text: str) -> Remedy:
    """Return the remedy for a cause.

    Args:
        kind: One of `reproof.schema.CAUSE_KINDS`.
        source: What was called or used, such as ``numpy.random.default_rng``, ``set`` or ``aten::index_put_``.
        text: The user's line, or nothing where no line is known.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in CAUSE_KINDS:
        raise ValueError(f"no such kind of cause: {kind!r}; one of {', '.join(CAUSE_KINDS)}")
    line = Line.read(text)
    fix = None if line is None else next((fix for rule in RULES.get(kind, ()) if (fix := rule(line, source))), None)
    return Remedy(
        kind=kind,
        fix=fix or instruct(kind, source, line.code if line is not None else ""),
        reason=REASONS[kind].format(source=source),
        link=f"{PAGES}/{kind}.md",
    )


class Line(NamedTuple):
    """A line of a script.

    Attributes:
        code: The line without its indentation and its comment.
        nodes: Its syntax, outer nodes before inner ones; empty for a part of a longer statement.
    """

    code: str
    nodes: tuple[ast.AST, ...]

    @classmethod
    def read(cls, text: str) -> Line | None:
        """Read a line; None if there is nothing on it."""
        code = cut_comment(text.strip())
        return cls(code, tuple(ast.walk(parse(code)))) if code else None

    def calls(self, names: Container[str]) -> Iterator[ast.Call]:
        """Yield the calls of functions with these names, wherever they come from, the outer before the inner."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and last_name(node.func) in names:
                yield node

    def has(self, name: str) -> bool:
        """Whether a name or an attribute of this name is on the line."""
        return any(last_name(node) == name for node in self.nodes)

    def text_of(self, node: ast.AST | None) -> str:
        """Return the source text of a node."""
        return "" if node is None else self._bytes[node.col_offset : node.end_col_offset].decode()  # type: ignore[attr-defined]

    def replace(self, node: ast.AST, text: str, comment: str = "") -> str:
        """Return the line with another text in a node's place, and with a comment."""
        start, end = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        code = self._bytes[:start].decode() + text + self._bytes[end:].decode()
        return f"{code}    # {comment}" if comment else code

    def give(self, call: ast.Call, arguments: str, comment: str = "") -> str:
        """Return the line with other arguments in a call."""
        return self.replace(call, f"{self.text_of(call.func)}({arguments})", comment)

    def add(self, call: ast.Call, argument: str, comment: str = "") -> str:
        """Return the line with one more argument in a call."""
        inside = ", ".join(self.text_of(node) for node in sort_arguments(call))
        return self.give(call, f"{inside}, {argument}" if inside else argument, comment)

    @property
    def _bytes(self) -> bytes:
        """The line in UTF-8, in whose bytes syntax nodes are placed."""
        return self.code.encode()


def cut_comment(text: str) -> str:
    """Return a line without its comment; a line that is part of a string keeps what looks like one."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                return text[: token.start[1]].rstrip()
    except (tokenize.TokenError, SyntaxError):
        pass
    return text


def parse(code: str) -> ast.Module:
    """Return the syntax of one line, which may be the head of a block; nothing, if it is a part of a statement."""
    for candidate in (code, f"{code} pass", f"if 0: pass\n{code} pass", code.removesuffix(",")):
        try:
            return ast.parse(candidate)
        except (SyntaxError, ValueError):
            continue
    return ast.Module(body=[], type_ignores=[])


def last_name(node: ast.AST) -> str:
    """Return the last part of a dotted name, or nothing."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def short_name(source: str) -> str:
    """Return the last part of the name of a source."""
    return source.rpartition(".")[2]


def sort_arguments(call: ast.Call) -> list[ast.AST]:
    """Return the arguments of a call in the order in which they are written."""
    nodes: list[ast.AST] = [*call.args, *call.keywords]
    return sorted(nodes, key=lambda node: node.col_offset)  # type: ignore[attr-defined]


def contains(node: ast.AST, name: str) -> bool:
    """Whether a name is used somewhere in a node."""
    return any(last_name(child) == name for child in ast.walk(node))


def is_none(node: ast.AST) -> bool:
    """Whether a node is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


# --- rules: a line and a source to the line that should stand there, or None ------------------------------------------


def seed_generator(line: Line, source: str) -> str | None:
    """`default_rng()` -> `default_rng(seed)`; the same for `seed()` and for a seed of None."""
    names = GENERATORS | ({"seed"} if "torch" not in source else set())
    for call in line.calls(names):
        if all(is_none(getattr(node, "value", None) or node) for node in sort_arguments(call)):
            return line.give(call, "seed", "pass the run's seed")
    return None


def seed_torch(line: Line, source: str) -> str | None:
    """`generator.seed()` -> `generator.manual_seed(seed)`, where nothing uses what it returns."""
    statement = line.nodes[1] if len(line.nodes) > 1 else None
    if not isinstance(statement, ast.Expr):
        return None
    for call in line.calls({"seed"}):
        if "torch" in source and not call.args and isinstance(call.func, ast.Attribute):
            return line.replace(call, f"{line.text_of(call.func.value)}.manual_seed(seed)", "pass the run's seed")
    return None


def seed_outcome(line: Line, source: str) -> str | None:
    """`seed = torch.seed() % 2**32` -> `seed = 42`: what is assigned to a seed from a source that is none."""
    statement = line.nodes[1] if len(line.nodes) > 1 else None
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
        return None
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    is_seed = len(targets) == 1 and "seed" in last_name(targets[0]).lower()
    if is_seed and contains(statement.value, short_name(source)):
        return line.replace(statement.value, "42", "a fixed number, or an option of the script")
    return None


def seed_argument(line: Line, source: str) -> str | None:
    """`torch.manual_seed(int(time.time()))` -> `torch.manual_seed(seed)`: a seed that comes from a source."""
    for call in line.calls(SEEDING):
        if any(contains(node, short_name(source)) for node in sort_arguments(call)):
            return line.give(call, "seed", "pass the run's seed")
    return None


def seed_worker(line: Line, _: str) -> str | None:
    """`np.random.seed(time.time_ns())` -> the seed that PyTorch gave this worker."""
    for call in line.calls((GENERATORS | {"seed"}) - {"SeedSequence"}):
        is_torch = isinstance(call.func, ast.Attribute) and contains(call.func.value, "torch")
        if not is_torch:
            return line.give(call, "torch.initial_seed() % 2**32", "PyTorch's seed of this worker")
    return None


def fix_state(line: Line, _: str) -> str | None:
    """`train_test_split(x, y)` -> `train_test_split(x, y, random_state=seed)`."""
    for call in line.calls(SPLITTERS):
        if all(keyword.arg != "random_state" for keyword in call.keywords):
            return line.add(call, "random_state=seed", "pass the run's seed")
    return None


def draw_seeded(line: Line, _: str) -> str | None:
    """`secrets.randbelow(9)` -> `rng.randrange(9)`, with a generator that is made once."""
    made = "with rng = random.Random(seed), made once"
    for call in line.calls({"SystemRandom"}):
        return line.give(call, "seed", "pass the run's seed").replace("SystemRandom(", "Random(")
    for call in line.calls(DRAWS):
        arguments = ", ".join(line.text_of(node) for node in sort_arguments(call))
        if arguments or "{}" not in DRAWS[last_name(call.func)]:
            return line.replace(call, DRAWS[last_name(call.func)].format(arguments), made)
    for call in line.calls({"choice"}):
        if isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "secrets":
            return line.replace(call.func, "rng.choice", made)
    return None


def count_steps(line: Line, source: str) -> str | None:
    """`while time.time() < end:` -> `for step in range(num_steps):`."""
    is_loop = any(isinstance(node, ast.While) and contains(node.test, short_name(source)) for node in line.nodes)
    return "for step in range(num_steps):    # a number of steps instead of a time" if is_loop else None


def hash_stably(line: Line, _: str) -> str | None:
    """`hash(name)` -> `zlib.crc32(repr(name).encode())`."""
    for call in line.calls({"hash"}):
        if len(call.args) == 1 and isinstance(call.func, ast.Name):
            text = f"zlib.crc32(repr({line.text_of(call.args[0])}).encode())"
            return line.replace(call, text, "the same in every process")
    return None


def sort_walk(line: Line, _: str) -> str | None:
    """`for word in words:` -> `for word in sorted(words):`, where only one thing on the line is walked."""
    inside = {id(child) for node in line.nodes if makes_set(node) for child in ast.walk(node)}
    walked: list[tuple[ast.AST, ast.expr]] = []
    for node in line.nodes:
        is_call = isinstance(node, ast.Call) and node.args and last_name(node.func) in WALKERS | {"join"}
        if id(node) not in inside and isinstance(node, ast.For | ast.comprehension):
            walked.append((node.iter, node.iter))
        elif isinstance(node, ast.Call) and is_call:
            walked.append((node if last_name(node.func) == "list" else node.args[0], node.args[0]))
    found = [(whole, items) for whole, items in walked if not walks_another(items)]
    if len(found) != 1:
        return None
    return line.replace(found[0][0], f"sorted({line.text_of(found[0][1])})")


def makes_set(node: ast.AST) -> bool:
    """Whether a node makes a set."""
    is_call = isinstance(node, ast.Call) and last_name(node.func) in {"set", "frozenset"}
    return is_call or isinstance(node, ast.Set | ast.SetComp)


def walks_another(node: ast.expr) -> bool:
    """Whether a node only walks something else, or has an order of its own."""
    names = WALKERS | KEEP_ORDER
    is_call = isinstance(node, ast.Call) and bool(node.args) and last_name(node.func) in names
    return is_call or isinstance(node, ast.GeneratorExp | ast.ListComp)


def pop_least(line: Line, _: str) -> str | None:
    """`item = waiting.pop()` -> `item = min(waiting); waiting.remove(item)`."""
    statement = line.nodes[1] if len(line.nodes) > 1 else None
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return None
    value = statement.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "pop":
        name, items = statement.targets[0].id, line.text_of(value.func.value)
        return None if value.args else f"{name} = min({items}); {items}.remove({name})"
    return None


def sort_made(line: Line, _: str) -> str | None:
    """`words = set(text)` -> what to write where the set is walked."""
    statement = line.nodes[1] if len(line.nodes) > 1 else None
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not makes_set(statement.value):
        return None
    name = line.text_of(statement.targets[0])
    return f"sorted({name})    # wherever {name} is walked: in a loop, in list(), enumerate() or join()"


def sort_listing(line: Line, _: str) -> str | None:
    """`os.listdir(folder)` -> `sorted(os.listdir(folder))`; entries of `scandir` by name, `walk` in place."""
    for call in line.calls(LISTINGS):
        name, text = last_name(call.func), line.text_of(call)
        loop = next((node for node in line.nodes if isinstance(node, ast.For) and node.iter is call), None)
        if name in {"walk", "fwalk"}:
            return None if loop is None else _sort_walked_folders(line, loop)
        is_open = any(isinstance(node, ast.withitem) and node.context_expr is call for node in line.nodes)
        if is_open or any(call in sorting.args for sorting in line.calls(KEEP_ORDER)):
            return None
        by_name = ", key=lambda entry: entry.name" if name == "scandir" else ""
        return line.replace(call, f"sorted({text}{by_name})")
    return None


def _sort_walked_folders(line: Line, loop: ast.For) -> str | None:
    """`for root, folders, files in os.walk(top):` with both lists sorted first, which also orders what comes next."""
    if not isinstance(loop.target, ast.Tuple) or not all(isinstance(name, ast.Name) for name in loop.target.elts):
        return None
    names = [last_name(name) for name in loop.target.elts]
    if len(names) == 3 and names[1] == "_":  # noqa: PLR2004 -- root, folders, files
        names[1] = "folders"
    sorts = "".join(f"\n    {name}.sort()" for name in names[1:3] if name != "_")
    return line.replace(loop.target, ", ".join(names)) + sorts


def keep_order(line: Line, _: str) -> str | None:
    """`as_completed(futures)` -> `futures`; `imap_unordered` -> `imap`; `in_order=False` -> True."""
    for call in line.calls({"as_completed"}):
        if call.args and not contains(call.func, "asyncio"):
            return line.replace(call, line.text_of(call.args[0]), "a list, in the order of submission")
    for call in line.calls({"imap_unordered"}):
        if isinstance(call.func, ast.Attribute):
            return line.replace(call.func, f"{line.text_of(call.func.value)}.imap")
    for call in line.calls({"DataLoader"}):
        for keyword in call.keywords:
            if keyword.arg == "in_order":
                return line.replace(keyword.value, "True")
    return None


def fill_memory(line: Line, _: str) -> str | None:
    """`torch.empty(n)` -> `torch.zeros(n)`; the same for NumPy and for `torch.Tensor(n)`."""
    for call in line.calls(EMPTY):
        prefix = f"{line.text_of(call.func.value)}." if isinstance(call.func, ast.Attribute) else ""
        return line.replace(call.func, prefix + EMPTY[last_name(call.func)])
    for call in line.calls({"Tensor"}):
        is_shape = call.args and not isinstance(call.args[0], ast.List | ast.Tuple | ast.ListComp)
        if is_shape and isinstance(call.func, ast.Attribute):
            return line.replace(call.func, f"{line.text_of(call.func.value)}.zeros")
    return None


def choose_algorithm(line: Line, _: str) -> str | None:
    """`torch.backends.cudnn.benchmark = True` -> False."""
    for node in line.nodes:
        if isinstance(node, ast.Assign) and last_name(node.targets[0]) == "benchmark":
            return line.replace(node.value, "False")
    return None


def fix_number(line: Line, _: str) -> str | None:
    """`num_workers=os.cpu_count()` -> `num_workers=2`; the same for `torch.set_num_threads(...)`."""
    for call in line.calls({"set_num_threads"}):
        if not all(isinstance(node, ast.Constant) for node in call.args):
            return line.give(call, "1", "a fixed number, the same on every machine")
    for node in line.nodes:
        if isinstance(node, ast.keyword) and node.arg == "num_workers" and not isinstance(node.value, ast.Constant):
            return line.replace(node.value, "2", "a fixed number, the same on every machine")
    return None


def ask_to_resume(line: Line, _: str) -> str | None:
    """`if path.exists():` -> `if args.resume and path.exists():`."""
    for node in line.nodes:
        names = ("exists", "isfile", "is_file")
        is_asked = isinstance(node, ast.If) and isinstance(node.test, ast.Call) and last_name(node.test.func) in names
        if is_asked and isinstance(node, ast.If):
            return line.replace(node.test, f"args.resume and {line.text_of(node.test)}", "only if it was asked for")
    return None


_OUTSIDE: Final = (seed_argument, seed_outcome)

RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "unseeded-rng": (fix_state, seed_outcome, seed_torch, seed_generator),
    "unseeded-generator": (seed_outcome, seed_torch, seed_generator),
    "worker-seeding": (seed_worker,),
    "os-entropy": (*_OUTSIDE, draw_seeded, seed_generator),
    "wall-clock": (*_OUTSIDE, count_steps),
    "process-identity": _OUTSIDE,
    "hash-order": (*_OUTSIDE, hash_stably, pop_least, sort_made, sort_walk),
    "listing-order": (sort_listing,),
    "state-on-disk": (ask_to_resume,),
    "concurrency": (keep_order,),
    "uninitialized-memory": (fill_memory,),
    "nondeterministic-op": (choose_algorithm,),
    "thread-count": (fix_number,),
    "worker-count": (fix_number,),
    "environment": _OUTSIDE,
}
"""Rules of each kind, the most specific first."""

# --- instructions: where one line does not say enough -----------------------------------------------------------------

INSTRUCTIONS: Final = {
    "unseeded-rng torch": "torch.manual_seed(seed)    # once, before the first draw, and so before this line",
    "unseeded-rng numpy": "np.random.seed(seed)    # once, before the first draw, and so before this line",
    "unseeded-rng random": "random.seed(seed)    # once, before the first draw, and so before this line",
    "unseeded-rng": "reproof.deterministic(seed=42)    # before this line: seeds random, NumPy and PyTorch",
    "unseeded-generator torch": "generator.manual_seed(seed)    # in place of generator.seed()",
    "unseeded-generator": "give the generator the run's seed where it is made, e.g. np.random.default_rng(seed)",
    "worker-seeding": "DataLoader(..., worker_init_fn=reproof.seed_worker)    # a generator of a worker's own takes "
    "torch.initial_seed() as its seed",
    "os-entropy SystemRandom": "make the generator with random.Random(seed) in place of random.SystemRandom()",
    "os-entropy tempfile": "compute nothing from the temporary name, and sort by something else",
    "os-entropy": "draw it from a generator with the run's seed, e.g. rng = random.Random(seed), made once",
    "wall-clock": "compute it from what the training counts (step, epoch, samples), or pass the time as an option",
    "process-identity set": "keep the objects in a list or a dict, which have an order, or sort by a field of theirs",
    "process-identity": "use a number that the script fixes: its seed, the worker's number, the rank",
    "hash-order PYTHONHASHSEED": "PYTHONHASHSEED=0 python train.py    # or walk sorted(...) of each set of strings",
    "hash-order hash": "take zlib.crc32(text.encode()) or hashlib in place of hash()",
    "hash-order": "walk sorted(...) of the set, or collect in a dict (dict.fromkeys(items)), which keeps its order",
    "listing-order walk": "folders.sort(); files.sort()    # first in the loop over os.walk(...)",
    "listing-order scandir": "for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):",
    "listing-order": "sort the listing before it is used: sorted(...)",
    "state-on-disk": "read it only if that was asked for (an option --resume), or start from an empty folder; a cache "
    "must give back the very bits that it saves computing",
    "concurrency Queue": "put (number, item) into the queue, and use the items in the order of their numbers",
    "concurrency Thread": "let each thread write to a place of its own, join them, then combine in a fixed order",
    "concurrency random": "np.random.default_rng([seed, index])    # a generator for each task, shared by none",
    "concurrency asyncio": "results = await asyncio.gather(*tasks)    # in the order of the tasks",
    "concurrency": "take the results in the order of submission: executor.map(...), pool.imap(...), or sort them",
    "uninitialized-memory np.": "np.zeros(...)    # or write every element before it is read",
    "uninitialized-memory numpy": "np.zeros(...)    # or write every element before it is read",
    "uninitialized-memory": "torch.zeros(...)    # or fill it (torch.nn.init) before it is read",
    "nondeterministic-op index_put": "torch.use_deterministic_algorithms(True)    # in the first lines; or, without "
    "its cost elsewhere, torch.index_select(x, 0, index) in place of x[index]",
    "nondeterministic-op cudnn": "torch.backends.cudnn.benchmark = False; torch.backends.cudnn.deterministic = True",
    "nondeterministic-op": "torch.use_deterministic_algorithms(True)    # in the first lines of the script",
    "thread-count": "torch.set_num_threads(1)    # a fixed number, in the first lines; or start with OMP_NUM_THREADS=1",
    "worker-count": "DataLoader(..., num_workers=2)    # a fixed number; or let no sample depend on its worker: "
    "np.random.default_rng([seed, index])",
    "environment getcwd": "let no seed and no order follow from a path; find files by Path(__file__).parent",
    "environment ATEN": "ATEN_CPU_CAPABILITY=default python train.py    # one code path on every processor",
    "environment ONEDNN": "ONEDNN_MAX_CPU_ISA=AVX2 python train.py    # one code path on every processor that has it",
    "environment MKL": "MKL_CBWR=COMPATIBLE python train.py    # one code path on every processor",
    "environment fromtimestamp": "give the time zone: datetime.fromtimestamp(stamp, timezone.utc)",
    "environment TZ": "give the time zone, e.g. timezone.utc, wherever a time becomes a date or an hour",
    "environment locale": 'locale.setlocale(locale.LC_ALL, "C")    # in the first lines; or sort by plain code points',
    "environment LC_": 'locale.setlocale(locale.LC_ALL, "C")    # in the first lines; or sort by plain code points',
    "environment CUBLAS": "CUBLAS_WORKSPACE_CONFIG=:4096:8 python train.py    # before CUDA is used",
    "environment": "fix it where the run is started, and write it down with the results",
    "code-change": "run both from the same commit, or take the newer run as the baseline",
    "data-change": "run both on the same files, or take the newer run as the baseline",
}
"""What to do about a kind; before that, about a kind if a word is in the source or on the line."""

REASONS: Final = {
    "unseeded-rng": "This draws from a global generator that nothing has seeded, so each run gets other numbers.",
    "unseeded-generator": "{source} takes a new seed from the operating system in each run.",
    "worker-seeding": "The loader's workers get another seed in each run, and PyTorch's own seeding is overridden.",
    "os-entropy": "{source} gives other bytes in each run, whatever is seeded.",
    "wall-clock": "{source} gives another value in each run, and it reaches the training.",
    "process-identity": "{source} is another one in each process, and it reaches the training.",
    "hash-order": "Hashes of strings, and with them the order of sets, follow a key that each process draws anew.",
    "listing-order": "A folder is listed in the order of the file system, which differs between machines and copies.",
    "state-on-disk": "This reads a file that an earlier run wrote: a second run starts from what the first one left.",
    "concurrency": "The order depends on which thread or process happens to be faster.",
    "uninitialized-memory": "New memory holds whatever was there before, and this is read before it is written.",
    "nondeterministic-op": "{source} adds numbers in an order that is not fixed, and so rounds differently.",
    "thread-count": "Sums are split over the threads, so their number decides how they are rounded.",
    "worker-count": "What a sample becomes depends on which worker makes it, and so on how many there are.",
    "environment": "The result depends on the surroundings ({source}), which differ between machines or users.",
    "code-change": "The two runs executed different code.",
    "data-change": "The two runs read different data.",
}
"""One sentence for each kind."""


def instruct(kind: str, source: str, code: str) -> str:
    """Return what to do about a kind of cause, by what was called, else by what is on the line."""
    known = [(key.partition(" ")[2], text) for key, text in INSTRUCTIONS.items() if key.partition(" ")[0] == kind]
    by_source = (text for word, text in known if word and word in source)
    by_line = (text for word, text in known if word in code)
    return next(itertools.chain(by_source, by_line))
