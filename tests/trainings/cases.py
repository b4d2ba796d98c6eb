"""The table of the trainings: how each is run, and what is true of two runs of it.

Truth is stated in the words of the design and was measured without reproof (see README.md). Steps are 0-based
optimizer steps; a place in a script is a piece of source text, so that it survives an edit above it.

Left out: how a training is run (`test_trainings_truth.py`) and what reproof must make of it (the tests that use this).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent

Group = Literal["clean", "suspicious", "faulty"]
Stage = Literal["init", "batch", "forward", "loss", "gradient", "update", "metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstDivergence:
    """Where two runs part first.

    Attributes:
        stage: Stage of the first event that differs; None if no common event differs: one run is only longer.
        detail: For a batch, *order* or *content*.
        step: Optimizer step, or None where it is not fixed.
        or_stages: Stages that are as right, where it depends on how closely a recorder looks.
    """

    stage: Stage | None
    detail: Literal["order", "content"] | None = None
    step: int | None = 0
    or_stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A line that is to blame.

    Attributes:
        kind: One of the kinds of the design.
        file: Relative to the training's folder.
        source: Text that stands on this line of the file and on no other.
    """

    kind: str
    file: str
    source: str

    def find_line(self, folder: Path) -> int:
        """Return the 1-based number of the line.

        Raises:
            ValueError: If the text stands on no line, or on several.
        """
        lines = (folder / self.file).read_text(encoding="utf-8").splitlines()
        found = [number for number, line in enumerate(lines, start=1) if self.source in line]
        if len(found) != 1:
            msg = f"{self.source!r} stands on lines {found} of {folder / self.file}: it must be exactly one"
            raise ValueError(msg)
        return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training and its truth.

    Attributes:
        name: Name of its folder.
        group: Folder that this is in.
        command: What follows `python`.
        divergence: Where two runs part first; None if they are the same to the bit.
        causes: Lines that may be blamed, the best one first; to name any of them is right.
        tags: What is particular about it: shapes of loops, optimizers, ways of loading.
    """

    name: str
    group: Group
    command: tuple[str, ...] = ("train.py",)
    divergence: FirstDivergence | None = None
    causes: tuple[Cause, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder to copy: a training is run in a copy, as the current folder."""
        return ROOT / self.group / self.name

    @property
    def is_reproducible(self) -> bool:
        """Whether two runs are the same to the bit."""
        return self.divergence is None

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Verdicts that are right; of runs of unequal length that agree as far as they go, two may be given."""
        if self.divergence is None:
            return ("identical",)
        return ("diverged",) if self.divergence.stage else ("inconclusive", "diverged")


def _clean(name: str, *tags: str, command: tuple[str, ...] = ("train.py",)) -> Training:
    return Training(name=name, group="clean", command=command, tags=tags)


def _suspicious(name: str, *tags: str) -> Training:
    return Training(name=name, group="suspicious", tags=tags)


def _faulty(
    name: str,
    first: FirstDivergence,
    *causes: tuple[str, str, str],
    tags: tuple[str, ...] = (),
    module: str | None = None,
) -> Training:
    return Training(
        name=name,
        group="faulty",
        command=("-m", module) if module else ("train.py",),
        divergence=first,
        causes=tuple(Cause(kind=kind, file=file, source=source) for kind, file, source in causes),
        tags=tags,
    )


CLEAN = (
    _clean("plain_loop", "loader", "sgd-nesterov"),
    _clean("gan_two_optimizers", "two-models", "two-optimizers", "argparse", "no-loader"),
    _clean("lbfgs_closure", "closure", "lbfgs", "float64", "no-loader"),
    _clean("gradient_accumulation", "accumulation", "argparse", "loader", "adamw"),
    _clean("autocast_scaler", "autocast", "bfloat16", "grad-scaler", "clipping", "class-trainer", "loader"),
    _clean("packed_rnn", "packed-sequences", "clipping", "collate-dict", "loader"),
    _clean("ema_evaluation", "ema", "two-models", "evaluation", "loader"),
    _clean("swa", "swa", "update-bn", "buffers", "scheduler", "config-dataclass", "loader"),
    _clean("tied_weights", "shared-parameters", "own-modules", "nadam", "loader"),
    _clean("unfreeze_later", "frozen", "add-param-group", "no-loader"),
    _clean("foreach_adam", "foreach", "amsgrad", "no-loader"),
    _clean("fused_convnet", "fused", "buffers", "evaluation", "loader"),
    _clean("reinforce", "rl", "rmsprop", "own-modules", "no-loader"),
    _clean("matrix_factors", "adagrad", "python-random", "evaluation", "no-loader"),
    _clean("sparse_embedding", "sparse-gradients", "sparse-adam", "two-optimizers", "no-loader"),
    _clean(
        "tiny_gpt",
        "package",
        "relative-imports",
        "get-batch",
        "config-dataclass",
        "dropout",
        "shared-parameters",
        "no-loader",
        command=("-m", "tinygpt.train"),
    ),
    _clean("by_hand", "no-optimizer", "no-loader"),
    _clean("functional_grad", "torch-func", "no-optimizer", "no-backward", "no-loader"),
    _clean("maml_sines", "autograd-grad", "double-backward", "raw-tensors", "argparse", "no-loader"),
    _clean("gradient_penalty", "autograd-grad", "double-backward", "adamax", "no-loader"),
    _clean("compiled_eager", "compile", "no-loader"),
    _clean("compiled_aot", "compile", "buffers", "loader"),
    _clean("workers_fork", "workers", "fork", "numpy-random", "python-random", "loader"),
    _clean("workers_spawn", "workers", "spawn", "own-modules", "loader"),
    _clean("workers_persistent", "workers", "persistent-workers", "collate-dict", "loader"),
    _clean("iterable_shards", "workers", "iterable-dataset", "radam", "loader"),
    _clean("bucketed_batches", "batch-sampler", "collate-dataclass", "own-modules", "loader"),
    _clean("eval_each_epoch", "evaluation", "scheduler", "scikit-learn", "argparse", "own-modules", "loader"),
    _clean("one_cycle", "scheduler", "evaluation", "inference-mode", "random-split", "loader"),
    _clean("distillation", "two-models", "teacher", "class-trainer", "no-loader"),
    _clean("transformer_dropout", "transformer", "dropout", "scheduler", "no-loader"),
    _clean("keyword_inputs", "keyword-arguments", "output-dict", "adadelta", "loader"),
    _clean("raw_tensors", "raw-tensors", "no-module", "no-optimizer", "no-loader"),
    _clean("lazy_modules", "lazy", "buffers", "no-loader"),
    _clean("checkpointed_blocks", "checkpointing", "dropout", "argparse", "no-loader"),
    _clean("writes_checkpoint", "writes-files", "own-modules", "loader"),
    _clean(
        "package_augmented",
        "package",
        "relative-imports",
        "numpy-random",
        "augmentation",
        "asgd",
        "loader",
        command=("-m", "leaves"),
    ),
)
"""The same to the bit, and nothing about them looks otherwise; between them they have every shape of loop."""

SUSPICIOUS = (
    _suspicious("run_names", "unseeded-names", "clock", "writes-files", "own-modules", "loader"),
    _suspicious("timed_messages", "clock", "process-identity", "object-id", "loader"),
    _suspicious("scratch_files", "process-identity", "temporary-files", "memmap", "loader"),
    _suspicious("membership_sets", "sets", "listings", "no-loader"),
    _suspicious("ordered_threads", "threads", "loader"),
    _suspicious("filled_buffers", "empty", "buffers", "no-loader"),
    _suspicious("workers_torch_seed", "workers", "fork", "numpy-random", "python-random", "loader"),
    _suspicious("integer_hashes", "hash", "sets", "default-generator", "no-loader"),
)
"""The same to the bit although they read clocks, process ids, unseeded generators, sets or uninitialised memory."""

FAULTY = (
    _faulty(
        "unseeded_init",
        FirstDivergence(stage="init"),
        ("unseeded-rng", "train.py", "nn.ModuleList(nn.Linear(a, b)"),
        ("unseeded-rng", "train.py", "self.out = nn.Linear(sizes[-1], 1)"),
        ("unseeded-rng", "train.py", "model = Regressor(cfg.hidden)"),
        tags=("config-dataclass", "loader"),
    ),
    _faulty(
        "compiled_init",
        FirstDivergence(stage="init"),
        ("unseeded-rng", "train.py", "self.features = nn.Linear(3, 24)"),
        ("unseeded-rng", "train.py", "self.out = nn.Linear(24, 1)"),
        ("unseeded-rng", "train.py", "torch.compile(Range()"),
        tags=("compile", "no-loader"),
    ),
    _faulty(
        "leftover_checkpoint",
        FirstDivergence(stage="init"),
        ("state-on-disk", "train.py", "torch.load(self.path"),
        ("state-on-disk", "train.py", "if not self.path.exists()"),
        ("state-on-disk", "train.py", "weights.restore(model)"),
        tags=("writes-files", "no-loader"),
    ),
    _faulty(
        "empty_counts",
        FirstDivergence(stage="init"),
        ("uninitialized-memory", "train.py", "torch.empty(features, classes"),
        tags=("buffers", "no-loader"),
    ),
    _faulty(
        "unseeded_sampler",
        FirstDivergence(stage="batch", detail="order"),
        ("unseeded-generator", "samplers.py", "rng = np.random.default_rng()"),
        ("unseeded-generator", "samplers.py", "rng.choice("),
        tags=("sampler", "own-modules", "argparse", "loader"),
    ),
    _faulty(
        "unseeded_augment",
        FirstDivergence(stage="batch", detail="content"),
        ("unseeded-rng", "signals.py", "knots = np.random.normal"),
        ("unseeded-rng", "signals.py", "np.random.randint(len(beat))"),
        tags=("augmentation", "own-modules", "loader"),
    ),
    _faulty(
        "system_label_noise",
        FirstDivergence(stage="batch", detail="content"),
        ("os-entropy", "train.py", "if coin.random() < share"),
        ("os-entropy", "train.py", "coin = random.SystemRandom()"),
        ("os-entropy", "train.py", "coin.randrange(CLASSES)"),
        tags=("loader",),
    ),
    _faulty(
        "set_vocabulary",
        FirstDivergence(stage="batch", detail="content"),
        ("hash-order", "reviews/text.py", "enumerate(words)"),
        ("hash-order", "reviews/text.py", "words = set()"),
        tags=("package", "relative-imports", "sets", "loader"),
        module="reviews.train",
    ),
    _faulty(
        "hash_buckets",
        FirstDivergence(stage="batch", detail="content"),
        ("hash-order", "train.py", "hash(word) % TABLE"),
        tags=("hash", "get-batch", "no-loader"),
    ),
    _faulty(
        "completion_order",
        FirstDivergence(stage="batch", detail="content"),
        ("concurrency", "train.py", "for future in as_completed("),
        ("concurrency", "train.py", "spectrum, bell = future.result()"),
        ("concurrency", "train.py", "spectra.append(spectrum)"),
        tags=("threads", "loader"),
    ),
    _faulty(
        "clock_seeded_workers",
        FirstDivergence(stage="batch", detail="content"),
        ("worker-seeding", "dataset.py", "np.random.seed((time.time_ns()"),
        ("wall-clock", "dataset.py", "np.random.seed((time.time_ns()"),
        ("worker-seeding", "dataset.py", "np.random.exponential("),
        tags=("workers", "fork", "own-modules", "loader"),
    ),
    _faulty(
        "functional_noise",
        FirstDivergence(stage="batch", detail="content"),
        ("unseeded-rng", "train.py", "np.random.normal(0, 1e-3"),
        tags=("torch-func", "no-optimizer", "no-backward", "no-loader"),
    ),
    _faulty(
        "pid_masks",
        FirstDivergence(stage="forward"),
        ("process-identity", "layers.py", "np.random.RandomState(os.getpid())"),
        tags=("dropout", "own-modules", "loader"),
    ),
    _faulty(
        "late_mixup",
        FirstDivergence(stage="forward", step=12),
        ("unseeded-rng", "train.py", "random.betavariate("),
        tags=("late", "scikit-learn", "argparse", "loader"),
    ),
    _faulty(
        # The critic is stepped first: the generator's noise is drawn within step 1.
        "gan_latent",
        FirstDivergence(stage="forward", step=1),
        ("unseeded-rng", "train.py", "np.random.standard_normal("),
        tags=("two-models", "two-optimizers", "class-trainer", "loader"),
    ),
    _faulty(
        "uuid_weight",
        FirstDivergence(stage="loss"),
        ("os-entropy", "train.py", "Run(uuid.uuid4())"),
        tags=("config-dataclass", "loader"),
    ),
    _faulty(
        # Three backward passes make a step: the seventh belongs to step 2.
        "accumulated_weights",
        FirstDivergence(stage="loss", step=2),
        ("unseeded-rng", "train.py", "random.uniform(0.5, 1.5)"),
        tags=("accumulation", "late", "loader"),
    ),
    _faulty(
        # There is no module whose parameters could be seen at first use: unless the leaves of the graph are, the loss
        # is the first evidence.
        "raw_weights",
        FirstDivergence(stage="loss", or_stages=("init",)),
        ("unseeded-rng", "train.py", "np.random.randn(64)"),
        tags=("raw-tensors", "no-module", "no-optimizer", "no-loader"),
    ),
    _faulty(
        "gradient_noise",
        FirstDivergence(stage="gradient"),
        ("unseeded-generator", "private.py", "np.random.RandomState()"),
        ("unseeded-generator", "private.py", "self.noise.normal("),
        tags=("clipping", "own-modules", "loader"),
    ),
    _faulty(
        "gather_backward",
        FirstDivergence(stage="gradient"),
        ("nondeterministic-op", "encoding.py", "self.table[index]"),
        ("nondeterministic-op", "train.py", "loss.backward()"),
        tags=("eight-threads", "own-modules", "no-loader"),
    ),
    _faulty(
        "langevin_update",
        FirstDivergence(stage="update"),
        ("unseeded-generator", "sgld.py", "np.random.default_rng()"),
        ("unseeded-generator", "sgld.py", "self.rng.standard_normal("),
        tags=("own-optimizer", "own-modules", "no-loader"),
    ),
    _faulty(
        "clock_lr",
        FirstDivergence(stage="update"),
        ("wall-clock", "train.py", "now = time.perf_counter()"),
        ("wall-clock", "train.py", "self.last = time.perf_counter()"),
        tags=("clock", "scheduler", "loader"),
    ),
    _faulty(
        "buffer_drift",
        FirstDivergence(stage="update"),
        ("unseeded-generator", "train.py", "np.random.RandomState()"),
        ("unseeded-generator", "train.py", "self._noise.normal("),
        tags=("buffers", "loader"),
    ),
    _faulty(
        # Parameters change between backward() and the next forward pass, and no optimizer says when that is.
        "noisy_hand_update",
        FirstDivergence(stage="update", step=None, or_stages=("forward",)),
        ("unseeded-generator", "train.py", "kicks.seed()"),
        ("unseeded-generator", "train.py", "generator=kicks"),
        tags=("no-optimizer", "no-loader"),
    ),
    _faulty(
        "noisy_metric",
        FirstDivergence(stage="metric", step=6),
        ("unseeded-rng", "train.py", "np.random.normal(0, noise"),
        tags=("metric-only", "evaluation", "loader"),
    ),
    _faulty(
        # The averaged copy is first used after four steps; a recorder that knows the copy may see it part earlier.
        "ema_jitter",
        FirstDivergence(stage="metric", step=None, or_stages=("init", "update")),
        ("unseeded-generator", "train.py", "self.rng = random.Random()"),
        ("unseeded-generator", "train.py", "self.rng.uniform("),
        tags=("ema", "two-models", "evaluation", "no-loader"),
    ),
    _faulty(
        # All steps that both runs have are the same; one run has more of them.
        "time_budget",
        FirstDivergence(stage=None, step=None),
        ("wall-clock", "train.py", "while time.monotonic() < deadline"),
        ("wall-clock", "train.py", "deadline = time.monotonic()"),
        tags=("clock", "structure", "no-loader"),
    ),
)
"""Each has one fault; two runs differ."""

TRAININGS = CLEAN + SUSPICIOUS + FAULTY
