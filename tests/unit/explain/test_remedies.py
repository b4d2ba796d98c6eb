"""What to write instead: the rewritten line, an instruction where one line does not tell, a page that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproof.explain.remedies import remedy_for
from reproof.schema import CAUSE_KINDS

PAGES = Path(__file__).resolve().parents[3] / "docs" / "causes"
HEADINGS = ["Symptom", "Why", "Fix", "Proof", "Source"]

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


def test_a_line_that_can_be_rewritten_is() -> None:
    """Where the line alone tells what to write, the fix is that line, with what it needs in its comment."""
    fix = remedy_for("wall-clock", "time.time", "    torch.manual_seed(int(time.time()))  # new each time").fix
    assert fix == "torch.manual_seed(seed)    # pass the run's seed"


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
