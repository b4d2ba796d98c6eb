"""The table of the kinds of causes: how likely each is, why it is one, what to write instead, what varies it.

Each kind is one row here and one page in `docs/causes/`; its name is in `reproof.schema.CauseKind`.

Left out: which sources of entropy are of a kind (`reproof.entropy`), and by which experiment a cause is shown
(`reproof.explain.hypotheses`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reproof.explain import rewriting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reproof.explain.rewriting import Rule
    from reproof.schema import CauseKind

UNRANKED: Final = 7
"""Rank of the kinds that are not found by replaying sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """What is known of one kind of cause.

    Attributes:
        reason: Why a line is to blame, in one sentence; ``{source}`` stands for what was called.
        instruction: What to do where no rule fits; ``{seed}`` stands for the seed of the script.
        instructions: The same if a word is in the name of the source or, failing that, on the line; by the word.
        rules: Rules that rewrite the line, the most specific first.
        rank: How likely a source of this kind is the cause, 0 the likeliest: some mostly name files or stamp log lines.
        variations: Variations (``--vary``) under which its sources give other values.
        surroundings: Variations that are of this kind themselves, as no source in the ledger stands for them.
    """

    reason: str
    instruction: str
    instructions: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    rank: int = UNRANKED
    variations: tuple[str, ...] = ()
    surroundings: tuple[str, ...] = ()


_BEFORE_FIRST_DRAW: Final = "    # once, before the first draw, and so before this line"
_FOR_EACH_TASK: Final = "    # first in each task, by its number: a seed set elsewhere does not say who does which"
_WRITE_ZEROS: Final = "np.zeros(...)    # or write every element before it is read"
_PLAIN_LOCALE: Final = 'locale.setlocale(locale.LC_ALL, "C")    # in the first lines; or sort by plain code points'
_SEED_FROM_OUTSIDE: Final = (rewriting.seed_argument, rewriting.seed_outcome)

