"""What stands on a line after it is rewritten: one call is replaced, and all else stays as it stands."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.kinds import KINDS
from reproof.explain.rewriting import seed_generator
from reproof.explain.script import read_names
from reproof.explain.syntax import Line

if TYPE_CHECKING:
    from reproof.schema import CauseKind

REWRITTEN = """
# generators without a seed
unseeded-generator numpy.random.default_rng
- rng = np.random.default_rng()
+ rng = np.random.default_rng(seed)
unseeded-generator random.Random
- self.rng = Random(None)  # ours
+ self.rng = Random(seed)
unseeded-generator numpy.random.RandomState
- noise=np.random.RandomState(seed=None),
+ noise=np.random.RandomState(seed),
unseeded-generator numpy.random.SeedSequence
- a, b = SeedSequence().spawn(2)
+ a, b = SeedSequence(seed).spawn(2)
unseeded-generator torch.Generator.seed
- order.seed()
+ order.manual_seed(seed)
unseeded-rng torch.seed
- torch.seed()
+ torch.manual_seed(seed)
- seed = torch.seed() % 2**32
+ seed = 42
- split = torch.Generator().manual_seed(torch.seed())
+ split = torch.Generator().manual_seed(seed)
unseeded-rng numpy.random
- random.seed(np.random.randint(10**6))
+ random.seed(seed)
- args.seed = np.random.randint(10**6)
+ args.seed = 42
- a, b = train_test_split(x, y, test_size=0.2)
+ a, b = train_test_split(x, y, test_size=0.2, random_state=seed)

# sources inside compiled code
unseen-source polars.GroupBy.agg
- spend = log.group_by("customer").agg(total)
+ spend = log.group_by("customer", maintain_order=True).agg(total)
unseen-source polars.DataFrame.sample
- rows = table.sample(100)
+ rows = table.sample(100, seed=seed)
unseen-source pandas.DataFrame.sample
- table = table.sample(frac=1)
+ table = table.sample(frac=1, random_state=seed)

# seeds from outside
wall-clock time.time
- torch.manual_seed(int(time.time()))
+ torch.manual_seed(seed)
- np.random.seed(int(time() * 1000) % 2**31)
+ np.random.seed(seed)
wall-clock time.time_ns
- SEED: int = time.time_ns()
+ SEED: int = 42
wall-clock time.perf_counter
- while time.perf_counter() < end:
+ for step in range(num_steps):
process-identity os.getpid
- self.rng = random.Random(os.getpid())
+ self.rng = random.Random(seed)
- draws = torch.Generator().manual_seed(int(os.getpid()) + args.rank)
+ draws = torch.Generator().manual_seed(int(seed) + args.rank)
os-entropy uuid.uuid4
- seed_everything(uuid.uuid4().int % 2**32)
+ seed_everything(seed)
hash-order hash
- rng = np.random.default_rng(hash(name) % 2**32)
+ rng = np.random.default_rng(seed)
worker-seeding time.time
- np.random.seed(int(time.time()) + worker)
+ np.random.seed(torch.initial_seed() % 2**32)
worker-seeding numpy.random.default_rng
- self._rng = np.random.default_rng()
+ self._rng = np.random.default_rng(torch.initial_seed() % 2**32)

# draws of the operating system
os-entropy os.urandom
- key = os.urandom(16)
+ key = rng.randbytes(16)
os-entropy secrets.choice
- other = secrets.choice(kinds)
+ other = rng.choice(kinds)
os-entropy secrets.randbelow
- return secrets.randbelow(len(rows))
+ return rng.randrange(len(rows))
os-entropy secrets.token_hex
- salt = secrets.token_hex(8)
+ salt = rng.randbytes(8).hex()
os-entropy uuid.uuid4
- fold = uuid.uuid4().int % 5
+ fold = uuid.UUID(int=rng.getrandbits(128), version=4).int % 5
os-entropy random.SystemRandom
- flip = random.SystemRandom()
+ flip = random.Random(seed)

# orders
hash-order hash
- return hash(parts) % TABLE
+ return zlib.crc32(repr(parts).encode()) % TABLE
hash-order set
- self.columns = list(seen)
+ self.columns = sorted(seen)
- names = list({n for row in rows for n in row})
+ names = sorted({n for row in rows for n in row})
- for name in kinds & waiting.keys():
+ for name in sorted(kinds & waiting.keys()):
- ids = {w: i for i, w in enumerate(words)}
+ ids = {w: i for i, w in enumerate(sorted(words))}
- chars = list(set("".join(words)))
+ chars = sorted(set("".join(words)))
- self.index = dict(zip(words, range(4, 4 + len(words)), strict=True))
+ self.index = dict(zip(sorted(words), range(4, 4 + len(words)), strict=True))
- rows = [*map(str.lower, words)]
+ rows = [*map(str.lower, sorted(words))]
- known = dict.fromkeys(words, 0)
+ known = dict.fromkeys(sorted(words), 0)
- text = ", ".join(tags)
+ text = ", ".join(sorted(tags))
- stop = frontier.pop()
+ stop = min(frontier); frontier.remove(stop)
- words = set(text.split())
+ sorted(words)
listing-order os.listdir
- files = [f for f in os.listdir(d) if f.endswith(".csv")]
+ files = [f for f in sorted(os.listdir(d)) if f.endswith(".csv")]
listing-order glob
- for page in glob.glob(pattern):
+ for page in sorted(glob.glob(pattern)):
listing-order pathlib.Path.iterdir
- elif x in Path(d).iterdir():
+ elif x in sorted(Path(d).iterdir()):
listing-order os.scandir
- for e in os.scandir(d):
+ for e in sorted(os.scandir(d), key=lambda entry: entry.name):
- for top, _, files in os.walk(d):
+ for top, folders, files in os.walk(d):
+     folders.sort()
+     files.sort()

