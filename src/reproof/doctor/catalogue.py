"""Names of libraries that the reading of a script rests on: what seeds, what draws, what trains, what is outside.

Versions that this was checked against: PyTorch 2.13, NumPy 2.4, scikit-learn 1.9, Python 3.10 to 3.13.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reproof.doctor.records import Kind


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set: names in rows read better than names in columns."""
    return frozenset(text.split())


LOADER: Final = "torch.utils.data.DataLoader"
SPLIT: Final = "torch.utils.data.random_split"
BUNDLE: Final = "reproof.integrations.optuna.BestTrialBundle"

_SEEDING: Final = re.compile(
    r"torch\.((random|default_generator)\.)?(manual_seed|set_rng_state)|(numpy\.)?random\.(seed|set_?state)"
)
_HELPER: Final = re.compile(
    r"\w*seed_?(everything|all|torch|worker_everything|rngs?|python|random)\w*|\w*set_?(\w*_)?seeds?\w*|\w*set_rng\w*"
    r"|(fix|setup|init|same|initialize|make|configure|apply)_\w*seeds?\w*|\w*random_seeds?|set_determin\w+|seed"
    r"|enable_full_determinism"
)
_SEEDING_EVERYTHING: Final = re.compile(
    r"(transformers|trl)\.(\w+\.)*\w*Trainer|composer\.Trainer|(lightning\.pytorch|pytorch_lightning)\.cli\.\w+CLI"
    r"|reproof\.(determinism\.)?deterministic"
)


def seeds(name: str) -> bool:
    """Whether a function seeds: a library's own, or one that seeds everything, going by its name."""
    is_own = name.startswith(("torch.", "numpy.", "random."))
    return bool(_SEEDING.fullmatch(name) if is_own else _HELPER.fullmatch(name.rpartition(".")[2]))


def seeded_libraries(name: str) -> tuple[str, ...]:
    """Return the libraries whose global generator is seeded: by a Trainer of transformers, not by its arguments."""
    if _SEEDING.fullmatch(name):
        return (name.partition(".")[0],)
    return ("torch", "numpy", "random") if seeds(name) or _SEEDING_EVERYTHING.fullmatch(name) else ()


CERTAIN_DRAWS: Final = re.compile(
    r"torch\.nn\.((Lazy)?(Linear|Bilinear|Conv[123]d|ConvTranspose[123]d)|Embedding(Bag)?|(RNN|LSTM|GRU)(Cell)?"
    r"|Transformer\w*|MultiheadAttention|init\.(uniform|normal|trunc_normal|xavier_\w+|kaiming_\w+|orthogonal|sparse)_)"
    r"|torchvision\.models\.(\w+\.)*[a-z]\w+|timm\.(models\.)?create_model|transformers\.\w*AutoModel\w*\.from_config"
    r"|torch\.utils\.data\.(random_split|RandomSampler|SubsetRandomSampler|WeightedRandomSampler)"
)
DRAWS: Final = re.compile(
    r"(numpy\.random|random)\.(?!(seed|[gs]et_?state|default_rng|\w*bit_generator)$)[a-z]\w*|torch\.(rand|randn|randint|rand_like|randn_like|randint_like|randperm|normal|bernoulli|multinomial|poisson)"
    r"|torch\.distributions\.[\w.]+\.r?sample(_n)?"
)
TORCH_METHODS: Final = words(
    "normal_ uniform_ bernoulli_ random_ exponential_ cauchy_ geometric_ log_normal_ multinomial bernoulli rsample"
)
SPLITTERS: Final = re.compile(
    r"sklearn\.(model_selection\.(train_test_split|(Stratified|Group)?ShuffleSplit)|utils\.(shuffle|resample)"
    r"|datasets\.make_\w+)"
)
FOLDS: Final = re.compile(r"sklearn\.model_selection\.(KFold|StratifiedKFold|StratifiedGroupKFold)")
SHUFFLES: Final = words("random.shuffle numpy.random.shuffle")


