"""What to write instead of the line that is to blame, for every kind of cause.

Where one line can be written otherwise without knowing the rest of the script, it is: `reproof.explain.rewriting` has
the rules. Else the remedy is an instruction.

Left out: which line is to blame (`reproof.explain.search`), and what each kind is (`docs/causes/`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

from reproof.explain.rewriting import rewrite
from reproof.explain.syntax import Line
from reproof.schema import CAUSE_KINDS

PAGES: Final = "https://github.com/reproof/reproof/blob/main/docs/causes"

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
    "data-change": "The two runs were given different data.",
}
"""One sentence for each kind."""


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
    fix = None if line is None else rewrite(kind, line, source)
    return Remedy(
        kind=kind,
        fix=fix or instruct(kind, source, line.code if line is not None else ""),
        reason=REASONS[kind].format(source=source),
        link=f"{PAGES}/{kind}.md",
    )


def instruct(kind: str, source: str, code: str) -> str:
    """Return what to do about a kind of cause, by what was called, else by what is on the line."""
    known = [(key.partition(" ")[2], text) for key, text in INSTRUCTIONS.items() if key.partition(" ")[0] == kind]
    by_source = (text for word, text in known if word and word in source)
    by_line = (text for word, text in known if word in code)
    return next(itertools.chain(by_source, by_line))