# completion
concurrency concurrent.futures.as_completed
- for f in tqdm(as_completed(jobs)):
+ for f in tqdm(jobs):
concurrency multiprocessing.imap_unordered
- rows = list(pool.imap_unordered(work, cases))
+ rows = list(pool.imap(work, cases))
concurrency DataLoader
- loader = DataLoader(data, 8, num_workers=2, in_order=False)
+ loader = DataLoader(data, 8, num_workers=2, in_order=True)

# memory, operations, numbers
uninitialized-memory torch.empty
- self.scale = nn.Parameter(torch.empty(n, m))
+ self.scale = nn.Parameter(torch.nn.init.normal_(torch.empty(n, m), std=0.02))
- self.shift = nn.Parameter(torch.empty(n))
+ self.shift = nn.Parameter(torch.zeros(n))
- total = torch.empty(n, m)
+ total = torch.zeros(n, m)
uninitialized-memory torch.Tensor
- self.b = nn.Parameter(torch.Tensor(n))
+ self.b = nn.Parameter(torch.zeros(n))
uninitialized-memory numpy.empty
- t = np.empty((n, k), dtype=np.float32)
+ t = np.zeros((n, k), dtype=np.float32)
- ratio = np.divide(debt, income, where=income > 0)
+ ratio = np.divide(debt, income, where=income > 0, out=np.zeros_like(debt))
nondeterministic-op aten::convolution
- torch.backends.cudnn.benchmark = True
+ torch.backends.cudnn.benchmark = False
thread-count aten::sum
- torch.set_num_threads(os.cpu_count())
+ torch.set_num_threads(1)
worker-count DataLoader
- loader = DataLoader(d, num_workers=os.cpu_count())
+ loader = DataLoader(d, num_workers=2)
state-on-disk open
- if os.path.exists(path):
+ if args.resume and os.path.exists(path):
wall-clock time.time
- größe, seed = "ä", 1; torch.manual_seed(int(time.time()))
+ größe, seed = "ä", 1; torch.manual_seed(seed)
"""
"""Kind and source of a cause; below them the line to blame and what should stand there, without its comment."""

PARTS = """
hash-order set
- enumerate(classes)}
+ enumerate(sorted(classes))}
- for word in words}
+ for word in sorted(words)}
- row("(", [*rows, *list(names)], key={
+ row("(", [*rows, *sorted(names)], key={
unseeded-generator numpy.random.default_rng
- "rng": np.random.default_rng(), **{
+ "rng": np.random.default_rng(seed), **{
- .permutation(np.random.default_rng())[:n],
+ .permutation(np.random.default_rng(seed))[:n],
worker-count DataLoader
- shuffle=True, num_workers=os.cpu_count())
+ shuffle=True, num_workers=2)
"""
"""The same of lines that are a part of a statement."""


def read_table(table: str) -> list[Any]:
    """Return kind, source, line to blame and rewritten line of each case."""
    cases: list[tuple[str, str, str, list[str]]] = []
    kind = source = ""
    for row in table.splitlines():
        mark, _, rest = row.partition(" ")
        if mark == "-":
            cases.append((kind, source, rest, []))
        elif mark == "+":
            cases[-1][3].append(rest)
        elif mark not in {"", "#"}:
            kind, source = mark, rest
    return [pytest.param(*names, text, "\n".join(lines), id=text) for *names, text, lines in cases]


def rewrite_text(kind: CauseKind, source: str, text: str) -> str:
    """Return the rewritten line without its comment."""
    line = Line.read(text)
    assert line is not None
    fix = next(fix for rule in KINDS[kind].rules if (fix := rule(line, source)) is not None)
    return fix.split("    # ")[0]


@pytest.mark.parametrize(("kind", "source", "text", "expected"), read_table(REWRITTEN + PARTS))
def test_a_line_is_rewritten(kind: CauseKind, source: str, text: str, expected: str) -> None:
    """One call is replaced and all else stays as it stands; what the new line needs is said in its comment."""
    assert rewrite_text(kind, source, f"    {text}") == expected


@pytest.mark.parametrize(("kind", "source", "text", "expected"), read_table(REWRITTEN))
def test_a_rewritten_line_is_python(kind: CauseKind, source: str, text: str, expected: str) -> None:
    """What should stand there can be parsed, if need be as the head of a block or an argument."""
    fix = rewrite_text(kind, source, text).removesuffix(",")
    body = "" if "\n" in fix else " pass" if fix.endswith(":") else ""
    ast.parse(f"if 0: pass\n{fix}{body}" if fix.startswith("elif") else fix + body)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("def __getitem__(self, i):\n    rng = Random()", "Random(torch.randint(2**32, ()).item())"),
        ("import torch\ndef flip():\n    return Random().random()", "Random(torch.randint(2**32, ()).item())"),
        ("def make():\n    rng = Random()", "Random(42)"),
        ("def make():\n    return SeedSequence().spawn(2)", "SeedSequence(42)"),
        ("order = Random().sample(rows, 2)", "Random(42)"),
    ],
)
def test_a_generator_made_for_each_sample_draws_other_numbers_each_time(script: str, expected: str) -> None:
    """A fixed seed would give every sample the same numbers: the augmentation would be gone, and not the cause."""
    line = Line.read(script.splitlines()[-1], read_names(script, script.count("\n") + 1))
    assert line is not None
    fix = seed_generator(line, "random.Random")
    assert fix is not None
    assert expected in fix
    assert ("import torch" in fix) == ("randint" in fix and "import torch" not in script)