KINDS: Final[Mapping[CauseKind, KindRow]] = {
    "unseeded-rng": KindRow(
        rank=1,
        reason="This draws from a global generator that nothing has seeded, so each run gets other numbers.",
        instruction="reproof.deterministic(seed=42)    # before this line: seeds random, NumPy and PyTorch",
        instructions={
            "torch in the tasks": f"torch.manual_seed({{seed}} + index){_FOR_EACH_TASK}",
            "numpy.random in the tasks": f"np.random.seed({{seed}} + index){_FOR_EACH_TASK}",
            "random in the tasks": f"random.seed({{seed}} + index){_FOR_EACH_TASK}",
            "torch": f"torch.manual_seed({{seed}}){_BEFORE_FIRST_DRAW}",
            "numpy": f"np.random.seed({{seed}}){_BEFORE_FIRST_DRAW}",
            "random": f"random.seed({{seed}}){_BEFORE_FIRST_DRAW}",
        },
        rules=(rewriting.fix_state, *_SEED_FROM_OUTSIDE, rewriting.seed_torch, rewriting.seed_generator),
    ),
    "unseeded-generator": KindRow(
        rank=1,
        reason="{source} takes a new seed from the operating system in each run.",
        instruction="give the generator the run's seed where it is made, e.g. np.random.default_rng({seed})",
        instructions={"torch": "generator.manual_seed({seed})    # in place of generator.seed()"},
        rules=(rewriting.seed_outcome, rewriting.seed_torch, rewriting.seed_generator),
    ),
    "worker-seeding": KindRow(
        rank=0,
        reason="The loader's workers get another seed in each run, and PyTorch's own seeding is overridden.",
        instruction="DataLoader(..., worker_init_fn=reproof.seed_worker)    # a generator of a worker's own takes "
        "torch.initial_seed() as its seed",
        rules=(rewriting.seed_worker,),
    ),
    "os-entropy": KindRow(
        rank=2,
        reason="{source} gives other bytes in each run, whatever is seeded.",
        instruction="draw it from a generator with the run's seed, e.g. rng = random.Random({seed}), made once",
        instructions={
            "SystemRandom": "make the generator with random.Random({seed}) in place of random.SystemRandom()",
            "tempfile": "compute nothing from the temporary name, and sort by something else",
        },
        rules=(*_SEED_FROM_OUTSIDE, rewriting.draw_seeded, rewriting.seed_generator),
    ),
    "wall-clock": KindRow(
        rank=5,
        reason="{source} gives another value in each run, and what differs follows from it.",
        instruction="compute it from what the training counts (step, epoch, samples), or pass the time as an option",
        rules=(*_SEED_FROM_OUTSIDE, rewriting.count_steps),
    ),
    "process-identity": KindRow(
        rank=4,
        reason="{source} is another one in each process, and what differs follows from it.",
        instruction="use a number that the script fixes: its seed, the worker's number, the rank",
        instructions={"set": "keep the objects in a list or a dict, which have an order, or sort by a field of theirs"},
        rules=_SEED_FROM_OUTSIDE,
    ),
    "hash-order": KindRow(
        rank=3,
        reason="Hashes of strings, and with them the order of sets, follow a key that each process draws anew.",
        instruction="walk sorted(...) of the set, or collect in a dict (dict.fromkeys(items)), which keeps its order",
        instructions={
            "PYTHONHASHSEED": "PYTHONHASHSEED=0 python train.py    # or walk sorted(...) of each set of strings",
            "hash": "take zlib.crc32(text.encode()) or hashlib in place of hash()",
        },
        rules=(
            *_SEED_FROM_OUTSIDE,
            rewriting.hash_stably,
            rewriting.pop_least,
            rewriting.sort_made,
            rewriting.sort_walk,
        ),
        variations=("hash-seed",),
    ),
    "listing-order": KindRow(
        rank=2,
        reason="A folder is listed in the order of the file system, which differs between machines and copies.",
        instruction="sort the listing before it is used: sorted(...)",
        instructions={
            "walk": "folders.sort(); files.sort()    # first in the loop over os.walk(...)",
            "scandir": "for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):",
        },
        rules=(rewriting.sort_listing,),
        variations=("listing-order",),
    ),
    "state-on-disk": KindRow(
        rank=0,
        reason="This reads a file that an earlier run wrote: a second run starts from what the first one left.",
        instruction="read it only if that was asked for (an option --resume), or start from an empty folder; a cache "
        "must give back the very bits that it saves computing",
        rules=(rewriting.ask_to_resume,),
    ),
    "concurrency": KindRow(
        rank=1,
        reason="The order depends on which thread or process happens to be faster.",
        instruction="take the results in the order of submission: executor.map(...), pool.imap(...), or sort them",
        instructions={
            "Queue": "put (number, item) into the queue, and use the items in the order of their numbers",
            "Thread": "let each thread write to a place of its own and draw from a generator of its own, join "
            "them, then combine in a fixed order",
            "random": "np.random.default_rng([{seed}, index])    # a generator for each task, shared by none",
            "shared memory": "train a copy in each process, and add up their gradients in the order of their ranks",
            "asyncio": "results = await asyncio.gather(*tasks)    # in the order of the tasks",
        },
        rules=(rewriting.keep_order,),
    ),
    "uninitialized-memory": KindRow(
        reason="New memory holds whatever was there before, and this is read before it is written.",
        instruction="torch.zeros(...)    # or fill it (torch.nn.init) before it is read",
        instructions={"np.": _WRITE_ZEROS, "numpy": _WRITE_ZEROS},
        rules=(rewriting.fill_memory, rewriting.give_output),
    ),
    "nondeterministic-op": KindRow(
        reason="{source} adds numbers in an order that is not fixed, and so rounds differently.",
        instruction="torch.use_deterministic_algorithms(True)    # in the first lines of the script",
        instructions={
            "cudnn": "torch.backends.cudnn.benchmark = False; torch.backends.cudnn.deterministic = True",
        },
        rules=(rewriting.choose_algorithm, rewriting.select_in_order),
    ),
    "thread-count": KindRow(
        reason="Sums are split over the threads, so their number decides how they are rounded.",
        instruction="torch.set_num_threads(1)    # a fixed number, in the first lines; or start with OMP_NUM_THREADS=1",
        rules=(rewriting.fix_number,),
        surroundings=("threads",),
    ),
    "worker-count": KindRow(
        rank=2,
        reason="What a sample becomes depends on which worker makes it, and so on how many there are.",
        instruction="DataLoader(..., num_workers=2)    # a fixed number; or let no sample depend on its worker: "
        "np.random.default_rng([{seed}, index])",
        rules=(rewriting.fix_number,),
        variations=("workers",),
    ),
    "environment": KindRow(
        rank=6,
        reason="The result depends on the surroundings ({source}), which differ between machines or users.",
        instruction="fix it where the run is started, and write it down with the results",
        instructions={
            "getcwd": "let no seed and no order follow from a path; find files by Path(__file__).parent",
            "psutil": "fix the number that follows from it, such as the batch size, and write it down",
            "ATEN": "ATEN_CPU_CAPABILITY=default python train.py    # one code path on every processor",
            "ONEDNN": "ONEDNN_MAX_CPU_ISA=AVX2 python train.py    # one code path on every processor that has it",
            "MKL": "MKL_CBWR=COMPATIBLE python train.py    # one code path on every processor",
            "fromtimestamp": "give the time zone: datetime.fromtimestamp(stamp, timezone.utc)",
            "TZ": "give the time zone, e.g. timezone.utc, wherever a time becomes a date or an hour",
            "locale": _PLAIN_LOCALE,
            "LC_": _PLAIN_LOCALE,
            "CUBLAS": "CUBLAS_WORKSPACE_CONFIG=:4096:8 python train.py    # before CUDA is used",
        },
        rules=_SEED_FROM_OUTSIDE,
        surroundings=("cpu-isa", "cwd", "locale", "time"),
    ),
    "unseen-source": KindRow(
        reason="{source} gives another result in each run for the same arguments: its source lies in compiled code or "
        "in another process, where nothing can be replayed.",
        instruction="give this call a seed, or a fixed order, if it takes one; otherwise sort what it returns, or draw "
        "from a generator with the run's seed instead",
        instructions={
            "action_space": "env.action_space.seed({seed})    # once, where the environment is made",
            "reset": "env.reset(seed={seed})    # the first time",
            "albumentations": "A.Compose([...], seed={seed})",
            "group_by": "group_by(..., maintain_order=True)    # or sort what it returns",
            "groupby": "group_by(..., maintain_order=True)    # or sort what it returns",
            "unique": "unique(maintain_order=True)    # or sort what it returns",
            "polars": "give it maintain_order=True or seed={seed}, whichever it takes, or sort what it returns",
            "pandas": "sample(..., random_state={seed})",
            "sklearn": "give it random_state={seed}",
            "duckdb": "add ORDER BY to the query, or SET threads = 1; SELECT setseed(0.42) before random()",
            "sqlite3": "add ORDER BY to the query; random() of SQLite takes no seed: draw in Python instead",
            "srand": "libc.srand({seed})    # before the first draw",
        },
        rules=(rewriting.fix_unseen,),
    ),
    "code-change": KindRow(
        reason="The two runs executed different code.",
        instruction="run both from the same commit, or take the newer run as the baseline",
    ),
    "data-change": KindRow(
        reason="The two runs were given different data.",
        instruction="run both on the same files, or take the newer run as the baseline",
    ),
}

SURROUNDINGS: Final[Mapping[str, CauseKind]] = {name: kind for kind, row in KINDS.items() for name in row.surroundings}
"""Variations that no source in the ledger stands for, and the kind of cause that each is."""
