"""Rules that write a line otherwise, so that a cause is gone: one call is replaced, all else stays as it stands.

A rule looks at one line, and knows of the rest of the script only which names it has there. A rewritten line ends in a
comment that says what else it needs. Which kind of cause has which rules is in `reproof.explain.kinds`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.explain.script import is_none
from reproof.explain.syntax import contains, last_name, sort_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.explain.syntax import Line

    Rule = Callable[[Line, str], str | None]
    """A line and what was called on it, to the line that should stand there, or None where the rule does not fit."""

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
LISTED: Final = (ast.List, ast.Tuple, ast.ListComp)
"""What holds the values of a tensor, and not its shape."""

KEEP_ORDER: Final = frozenset({"sorted", "range", "zip", "min", "max", "sum", "len"})
WALKERS: Final = frozenset({"list", "tuple", "enumerate", "iter", "fromkeys"})

TAKING: Final = (
    ("polars", "group_by", "maintain_order=True"),
    ("polars", "unique", "maintain_order=True"),
    ("polars", "sample", "seed={seed}"),
    ("polars", "shuffle", "seed={seed}"),
    ("pandas", "sample", "random_state={seed}"),
    ("albumentations", "Compose", "seed={seed}"),
)
"""Packages whose calls of this name give the same for the same arguments once they have one more."""

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


def seed_generator(line: Line, source: str) -> str | None:
    """`default_rng()` -> `default_rng(seed)`; the same for `seed()` and for a seed of None."""
    names = GENERATORS | ({"seed"} if "torch" not in source else set())
    for call in line.calls(names):
        if all(is_none(getattr(node, "value", None) or node) for node in sort_arguments(call)):
            return line.give_seed(call)
    return None


def seed_torch(line: Line, source: str) -> str | None:
    """`generator.seed()` -> `generator.manual_seed(seed)`, where nothing uses what it returns."""
    statement = line.statement
    if not isinstance(statement, ast.Expr):
        return None
    for call in line.calls({"seed"}):
        if "torch" in source and not call.args and isinstance(call.func, ast.Attribute):
            text = f"{line.text_of(call.func.value)}.manual_seed({line.names.seed})"
            return line.replace(call, text, line.names.advice)
    return None


def seed_outcome(line: Line, source: str) -> str | None:
    """`seed = torch.seed() % 2**32` -> `seed = 42`: what is assigned to a seed from a source that is none."""
    statement = line.statement
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
        return None
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    is_seed = len(targets) == 1 and "seed" in last_name(targets[0]).lower()
    if is_seed and any(contains(statement.value, name) for name in (short_name(source), *DRAWS)):
        return line.replace(statement.value, "42", "a fixed number, or an option of the script")
    return None


def seed_argument(line: Line, source: str) -> str | None:
    """`torch.manual_seed(int(time.time()))` -> `torch.manual_seed(seed)`: a seed that comes from a source.

    What is added to it, such as a rank, stays: `seed(os.getpid() + rank)` -> `seed(42 + rank)`.
    """
    for call in line.calls(SEEDING):
        for argument in sort_arguments(call):
            if contains(argument, short_name(source)):
                calls = [node for node in ast.walk(argument) if isinstance(node, ast.Call)]
                read = next((node for node in calls if last_name(node.func) == short_name(source)), argument)
                inside = {id(child) for part in (read, *(c.func for c in calls)) for child in ast.walk(part)}
                is_joined = any(isinstance(node, ast.Name) and id(node) not in inside for node in ast.walk(argument))
                return line.replace(read, line.names.seed, line.names.advice) if is_joined else line.give_seed(call)
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
            return line.add(call, f"random_state={line.names.seed}", line.names.advice)
    return None


def fix_unseen(line: Line, source: str) -> str | None:
    """`table.group_by(key)` of polars -> `table.group_by(key, maintain_order=True)`; others take a seed."""
    for package, name, argument in TAKING:
        if source.partition(".")[0] != package:
            continue
        for call in line.calls({name}):
            if all(keyword.arg != argument.partition("=")[0] for keyword in call.keywords):
                comment = line.names.advice if "{seed}" in argument else ""
                return line.add(call, argument.format(seed=line.names.seed), comment)
    return None


def draw_seeded(line: Line, _: str) -> str | None:
    """`secrets.randbelow(9)` -> `rng.randrange(9)`, with a generator that is made once."""
    made = f"with rng = random.Random({line.names.seed}), made once"
    for call in line.calls({"SystemRandom"}):
        return line.give_seed(call).replace("SystemRandom(", "Random(")
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
        elif id(node) not in inside and isinstance(node, ast.Call) and is_call:
            walked.append((node if last_name(node.func) == "list" else node.args[0], node.args[0]))
        elif id(node) not in inside and isinstance(node, ast.Call) and last_name(node.func) in {"map", "zip"}:
            arguments = node.args[1:] if last_name(node.func) == "map" else node.args
            walked.extend((argument, argument) for argument in arguments)
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
    statement = line.statement
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return None
    value = statement.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "pop":
        name, items = statement.targets[0].id, line.text_of(value.func.value)
        return None if value.args else f"{name} = min({items}); {items}.remove({name})"
    return None


def sort_made(line: Line, _: str) -> str | None:
    """`words = set(text)` -> what to write where the set is walked."""
    statement = line.statement
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


REDUCTIONS: Final = frozenset({"all", "any", "max", "mean", "min", "nanmax", "nanmin", "prod", "std", "sum", "var"})
"""Functions of NumPy whose `where` leaves nothing unwritten."""


def fill_memory(line: Line, _: str) -> str | None:
    """`torch.empty(n)` -> `torch.zeros(n)`; the same for NumPy and `torch.Tensor(n)`; weights get random numbers."""
    weights = {id(child) for call in line.calls({"Parameter"}) for child in call.args}
    for call in line.calls({*EMPTY, "Tensor"}):
        is_method = isinstance(call.func, ast.Attribute)
        prefix = f"{line.text_of(call.func.value)}." if isinstance(call.func, ast.Attribute) else ""
        name = last_name(call.func)
        if name == "Tensor" and (not is_method or not call.args or isinstance(call.args[0], LISTED)):
            continue
        if id(call) in weights and prefix == "torch." and len(call.args) > 1:
            return line.replace(
                call,
                f"torch.nn.init.normal_({line.text_of(call)}, std=0.02)",
                "after torch.manual_seed; not zeros: weights that are equal stay equal",
            )
        return line.replace(call.func, prefix + EMPTY.get(name, "zeros"))
    return None


def give_output(line: Line, _: str) -> str | None:
    """`np.divide(a, b, where=c)` -> with `out=np.zeros_like(a)`: else nothing writes where the condition is false.

    Source: https://numpy.org/doc/stable/reference/ufuncs.html#ufuncs-kwargs on `where`.
    """
    for call in (node for node in line.nodes if isinstance(node, ast.Call)):
        names = {keyword.arg for keyword in call.keywords}
        if "where" in names and "out" not in names and call.args and last_name(call.func) not in REDUCTIONS:
            module = line.text_of(call.func.value) if isinstance(call.func, ast.Attribute) else "np"
            return line.add(call, f"out={module}.zeros_like({line.text_of(call.args[0])})", "in the type of the result")
    return None


def choose_algorithm(line: Line, _: str) -> str | None:
    """`torch.backends.cudnn.benchmark = True` -> False."""
    for node in line.nodes:
        if isinstance(node, ast.Assign) and last_name(node.targets[0]) == "benchmark":
            return line.replace(node.value, "False")
    return None


def select_in_order(line: Line, source: str) -> str | None:
    """`table[index]` -> what has its gradient added in order, where that of indexing is to blame."""
    if "index_put" not in source:
        return None
    for node in line.nodes:
        is_read = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        if is_read and isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name | ast.Attribute):
            selected = f"torch.index_select({line.text_of(node.value)}, 0, {line.text_of(node.slice)})"
            return (
                "torch.use_deterministic_algorithms(True)    # in the first lines; or, without its cost elsewhere and "
                f"where the index has one dimension, {selected} in place of {line.text_of(node)}"
            )
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
    """`if path.exists():` -> `if args.resume and path.exists():`, or `resume` where there are no `args`."""
    asked = "args.resume" if "args" in line.names.visible else "resume"
    for node in line.nodes:
        names = ("exists", "isfile", "is_file")
        is_asked = isinstance(node, ast.If) and isinstance(node.test, ast.Call) and last_name(node.test.func) in names
        if is_asked and isinstance(node, ast.If):
            return line.replace(node.test, f"{asked} and {line.text_of(node.test)}", "only if it was asked for")
    return None


def short_name(source: str) -> str:
    """Return the last part of the name of a source."""
    return source.rpartition(".")[2]
