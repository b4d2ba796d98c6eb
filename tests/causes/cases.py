"""The table of planted faults: what is true of two runs of each script, and which line is to blame.

A place in a script is a piece of source text, so that it survives an edit above it; stages, details and steps are words
of the design. What cures each script is in `cures.py`, what the truth rests on in README.md.

Left out: how a script is checked (`test_causes.py`), and how the truth is held (`test_causes_truth.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from reproof.schema import CAUSE_KINDS

ROOT: Final = Path(__file__).resolve().parent

KINDS: Final = tuple(kind for kind in CAUSE_KINDS if kind not in {"code-change", "data-change"})
"""The kinds that can be planted in a script; `code-change` and `data-change` are between two scripts."""

Stage = Literal["init", "batch", "forward", "loss", "gradient", "update", "metric"]
Place = tuple[str, str]
"""File, relative to the case's folder, and text that stands on the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that is to blame.

    Attributes:
        kinds: Kinds that are right.
        places: Lines that are right, the best one first.
    """

    kinds: tuple[str, ...]
    places: tuple[Place, ...]

    def is_named_by(self, kind: str, file: str, text: str) -> bool:
        """Tell whether a reported kind, file and line name this cause."""
        return kind in self.kinds and any(file == path and source in text for path, source in self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One training and its truth.

    Attributes:
        name: Name of its folder.
        causes: What is to blame; nothing, for a clean training.
        vary: Surroundings under which a faulty training parts, or a clean one holds; empty for two runs as they are.
        stage: Stage of the first divergence, or None where it is not fixed.
        detail: *order* or *content*, for a batch.
        step: Step of the first divergence, or None where it is not fixed.
        tags: ``dear``: left to `make thorough`, as another of its kind takes less time; ``race``: two runs may agree
            by chance; ``metric-only``: the weights agree; ``ordered``: only the first of the causes makes the first
            divergence.
    """

    name: str
    causes: tuple[Cause, ...] = ()
    vary: tuple[str, ...] = ()
    stage: Stage | None = None
    detail: Literal["order", "content"] | None = None
    step: int | None = 0
    tags: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder to copy: a case is run in a copy, as the current folder."""
        return ROOT / self.name

    @property
    def verdict(self) -> str:
        """Verdict of a check."""
        return "diverged" if self.causes else "identical"

    @property
    def kinds(self) -> frozenset[str]:
        """All kinds that are right."""
        return frozenset(kind for cause in self.causes for kind in cause.kinds)


def _cause(kinds: str, *places: Place) -> Cause:
    """Make a cause of kinds that are separated by spaces."""
    return Cause(kinds=tuple(kinds.split()), places=places)


def _faulty(
    name: str, stage: str, *causes: Cause, step: int | None = 0, vary: str | None = None, tags: tuple[str, ...] = ()
) -> Case:
    """Make a faulty case; the detail of a batch follows its stage after a slash, and a stage that varies is empty."""
    first, _, detail = stage.partition("/")
    return Case(
        name=name,
        causes=causes,
        vary=(vary,) if vary else (),
        stage=first or None,
        detail=detail or None,
        step=step,
        tags=tags,
    )


UNSEEDED_RNG = (
    _faulty(
        "rng_torch_init",
        "init",
        _cause(
            "unseeded-rng",
            ("model.py", "nn.Sequential(nn.Linear(n_in, n_out)"),
            ("model.py", "self.encoder ="),
            ("train.py", "net = GaitAutoencoder()"),
        ),
    ),
    _faulty(
        "rng_numpy_collate", "batch/content", _cause("unseeded-rng", ("masking.py", "np.random.random(tokens.shape)"))
    ),
    _faulty(
        "rng_python_sampler",
        "batch/order",
        _cause("unseeded-rng", ("sampling.py", "random.shuffle(batches)")),
        step=None,  # the first of a few batches may be the same one
    ),
    _faulty(
        "rng_sklearn_split", "batch/content", _cause("unseeded-rng", ("train.py", "train_test_split(inputs, targets"))
    ),
    _faulty(
        "rng_second_draw",
        "forward",
        _cause("unseeded-rng", ("train.py", "np.random.standard_normal(out.shape)")),
        step=5,
    ),
    _faulty("rng_preserved", "batch/content", _cause("unseeded-rng", ("train.py", "np.random.uniform(0.7, 1.3)"))),
    _faulty("rng_mixed", "batch/content", _cause("unseeded-rng", ("train.py", "np.random.randint(-4, 5)"))),
    _faulty(
        "rng_explorer",
        "metric",
        _cause(
            "unseeded-rng",
            ("explorer.py", "if random.random() < curiosity"),
            ("explorer.py", "random.randrange(len(scores))"),
        ),
    ),
    _faulty("rng_initial_seed", "init", _cause("unseeded-rng", ("train.py", "torch.initial_seed()"))),
)

UNSEEDED_GENERATOR = (
    _faulty(
        "generator_default_rng",
        "loss",
        _cause("unseeded-generator", ("train.py", "np.random.default_rng()"), ("train.py", "self.rng.dirichlet(")),
    ),
    # One of three tasks: the first ones may be the same by chance.
    _faulty(
        "generator_python_random",
        "batch/content",
        _cause("unseeded-generator", ("tasks.py", "random.Random()"), ("tasks.py", "self.choose.choice(")),
        step=None,
    ),
    _faulty(
        "generator_randomstate",
        "forward",
        _cause("unseeded-generator", ("layers.py", "np.random.RandomState()"), ("layers.py", "self.masks.binomial(")),
    ),
    _faulty("generator_loader_seed", "batch/order", _cause("unseeded-generator", ("train.py", "order.seed()"))),
    _faulty(
        "generator_torch_seed",
        "init",
        _cause("unseeded-generator unseeded-rng os-entropy", ("setup.py", "seed = torch.seed() % 2**32")),
    ),
    _faulty(
        "generator_seed_sequence",
        "gradient",
        _cause(
            "unseeded-generator", ("train.py", "np.random.SeedSequence().spawn("), ("train.py", "rng.standard_normal(")
        ),
    ),
)

WORKER_SEEDING = (
    _faulty(
        "worker_clock_fork",
        "batch/content",
        _cause("worker-seeding wall-clock", ("frames.py", "np.random.seed(int(time.time() * 1000)")),
    ),
    _faulty(
        "worker_pid_spawn",
        "batch/content",
        _cause("worker-seeding process-identity", ("words.py", "random.seed(os.getpid() * 100 + worker_id)")),
    ),
    _faulty(
        "worker_lazy_generator",
        "batch/content",
        _cause(
            "worker-seeding unseeded-generator",
            ("stream.py", "self._rng = np.random.default_rng()"),
            ("stream.py", "self.rng.uniform("),
        ),
    ),
    _faulty(
        "worker_fresh_seed",
        "batch/content",
        _cause("worker-seeding os-entropy unseeded-rng", ("train.py", "np.random.seed()")),
    ),
)

OS_ENTROPY = (
    _faulty("entropy_urandom_key", "batch/content", _cause("os-entropy", ("splitting.py", "os.urandom(16)"))),
    _faulty(
        "entropy_secrets_negatives",
        "batch/content",
        _cause("os-entropy", ("mining.py", "secrets.choice("), ("mining.py", "secrets.randbelow(")),
    ),
    # Sixteen coins, most of them loaded: the first tosses may be the same by chance.
    _faulty(
        "entropy_system_random",
        "forward",
        _cause("os-entropy", ("net.py", "flip.random() > self.survival"), ("net.py", "flip = SystemRandom()")),
        step=None,
    ),
    _faulty(
        "entropy_uuid",
        "init",
        _cause(
            "os-entropy",
            ("train.py", 'Experiment("tones")'),
            ("experiment.py", "default_factory=uuid.uuid4"),
            ("experiment.py", "self.identity.int"),
            ("train.py", "torch.manual_seed(experiment.seed)"),
        ),
    ),
    _faulty("entropy_program", "batch/content", _cause("os-entropy", ("train.py", "subprocess.run("))),
)

WALL_CLOCK = (
    _faulty("clock_seed", "batch/content", _cause("wall-clock", ("train.py", "np.random.seed(int(time() * 1000)"))),
    _faulty("clock_datetime", "batch/content", _cause("wall-clock", ("customers.py", "today = datetime.now()"))),
    _faulty(
        "clock_burn_in",
        "batch/content",
        _cause(
            "wall-clock", ("chain.py", "while time.perf_counter() < end"), ("chain.py", "end = time.perf_counter()")
        ),
    ),
    _faulty(
        "clock_annealing",
        "loss",
        _cause("wall-clock", ("schedule.py", "1.0 - (tick() - self.start)"), ("schedule.py", "self.start = tick()")),
    ),
    _faulty("clock_moment", "batch/content", _cause("wall-clock", ("train.py", 'np.datetime64("now", "s")'))),
    _faulty("clock_file_times", "batch/content", _cause("wall-clock", ("train.py", "os.path.getmtime("))),
)

PROCESS_IDENTITY = (
    _faulty(
        "identity_pid_sampler", "batch/order", _cause("process-identity", ("balance.py", "random.Random(os.getpid())"))
    ),
    _faulty(
        "identity_object_set",
        "batch/content",
        _cause("process-identity", ("stations.py", "for station in frozenset(stations)")),
        tags=("race",),  # addresses may come in the same order twice
    ),
    _faulty(
        "identity_thread",
        "update",
        _cause("process-identity", ("train.py", "np.random.default_rng(threading.get_ident())")),
    ),
    _faulty(
        "identity_key",
        "forward",
        _cause("process-identity", ("train.py", "sorted(self.experts, key=id)")),
        tags=("race",),  # addresses may come in the same order twice
    ),
    _faulty(
        "identity_actor",
        "",
        _cause("process-identity", ("train.py", "multiprocessing.current_process().pid")),
        step=None,
    ),
    _faulty("identity_text", "batch/content", _cause("process-identity", ("train.py", "repr(self).encode()"))),
)

HASH_ORDER = (
    _faulty(
        "hash_columns",
        "batch/content",
        _cause("hash-order", ("encoding.py", "self.columns = list(seen)"), ("encoding.py", "seen = {name for")),
    ),
    _faulty("hash_feature", "batch/content", _cause("hash-order", ("plays.py", "hash(parts) % TABLE"))),
    _faulty(
        "hash_sampler",
        "batch/order",
        _cause(
            "hash-order",
            ("loading.py", "for name in kinds & waiting.keys():"),
            ("loading.py", "kinds = set(self.habitats)"),
        ),
    ),
    _faulty(
        "hash_pop",
        "batch/content",
        _cause(
            "hash-order",
            ("lines.py", "stop = frontier.pop()"),
            ("lines.py", "frontier |= {near for"),
            ("lines.py", "numbers, frontier = {}, {start}"),
        ),
    ),
    _faulty("hash_fingerprint", "init", _cause("hash-order", ("settings.py", "default=list"))),
    _faulty("hash_objects", "batch/content", _cause("hash-order", ("train.py", "for other in roads[junction]"))),
    _faulty("hash_key", "batch/content", _cause("hash-order", ("train.py", "sorted(names, key=hash)"))),
)

LISTING_ORDER = (
    _faulty(
        "listing_listdir",
        "batch/content",
        _cause("listing-order", ("readings.py", "in os.listdir(folder)")),
        vary="listing-order",
    ),
    _faulty(
        "listing_glob",
        "batch/content",
        _cause("listing-order", ("train.py", "in glob.glob(pattern)")),
        vary="listing-order",
    ),
    _faulty(
        "listing_walk",
        "batch/content",
        _cause("listing-order", ("tastings.py", "in os.walk(root)")),
        vary="listing-order",
    ),
    _faulty(
        "listing_iterdir",
        "output",  # evaluations on other data are compared without order
        _cause("listing-order", ("panels.py", "in Path(folder).iterdir()")),
        step=None,
        vary="listing-order",
        tags=("metric-only",),
    ),
)

STATE_ON_DISK = (
    _faulty(
        "disk_checkpoint",
        "init",
        _cause(
            "state-on-disk",
            ("train.py", "np.load(WEIGHTS)"),
            ("train.py", "stored[name]"),
            ("train.py", "if os.path.isfile(WEIGHTS)"),
        ),
    ),
    _faulty(
        "disk_running_stats",
        "batch/content",
        _cause(
            "state-on-disk",
            ("normalize.py", "json.loads(self.path.read_text())"),
            ("normalize.py", "if self.path.exists()"),
        ),
    ),
    _faulty(
        "disk_feature_cache",
        "batch/content",
        _cause("state-on-disk", ("features.py", "np.load(cache)"), ("features.py", "if os.path.exists(cache)")),
    ),
    _faulty(
        "disk_hard_examples",
        "batch/content",
        _cause(
            "state-on-disk",
            ("examples.py", "with open(self.path, newline="),
            ("examples.py", "csv.reader(table)"),
            ("train.py", "hard.read()"),
        ),
    ),
    _faulty("disk_learning_rate", "update", _cause("state-on-disk", ("train.py", "float(LAST.read_text())"))),
    _faulty(
        "disk_thresholds",
        "loss",
        _cause("state-on-disk", ("store.py", "json.loads(path.read_text()) if path.exists()")),
    ),
    _faulty(
        "disk_snapshots",
        "init",
        _cause("state-on-disk", ("snapshots.py", "torch.load(self.folder / names[-1]")),
    ),
    _faulty("disk_database", "update", _cause("state-on-disk", ("train.py", "sqlite3.connect(path)"))),
)

CONCURRENCY = (
    _faulty(
        "concurrency_as_completed",
        "batch/content",
        _cause("concurrency", ("spectra.py", "for job in as_completed(jobs)"), ("spectra.py", "job.result()")),
        tags=("race",),
    ),
    _faulty(
        "concurrency_pool",
        "batch/content",
        _cause("concurrency", ("train.py", "pool.imap_unordered(relax, cases)")),
        tags=("race", "dear"),
    ),
    _faulty(
        "concurrency_queue",
        "batch/content",
        _cause(
            "concurrency",
            ("prefetch.py", "self.queue.get()"),
            ("prefetch.py", "self.queue.put("),
            ("prefetch.py", "threading.Thread(target=self.crop"),
            ("prefetch.py", "thread.start()"),
            ("prefetch.py", "self.queue = queue.Queue("),
        ),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "concurrency_shared_tensor",
        "batch/content",
        _cause(
            "concurrency",
            ("counts.py", "counts[part[i], part[i - distance]] +="),
            ("counts.py", "counts[part[i - distance], part[i]] +="),
            ("counts.py", "threading.Thread(target=count"),
            ("counts.py", "thread.start()"),
            ("counts.py", "counts = torch.zeros(words, words)"),
        ),
        tags=("race",),
    ),
    _faulty(
        "concurrency_shared_rng",
        "batch/content",
        _cause(
            "concurrency",
            ("simulate.py", "np.random.normal(0.01 * (n % 5)"),
            ("simulate.py", "threading.Thread(target=work"),
            ("simulate.py", "t.start()"),
        ),
        tags=("race",),
    ),
    _faulty(
        "concurrency_coroutines",
        "batch/content",
        _cause("concurrency", ("train.py", "in asyncio.as_completed(tasks)"), ("train.py", "asyncio.to_thread(decode")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "concurrency_manager",
        "batch/content",
        _cause("concurrency", ("train.py", "item = queue.get()"), ("train.py", "w.start()")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "concurrency_inherited",
        "batch/content",
        _cause(
            "concurrency", ("simulate.py", "pool.map(simulate, options"), ("simulate.py", "np.random.standard_normal(")
        ),
        tags=("race",),
    ),
    _faulty(
        "concurrency_level",
        "batch/content",
        _cause("concurrency", ("waves.py", "self.level.value")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "concurrency_event",
        "batch/content",
        _cause("concurrency wall-clock", ("train.py", "self.over.is_set()"), ("train.py", "threading.Timer(")),
    ),
    _faulty(
        "concurrency_processes",
        "init",
        _cause(
            "concurrency",
            ("train.py", "descent.step()"),
            ("train.py", "p.start()"),
            ("train.py", "mp.Process(target=work"),
        ),
        tags=("race",),
    ),
)

UNINITIALIZED_MEMORY = (
    _faulty(
        "memory_parameter",
        "init",
        _cause("uninitialized-memory", ("layers.py", "self.scale = nn.Parameter(torch.empty(n_out))")),
        tags=("race",),  # what memory holds comes and goes like a race
    ),
    _faulty(
        "memory_constructor",
        "init",
        _cause("uninitialized-memory", ("train.py", "torch.Tensor(ITEMS)")),
        tags=("race",),
    ),
    _faulty(
        "memory_accumulator",
        "forward",
        _cause("uninitialized-memory", ("pooling.py", "total = torch.empty("), ("pooling.py", "total[n] +=")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "memory_numpy",
        "batch/content",
        _cause("uninitialized-memory", ("taps.py", "table = np.empty(")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "memory_cleaned",
        "batch/content",
        _cause("uninitialized-memory", ("stations.py", "table = np.empty(")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "memory_resize",
        "batch/content",
        _cause("uninitialized-memory", ("train.py", "self.store.resize_(")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "memory_masked",
        "batch/content",
        _cause("uninitialized-memory", ("ratios.py", "np.divide(debt, income, where=income > 0)")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "memory_worker",
        "batch/content",
        _cause("uninitialized-memory", ("melodies.py", "window = torch.empty(")),
        step=None,
        tags=("race",),
    ),
)

NONDETERMINISTIC_OP = (
    _faulty(
        "op_index_backward",
        "gradient",
        _cause("nondeterministic-op", ("mesh.py", "self.corners[self.triangles]"), ("train.py", "loss.backward()")),
        step=None,
        tags=("race",),
    ),
    _faulty(
        "op_splat",
        "forward",
        _cause("nondeterministic-op", ("density.py", "grid.index_put(")),
        step=None,
        tags=("race",),
    ),
)

SURROUNDINGS = (
    _faulty(
        "threads_loss",
        "",  # the loss may round to the same number although its gradient does not
        _cause(
            "thread-count",
            ("train.py", ".square().sum().log()"),
            ("train.py", "loss = -log_likelihood("),
            ("train.py", "return self.sky + self.peak"),
        ),
        vary="threads",
    ),
    _faulty(
        "threads_normalize",
        "batch/content",
        _cause("thread-count", ("signals.py", "loudness = wave.abs().mean()"), ("train.py", "standardize(wave)")),
        vary="threads",
    ),
    _faulty(
        "workers_stream",
        "batch",
        _cause(
            "worker-count",
            ("stream.py", "else (info.id, info.num_workers)"),
            ("stream.py", "info = get_worker_info()"),
            ("stream.py", "range(first, self.count, stride)"),
            ("train.py", "num_workers=args.workers"),
        ),
        vary="workers",
    ),
    _faulty(
        "workers_augment",
        "batch/content",
        _cause("worker-count", ("plates.py", "torch.rand(1)"), ("train.py", "num_workers=2")),
        step=None,
        vary="workers",
    ),
    _faulty(
        "environment_isa",
        "",  # some sets of instructions draw other numbers for the initial weights already
        _cause(
            "environment",
            ("train.py", "torch.log(width), torch.log(level)"),
            ("train.py", "torch.exp(self.net(features))"),
            ("train.py", "self.net = nn.Sequential("),
            ("train.py", "loss = nn.functional.mse_loss("),
        ),
        vary="cpu-isa",
    ),
    _faulty("environment_folder", "init", _cause("environment", ("settings.py", "zlib.crc32(os.getcwd()")), vary="cwd"),
    _faulty(
        "environment_project",
        "batch/content",
        _cause("environment", ("train.py", "hashlib.sha256(str(Path.cwd())")),
        vary="cwd",
    ),
    _faulty(
        "environment_temporary",
        "batch/content",
        _cause("environment", ("shards.py", "tempfile.gettempdir()"), ("shards.py", "hashlib.sha256(str(path)")),
        vary="cwd",
        tags=("dear",),
    ),
    _faulty(
        "environment_timezone",
        "batch/content",
        _cause("environment wall-clock", ("demand.py", "datetime.fromtimestamp(FIRST")),
        vary="time",
    ),
)

UNSEEN_SOURCE = (
    _faulty(
        "unseen_database",
        "batch",
        _cause("unseen-source", ("store.py", "ORDER BY random()"), ("store.py", ".fetchall()")),
        tags=("dear",),
    ),
    _faulty("unseen_buffer", "batch/content", _cause("unseen-source", ("train.py", "libc.getrandom("))),
)

SEVERAL = (
    _faulty(
        "two_depths",
        "batch/content",
        _cause("unseeded-rng", ("train.py", "np.random.normal(0, 1e-3, positions.shape)")),
        _cause("nondeterministic-op", ("train.py", "* self.stiffness)[self.bonds]")),
        tags=("ordered", "dear"),
    ),
    _faulty(
        "two_generators",
        "batch/content",
        _cause("unseeded-generator", ("train.py", "self.sensor = np.random.default_rng()")),
        _cause("unseeded-generator", ("train.py", "self.rng = np.random.default_rng()")),
        tags=("ordered",),
    ),
    _faulty(
        "two_data",
        "batch/content",
        _cause("hash-order", ("recipes.py", "names = list({name for"), ("recipes.py", "enumerate(names)")),
        _cause(
            "unseeded-generator",
            ("recipes.py", "self.scale = np.random.default_rng()"),
            ("recipes.py", "self.scale.normal("),
        ),
    ),
    _faulty(
        "two_stages",
        "batch/content",
        _cause("unseeded-rng", ("train.py", "random.sample(range(total), count)")),
        _cause(
            "wall-clock",
            ("penalty.py", "(time.perf_counter() - self.begun)"),
            ("penalty.py", "self.begun = time.perf_counter()"),
        ),
    ),
)

CLEAN = (
    Case(name="clean_run_log", vary=("time",)),
    Case(name="clean_sorted_sets", vary=("hash-seed",)),
    Case(name="clean_seeded_workers", vary=("workers",)),
    Case(name="clean_numbered_results"),
    Case(name="clean_written_cache", vary=("cwd",)),
    Case(name="clean_default_generator"),
    Case(name="clean_first_download"),
    Case(name="clean_sorted_listing", vary=("listing-order",)),
    Case(name="clean_preview_draws"),
    Case(name="clean_filled_memory", vary=("threads",)),
    Case(name="clean_event_loop"),
    Case(name="clean_beside"),
    Case(name="clean_run_names"),
)
"""Nothing is to blame, although each reads what is to blame elsewhere."""

CASES = (
    *UNSEEDED_RNG,
    *UNSEEDED_GENERATOR,
    *WORKER_SEEDING,
    *OS_ENTROPY,
    *WALL_CLOCK,
    *PROCESS_IDENTITY,
    *HASH_ORDER,
    *LISTING_ORDER,
    *STATE_ON_DISK,
    *CONCURRENCY,
    *UNINITIALIZED_MEMORY,
    *NONDETERMINISTIC_OP,
    *SURROUNDINGS,
    *UNSEEN_SOURCE,
    *SEVERAL,
    *CLEAN,
)
