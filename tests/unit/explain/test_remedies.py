"""What to write instead: lines that are rewritten, instructions where one line does not tell, pages that exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from reproof.explain.remedies import remedy_for
from reproof.schema import CAUSE_KINDS

PAGES = Path(__file__).resolve().parents[3] / "docs" / "causes"
HEADINGS = ["Symptom", "Why", "Fix", "Proof", "Source"]

REWRITTEN = [
    # generators without a seed
    (
        "unseeded-generator",
        "numpy.random.default_rng",
        "rng = np.random.default_rng()",
        "rng = np.random.default_rng(seed)",
    ),
    ("unseeded-generator", "random.Random", "self.rng = Random(None)  # ours", "self.rng = Random(seed)"),
    (
        "unseeded-generator",
        "numpy.random.RandomState",
        "noise=np.random.RandomState(seed=None),",
        "noise=np.random.RandomState(seed),",
    ),
    (
        "unseeded-generator",
        "numpy.random.SeedSequence",
        "a, b = SeedSequence().spawn(2)",
        "a, b = SeedSequence(seed).spawn(2)",
    ),
    ("unseeded-generator", "torch.Generator.seed", "order.seed()", "order.manual_seed(seed)"),
    ("unseeded-rng", "torch.seed", "torch.seed()", "torch.manual_seed(seed)"),
    ("unseeded-rng", "torch.seed", "seed = torch.seed() % 2**32", "seed = 42"),
    ("unseeded-rng", "numpy.random", "args.seed = np.random.randint(10**6)", "args.seed = 42"),
    (
        "unseeded-rng",
        "numpy.random",
        "a, b = train_test_split(x, y, test_size=0.2)",
        "a, b = train_test_split(x, y, test_size=0.2, random_state=seed)",
    ),
    # seeds from outside
    ("wall-clock", "time.time", "torch.manual_seed(int(time.time()))", "torch.manual_seed(seed)"),
    ("wall-clock", "time.time", "np.random.seed(int(time() * 1000) % 2**31)", "np.random.seed(seed)"),
    ("wall-clock", "time.time_ns", "SEED: int = time.time_ns()", "SEED: int = 42"),
    ("wall-clock", "time.perf_counter", "while time.perf_counter() < end:", "for step in range(num_steps):"),
    ("process-identity", "os.getpid", "self.rng = random.Random(os.getpid())", "self.rng = random.Random(seed)"),
    ("os-entropy", "uuid.uuid4", "seed_everything(uuid.uuid4().int % 2**32)", "seed_everything(seed)"),
    ("hash-order", "hash", "rng = np.random.default_rng(hash(name) % 2**32)", "rng = np.random.default_rng(seed)"),
    (
        "worker-seeding",
        "time.time",
        "np.random.seed(int(time.time()) + worker)",
        "np.random.seed(torch.initial_seed() % 2**32)",
    ),
    (
        "worker-seeding",
        "numpy.random.default_rng",
        "self._rng = np.random.default_rng()",
        "self._rng = np.random.default_rng(torch.initial_seed() % 2**32)",
    ),
    # draws of the operating system
    ("os-entropy", "os.urandom", "key = os.urandom(16)", "key = rng.randbytes(16)"),
    ("os-entropy", "secrets.choice", "other = secrets.choice(kinds)", "other = rng.choice(kinds)"),
    ("os-entropy", "secrets.randbelow", "return secrets.randbelow(len(rows))", "return rng.randrange(len(rows))"),
    ("os-entropy", "secrets.token_hex", "salt = secrets.token_hex(8)", "salt = rng.randbytes(8).hex()"),
    (
        "os-entropy",
        "uuid.uuid4",
        "fold = uuid.uuid4().int % 5",
        "fold = uuid.UUID(int=rng.getrandbits(128), version=4).int % 5",
    ),
    ("os-entropy", "random.SystemRandom", "flip = random.SystemRandom()", "flip = random.Random(seed)"),
    # orders
    ("hash-order", "hash", "return hash(parts) % TABLE", "return zlib.crc32(repr(parts).encode()) % TABLE"),
    ("hash-order", "set", "self.columns = list(seen)", "self.columns = sorted(seen)"),
    (
        "hash-order",
        "set",
        "names = list({n for row in rows for n in row})",
        "names = sorted({n for row in rows for n in row})",
    ),
    ("hash-order", "set", "for name in kinds & waiting.keys():", "for name in sorted(kinds & waiting.keys()):"),
    (
        "hash-order",
        "set",
        "ids = {w: i for i, w in enumerate(words)}",
        "ids = {w: i for i, w in enumerate(sorted(words))}",
    ),
    ("hash-order", "set", 'text = ", ".join(tags)', 'text = ", ".join(sorted(tags))'),
    ("hash-order", "set", "stop = frontier.pop()", "stop = min(frontier); frontier.remove(stop)"),
    ("hash-order", "set", "words = set(text.split())", "sorted(words)"),
    (
        "listing-order",
        "os.listdir",
        'files = [f for f in os.listdir(d) if f.endswith(".csv")]',
        'files = [f for f in sorted(os.listdir(d)) if f.endswith(".csv")]',
    ),
    ("listing-order", "glob", "for page in glob.glob(pattern):", "for page in sorted(glob.glob(pattern)):"),
    ("listing-order", "pathlib.Path.iterdir", "elif x in Path(d).iterdir():", "elif x in sorted(Path(d).iterdir()):"),
    (
        "listing-order",
        "os.scandir",
        "for e in os.scandir(d):",
        "for e in sorted(os.scandir(d), key=lambda entry: entry.name):",
    ),
    (
        "listing-order",
        "os.scandir",
        "for top, _, files in os.walk(d):",
        "for top, folders, files in os.walk(d):\n    folders.sort()\n    files.sort()",
    ),
    # completion
    ("concurrency", "concurrent.futures.as_completed", "for f in tqdm(as_completed(jobs)):", "for f in tqdm(jobs):"),
    (
        "concurrency",
        "multiprocessing.imap_unordered",
        "rows = list(pool.imap_unordered(work, cases))",
        "rows = list(pool.imap(work, cases))",
    ),
    (
        "concurrency",
        "DataLoader",
        "loader = DataLoader(data, 8, num_workers=2, in_order=False)",
        "loader = DataLoader(data, 8, num_workers=2, in_order=True)",
    ),
    # memory, operations, numbers
    (
        "uninitialized-memory",
        "torch.empty",
        "self.scale = nn.Parameter(torch.empty(n, m))",
        "self.scale = nn.Parameter(torch.zeros(n, m))",
    ),
    (
        "uninitialized-memory",
        "torch.Tensor",
        "self.b = nn.Parameter(torch.Tensor(n))",
        "self.b = nn.Parameter(torch.zeros(n))",
    ),
    (
        "uninitialized-memory",
        "numpy.empty",
        "t = np.empty((n, k), dtype=np.float32)",
        "t = np.zeros((n, k), dtype=np.float32)",
    ),
    (
        "nondeterministic-op",
        "aten::convolution",
        "torch.backends.cudnn.benchmark = True",
        "torch.backends.cudnn.benchmark = False",
    ),
    ("thread-count", "aten::sum", "torch.set_num_threads(os.cpu_count())", "torch.set_num_threads(1)"),
    (
        "worker-count",
        "DataLoader",
        "loader = DataLoader(d, num_workers=os.cpu_count())",
        "loader = DataLoader(d, num_workers=2)",
    ),
    ("state-on-disk", "open", "if os.path.exists(path):", "if args.resume and os.path.exists(path):"),
    (
        "wall-clock",
        "time.time",
        'größe, seed = "ä", 1; torch.manual_seed(int(time.time()))',
        'größe, seed = "ä", 1; torch.manual_seed(seed)',
    ),
]

INSTRUCTED = [
    ("unseeded-rng", "torch", "self.fc = nn.Linear(4, 2)", "torch.manual_seed(seed)"),
    ("unseeded-rng", "numpy.random", "noise = np.random.randn(3)", "np.random.seed(seed)"),
    ("unseeded-rng", "random", "random.shuffle(batches)", "random.seed(seed)"),
    ("unseeded-generator", "torch.Generator.seed", "print(order.seed())", "manual_seed"),
    (
        "unseeded-generator",
        "numpy.random.default_rng",
        "rng = np.random.default_rng(  # of the run",
        "default_rng(seed)",
    ),
    ("worker-seeding", "os.urandom", "def init_worker(worker):", "reproof.seed_worker"),
    ("os-entropy", "random.SystemRandom", "if flip.random() > p:", "random.Random(seed)"),
    ("wall-clock", "time.monotonic", "weight = 1 - (tick() - start) / 60", "what the training counts"),
    ("process-identity", "os.getpid", "shard = os.getpid() % 4", "rank"),
    ("hash-order", "PYTHONHASHSEED", "", "PYTHONHASHSEED=0"),
    ("hash-order", "set", "for a, b in zip(left, right):", "sorted(...)"),
    ("hash-order", "set", "x = [f(a) for a in left] + list(right)", "sorted(...)"),
    ("listing-order", "os.scandir", "with os.scandir(d) as entries:", "sorted(os.scandir(folder)"),
    ("listing-order", "os.listdir", "files = sorted(os.listdir(d), key=len)", "sorted(...)"),
    ("state-on-disk", "open", "rows = json.loads(path.read_text())", "--resume"),
    ("state-on-disk", "open", "if not os.path.exists(cache):", "--resume"),
    ("concurrency", "threading.Thread", "counts[i] += 1", "join"),
    ("concurrency", "queue.Queue.get", "item = q.get()", "number"),
    ("concurrency", "numpy.random", "x = np.random.normal()", "default_rng([seed, index])"),
    ("uninitialized-memory", "torch.empty", "total[n] += x", "torch.zeros"),
    ("uninitialized-memory", "torch.Tensor", "w = torch.Tensor([1.0, 2.0])", "torch.zeros(...)"),
    ("nondeterministic-op", "aten::index_put_", "return self.table[index]", "torch.index_select(x, 0, index)"),
    ("nondeterministic-op", "aten::scatter_add_", "out.scatter_add_(0, i, x)", "use_deterministic_algorithms(True)"),
    ("thread-count", "aten::dot", "loss = torch.dot(r, r)", "torch.set_num_threads(1)"),
    ("worker-count", "DataLoader", "info = get_worker_info()", "num_workers=2"),
    ("environment", "ATEN_CPU_CAPABILITY", "y = x.exp()", "ATEN_CPU_CAPABILITY=default"),
    ("environment", "os.getcwd", "name = os.getcwd()", "__file__"),
    ("code-change", "train.py", "", "commit"),
    ("data-change", "rows.csv", "", "files"),
]


@pytest.mark.parametrize(("kind", "source", "text", "expected"), REWRITTEN)
def test_a_line_is_rewritten(kind: str, source: str, text: str, expected: str) -> None:
    """One call is replaced and all else stays as it stands; what the new line needs is said in its comment."""
    fix = remedy_for(kind, source, f"    {text}").fix
    assert fix.split("    # ")[0] == expected


@pytest.mark.parametrize(("kind", "source", "text", "expected"), REWRITTEN)
def test_a_rewritten_line_is_python(kind: str, source: str, text: str, expected: str) -> None:
    """What should stand there can be parsed, if need be as the head of a block or an argument."""
    fix = remedy_for(kind, source, text).fix.split("    # ")[0].removesuffix(",")
    body = "" if "\n" in fix else " pass" if fix.endswith(":") else ""
    ast.parse(f"if 0: pass\n{fix}{body}" if fix.startswith("elif") else fix + body)


@pytest.mark.parametrize(("kind", "source", "text", "expected"), INSTRUCTED)
def test_a_line_that_cannot_be_rewritten_gets_an_instruction(kind: str, source: str, text: str, expected: str) -> None:
    """Where the line alone does not tell what to write, what to do is told for what was called."""
    assert expected in remedy_for(kind, source, text).fix


@pytest.mark.parametrize("kind", CAUSE_KINDS)
@pytest.mark.parametrize("text", ["", "# nothing", ")", "x = (", "'''", "lambda: 0", "async def f(): await g()"])
def test_every_kind_has_a_remedy_for_any_line(kind: str, text: str) -> None:
    """No line is too strange: there is always a fix, one sentence that says why, and a link."""
    remedy = remedy_for(kind, "os.urandom", text)
    assert remedy.kind == kind
    assert remedy.fix
    assert remedy.reason.endswith(".")
    assert "{" not in remedy.reason


def test_an_unknown_kind_is_refused() -> None:
    """A kind that is not of the list is a mistake of the caller."""
    with pytest.raises(ValueError, match="no such kind"):
        remedy_for("gremlins", "os.urandom", "")


@pytest.mark.parametrize("kind", CAUSE_KINDS)
def test_a_remedy_links_to_a_page_that_exists(kind: str) -> None:
    """The link of each kind is its page in docs/causes, which tells symptom, reason, fix, proof and source."""
    link = remedy_for(kind, "os.urandom", "").link
    assert link == f"https://github.com/reproof/reproof/blob/main/docs/causes/{kind}.md"
    text = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# `{kind}`")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    assert "https://" in text.partition("## Source")[2]


def test_the_index_names_every_page() -> None:
    """docs/causes/README.md links to the page of each kind, and no other page lies there."""
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in PAGES.glob("*.md")} - {"README"} == set(CAUSE_KINDS)
    assert [kind for kind in CAUSE_KINDS if f"({kind}.md)" not in index] == []
