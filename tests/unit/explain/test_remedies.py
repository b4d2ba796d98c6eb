"""What to write instead: the rewritten line, or an instruction where one line does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.explain.remedies import remedy_for
from reproof.explain.script import Names, read_names
from reproof.schema import CAUSE_KINDS

if TYPE_CHECKING:
    from reproof.schema import CauseKind

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
    ("os-entropy", "os.urandom", "SEED = secrets.randbelow(2**31)", "SEED = 42"),
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
    ("nondeterministic-op", "aten::index_put_", "return self.table[index]", "torch.index_select(self.table, 0, index)"),
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
def test_a_line_that_cannot_be_rewritten_gets_an_instruction(
    kind: CauseKind, source: str, text: str, expected: str
) -> None:
    """Where the line alone does not tell what to write, what to do is told for what was called."""
    assert expected in remedy_for(kind, source, text).fix


@pytest.mark.parametrize("kind", CAUSE_KINDS)
@pytest.mark.parametrize("text", ["", "# nothing", ")", "x = (", "'''", "lambda: 0", "async def f(): await g()"])
def test_every_kind_has_a_remedy_for_any_line(kind: CauseKind, text: str) -> None:
    """No line is too strange: there is always a fix, one sentence that says why, and a link."""
    remedy = remedy_for(kind, "os.urandom", text)
    assert remedy.kind == kind
    assert remedy.fix
    assert remedy.reason.endswith(".")
    assert "{" not in remedy.reason


@pytest.mark.parametrize("kind", CAUSE_KINDS)
def test_a_remedy_links_to_the_page_of_its_kind(kind: CauseKind) -> None:
    """In docs/causes, as it is on the web."""
    link = remedy_for(kind, "os.urandom", "").link
    assert link == f"https://github.com/reproof/reproof/blob/main/docs/causes/{kind}.md"


NAMED = [
    ("unseeded-generator", "random.Random", "rng = Random()", "rng = Random(cfg.seed)"),
    ("unseeded-rng", "numpy.random", "a, b = train_test_split(x)", "train_test_split(x, random_state=cfg.seed)"),
    ("unseeded-rng", "torch", "net = Net()", "torch.manual_seed(cfg.seed)"),
    ("os-entropy", "os.urandom", "key = os.urandom(4)", "rng = random.Random(cfg.seed)"),
    ("concurrency", "numpy.random", "x = draw()", "default_rng([cfg.seed, index])"),
    ("worker-count", "DataLoader", "x = draw()", "default_rng([cfg.seed, index])"),
    ("state-on-disk", "open", "if path.exists():", "if resume and path.exists():"),
]


@pytest.mark.parametrize(("kind", "source", "text", "expected"), NAMED)
def test_a_fix_names_what_the_script_has(kind: CauseKind, source: str, text: str, expected: str) -> None:
    """The seed as it is called there, and no record of options that is not there."""
    assert expected in remedy_for(kind, source, text, Names(seed="cfg.seed")).fix


def test_a_script_without_a_seed_gets_a_number() -> None:
    """And is not told to pass what it has not."""
    fix = remedy_for("unseeded-generator", "random.Random", "rng = Random()", read_names("import random", 2)).fix
    assert fix == "rng = Random(42)    # a fixed seed, the same in each run"


UNSUITED = [
    ("nondeterministic-op", "aten::index_put_", "grid.index_put((i, j), w, accumulate=True)", "index_select"),
    ("nondeterministic-op", "aten::index_put_", "loss.backward()", "index_select"),
    ("nondeterministic-op", "aten::index_put_", "grid[cells] = values", "index_select"),
    ("nondeterministic-op", "aten::index_put_", "return rows[2:]", "index_select"),
    ("process-identity", "id", "offset = id(x) % len(settings)", "a list or a dict"),
    ("hash-order", "set", "key = hashlib.md5(str(words).encode())", "in place of hash()"),
    ("listing-order", "os.listdir", "sidewalks = sorted(os.listdir(d), key=len)", "folders.sort()"),
]


@pytest.mark.parametrize(("kind", "source", "text", "unsuited"), UNSUITED)
def test_no_advice_is_on_what_the_line_has_not(kind: CauseKind, source: str, text: str, unsuited: str) -> None:
    """A word in another word, or an operation that is there in another form."""
    assert unsuited not in remedy_for(kind, source, text).fix


ENVIRONMENTS = [
    ("obs, _ = envs.reset(options={'low': 0})", "obs, _ = envs.reset(options={'low': 0}, seed=3)"),
    ("envs = gym.vector.SyncVectorEnv(", "envs.single_action_space.seed(3)"),
    ("self.env = gym.make(name)", "self.env.action_space.seed(3)"),
    ("action = env.action_space.sample()", "env.action_space.seed(3)"),
    ("actions = [self.envs.single_action_space.sample() for _ in range(2)]", "self.envs.single_action_space.seed(3)"),
]


@pytest.mark.parametrize(("text", "expected"), ENVIRONMENTS)
def test_an_environment_is_seeded_by_the_name_that_it_has(text: str, expected: str) -> None:
    """Those of a vector of environments draw from their space, and not from the one of the vector."""
    fix = remedy_for("unseeded-generator", "numpy.random.default_rng", text, Names(seed="3"), "gymnasium").fix
    assert expected in fix


def test_what_stands_on_a_line_in_braces_stays() -> None:
    """The seed of an agent is one more argument beside its dictionary."""
    text = "model = PPO('MlpPolicy', env, policy_kwargs={'n': 1})"
    fix = remedy_for("unseeded-generator", "numpy.random.default_rng", text, Names(seed="3"), "stable_baselines3").fix
    assert "policy_kwargs={'n': 1}, seed=42)" in fix


@pytest.mark.parametrize(
    ("through", "expected"),
    [("gymnasium", "env.reset(seed=cfg.seed)"), ("some_package", "give some_package the run's seed")],
)
def test_a_generator_within_a_package_is_seeded_through_its_own_door(through: str, expected: str) -> None:
    """The line of the user's makes none: what can be written there is an argument of that package."""
    names = Names(seed="cfg.seed")
    source = "numpy.random.default_rng"
    assert expected in remedy_for("unseeded-generator", source, "env = make('Cart')", names, through).fix
    assert "give the generator" in remedy_for("unseeded-generator", source, "env = make('Cart')", names).fix
    assert expected not in remedy_for("unseeded-rng", "numpy.random", "env = make('Cart')", names, through).fix