# what makes a generator, with the name of its seed; not torch.Generator: without one it has a fixed seed
GENERATORS: Final[dict[str, str]] = {
    **{f"numpy.random.{name}": "seed" for name in words("default_rng RandomState PCG64 MT19937 Philox SFC64")},
    "numpy.random.SeedSequence": "entropy",
    "random.Random": "x",
}
SAMPLERS: Final = re.compile(r"optuna\.samplers\.(_\w+\.)*(?!Grid|BruteForce|PartialFixed)[A-Z]\w+Sampler")
TRAINING: Final = re.compile(
    r"torch\.optim\.[A-Z]\w*|torch\.autograd\.(grad|backward)|torch\.func\.\w*grad\w*"
    r"|(lightning|pytorch_lightning|transformers|trl|composer|accelerate|ignite)\.([\w.]*)Trainer"
)
SCALERS: Final = re.compile(r"sklearn\.(preprocessing|decomposition|impute|compose|pipeline)\.(\w+\.)*[A-Z]\w+")
SAVING: Final = re.compile(r"(joblib|pickle|cloudpickle|dill|skops\.io)\.dumps?|torch\.save")

_OUTSIDE: Final[dict[Kind, str]] = {
    "wall-clock": "time.time time.time_ns time.perf_counter time.perf_counter_ns time.monotonic time.monotonic_ns "
    "time.process_time time.gmtime time.localtime timeit.default_timer datetime.datetime.now datetime.datetime.utcnow "
    "datetime.datetime.today datetime.date.today",
    "process-identity": "os.getpid os.getppid os.times os.getloadavg socket.gethostname platform.node "
    "threading.get_ident threading.get_native_id multiprocessing.current_process",
    "os-entropy": "os.urandom os.getrandom uuid.uuid1 uuid.uuid4 secrets.token_bytes secrets.token_hex secrets.choice "
    "secrets.randbelow secrets.randbits random.SystemRandom secrets.SystemRandom",
}
OUTSIDE: Final = {name: kind for kind, names in _OUTSIDE.items() for name in names.split()}
SINKS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"torch\.optim\.(\w+\.)*[A-Z]\w*"), "the optimizer's settings"),
    (re.compile(r"torch\.utils\.data\.(\w+\.)*[A-Z]\w*"), "the training data"),
    (re.compile(r"torch\.nn\.(Parameter|init\.\w+)"), "a parameter"),
    (re.compile(r"torch\.nn\.([A-Z]|functional\.|utils\.)\w*"), "what the model computes"),
    (re.compile(r"torch\.(autograd\.(grad|backward)|func\.\w+)"), "the loss"),
)
# what computes its result from its arguments
PURE: Final = re.compile(
    r"(torch|numpy|math|itertools|functools|hashlib|zlib|binascii|struct|random|statistics|operator|copy|pandas"
    r"|collections|datetime|uuid|scipy|sklearn|asyncio|reproof\.make_generator)(\..*)?"
    r"|builtins\.(int|float|str|abs|round|sum|min|max|set|frozenset|dict|map|filter|range|next|hash|bytes|bytearray"
    r"|pow|divmod|bool|ord|hex|sorted|any|all|repr|slice|int\.from_bytes)|tqdm\.(auto\.)?tqdm"
)
# what opens what a name says: a file with a random name has the same contents
READERS: Final = re.compile(
    r"(builtins|io|json|yaml|pickle|joblib|torch|torchaudio|numpy|gzip|imageio|soundfile)\.\w*(load|read|open|save)\w*"
    r"|numpy\.(genfromtxt|fromfile|memmap)|cv2\.imread|PIL\.Image\.open|pandas\.read_\w+|torchvision\.io\.\w+|h5py\.File"
    r"|pathlib\.\w*Path|(os\.path|shutil|tempfile|logging|safetensors\.\w+|scipy\.io\.\w+)\.\w+|os\.(stat|makedirs|mkdir)"
    r"|torch\.(jit\.save|onnx\.export|utils\.tensorboard\.\w+|profiler\.\w+|cuda\.\w+)"
)
READING_METHODS: Final = words(
    "open read_text read_bytes exists is_file is_dir stat mkdir iterdir glob rglob unlink touch"
)
SIZES: Final = words("shape dtype device ndim size requires_grad dim numel")
MUTATORS: Final = words(
    "append extend add update insert appendleft put put_nowait add_ mul_ sub_ div_ copy_ fill_ index_add_ masked_fill_ "
    "lerp_ addcmul_ addcdiv_ clamp_ scatter_ scatter_add_ index_fill_ index_copy_ pow_ manual_seed seed"
)
KEEPERS: Final = words("append appendleft add put")
QUIET_METHODS: Final = words(
    "info debug warning error write log log_metric log_metrics add_scalar add_text set_description save join submit"
)
HOOKS: Final = re.compile(r"register_(\w+_)?hook")
MODEL_NAMES: Final = words("model net network module criterion discriminator encoder decoder")
