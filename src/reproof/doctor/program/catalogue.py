"""Names of libraries that the reading of a script rests on: what draws, what seeds, what trains.

Versions that this was checked against: PyTorch 2.13, NumPy 2.4, scikit-learn 1.9, Python 3.10 to 3.13.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reproof.doctor.program.graph import SinkKind, Step


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set: names in rows read better than names in columns."""
    return frozenset(text.split())


LOADER: Final = "torch.utils.data.DataLoader"

# --- what happens to a value -----------------------------------------------------------------------------------------

STEPS: Final[dict[str, Step]] = {
    **dict.fromkeys(
        ("builtins.len", "builtins.isinstance", "builtins.type", "builtins.callable", "builtins.print", "builtins.id"),
        "size",
    ),
    **dict.fromkeys(
        words(
            "builtins.next builtins.min builtins.max builtins.sum builtins.any builtins.all builtins.set "
            "builtins.frozenset collections.Counter math.fsum statistics.mean"
        ),
        "fold",
    ),
    **dict.fromkeys(
        words(
            "builtins.sorted numpy.sort numpy.unique torch.unique natsort.natsorted natsort.humansorted "
            "heapq.nsmallest heapq.nlargest"
        ),
        "sort",
    ),
    **dict.fromkeys(
        words(
            "builtins.list builtins.tuple builtins.iter builtins.reversed builtins.filter "
            "collections.deque tqdm.tqdm tqdm.auto.tqdm tqdm.trange itertools.islice itertools.cycle "
            "rich.progress.track"
        ),
        "hold",
    ),
    **dict.fromkeys(
        words(
            "builtins.str builtins.repr builtins.format os.path.join os.path.abspath os.path.expanduser pathlib.Path "
            "pathlib.PurePath datetime.datetime.strftime time.strftime json.dumps pprint.pformat"
        ),
        "text",
    ),
    **dict.fromkeys(
        words(
            "builtins.open io.open gzip.open json.load yaml.safe_load yaml.load pickle.load joblib.load numpy.load "
            "numpy.loadtxt numpy.genfromtxt torch.load safetensors.torch.load_file PIL.Image.open cv2.imread "
            "torchvision.io.read_image torchaudio.load soundfile.read imageio.imread pandas.read_csv "
            "pandas.read_parquet pandas.read_json scipy.io.wavfile.read h5py.File os.path.exists os.path.getsize "
            "os.makedirs os.mkdir"
        ),
        "read",
    ),
}
"""Functions whose result keeps something else of their arguments than a value computed from them."""

METHOD_STEPS: Final[dict[str, Step]] = {
    "join": "text",
    "strftime": "text",
    "isoformat": "text",
    "hex": "text",
    "format": "text",
    "joinpath": "text",
    "with_suffix": "text",
    "with_name": "text",
    "index": "rank",
    "open": "read",
    "read_text": "read",
    "read_bytes": "read",
    "exists": "read",
    "mkdir": "read",
    "count": "fold",
    "size": "size",
    "dim": "size",
    "numel": "size",
    "most_common": "sort",
}
SIZE_ATTRIBUTES: Final = frozenset({"shape", "dtype", "device", "ndim", "size", "requires_grad"})

WALKERS: Final = words(
    "builtins.list builtins.tuple builtins.enumerate builtins.zip builtins.map builtins.filter builtins.iter "
    "builtins.next builtins.reversed collections.deque numpy.fromiter itertools.chain itertools.islice "
    "itertools.cycle itertools.product itertools.combinations itertools.permutations dict.fromkeys "
    "builtins.dict.fromkeys tqdm.tqdm tqdm.auto.tqdm random.sample random.choices"
)
"""Functions that walk their arguments and keep the order in which they did."""

# --- where a value becomes part of a training ------------------------------------------------------------------------

_SINKS: Final[tuple[tuple[re.Pattern[str], SinkKind], ...]] = (
    (re.compile(r"torch\.optim\.(lr_scheduler\.)?[A-Z]\w*"), "rate"),
    (
        re.compile(
            r"torch\.utils\.data\.(DataLoader|TensorDataset|Subset|ConcatDataset|WeightedRandomSampler|BatchSampler"
            r"|SubsetRandomSampler)"
        ),
        "data",
    ),
    (re.compile(r"torch\.nn\.functional\.\w+"), "model"),
    (re.compile(r"torch\.nn\.(Parameter|init\.\w+)"), "parameter"),
    (re.compile(r"torch\.(autograd\.(grad|backward)|func\.\w+)"), "loss"),
)


def sink_of(name: str) -> SinkKind | None:
    """Return what a call of a library's function makes of its arguments, if it is a part of a training."""
    if is_seeding(name):
        return "seed"
    return next((kind for pattern, kind in _SINKS if pattern.fullmatch(name)), None)


# --- seeding ---------------------------------------------------------------------------------------------------------

LIBRARIES: Final = ("torch", "numpy", "random")
_SEEDING: Final[dict[str, tuple[str, ...]]] = {
    "torch.manual_seed": ("torch",),
    "torch.default_generator.manual_seed": ("torch",),
    "torch.set_rng_state": ("torch",),
    "numpy.random.seed": ("numpy",),
    "numpy.random.set_state": ("numpy",),
    "random.seed": ("random",),
    "random.setstate": ("random",),
    "torch.cuda.manual_seed": (),
    "torch.cuda.manual_seed_all": (),
    "torch.mps.manual_seed": (),
    "torch.xpu.manual_seed_all": (),
    "reproof.deterministic": LIBRARIES,
    "reproof.determinism.deterministic": LIBRARIES,
}
_GENERATORS: Final = re.compile(
    r"numpy\.random\.(default_rng|RandomState|SeedSequence|PCG64(DXSM)?|MT19937|Philox|SFC64)|random\.Random"
    r"|reproof\.make_generator|torch\.Generator\.manual_seed"
)
SEEDING_HELPER: Final = re.compile(
    r"\w*seed_(everything|all|torch|worker_everything|rng|rngs|all_rng|python|random)\w*|(re)?set_\w*seeds?\w*"
    r"|fix_\w*seeds?\w*|(setup|init|same|initialize|make|configure|apply)_\w*seeds?\w*|\w*random_seeds?|seed_everything"
    r"|set_determinis\w+|enable_full_determinism|set_all_seeds?|seedall|setseed|seed_all_rng"
)
"""Names of functions that seed everything, in the frameworks that have one (Lightning, transformers, MONAI, …)."""

_TRAINERS_THAT_SEED: Final = re.compile(
    r"transformers\.\w*(Trainer|TrainingArguments)|trl\.\w+|composer\.Trainer"
    r"|(lightning\.pytorch|pytorch_lightning)\.cli\.LightningCLI"
)


def is_seeding(name: str) -> bool:
    """Whether a function of a library takes a seed for a generator."""
    return name in _SEEDING or bool(_GENERATORS.fullmatch(name)) or is_seeding_helper(name)


def is_seeding_helper(name: str) -> bool:
    """Whether a function of a library seeds everything, going by its name."""
    return name not in _SEEDING and bool(SEEDING_HELPER.fullmatch(name.rpartition(".")[2]))


def seeded_libraries(name: str) -> tuple[str, ...]:
    """Return the libraries whose global generator a function of a library seeds."""
    if name in _SEEDING:
        return _SEEDING[name]
    return LIBRARIES if is_seeding_helper(name) or _TRAINERS_THAT_SEED.fullmatch(name) else ()


# --- drawing from the global generators ------------------------------------------------------------------------------

_TORCH_FUNCTIONS: Final = re.compile(
    r"torch\.(rand|randn|randint|rand_like|randn_like|randint_like|randperm|normal|bernoulli|multinomial|poisson)"
    r"|torch\.distributions\.[\w.]+\.r?sample(_n)?"
)
_TORCH_LAYERS: Final = re.compile(
    r"torch\.nn\.((Lazy)?(Linear|Bilinear|Conv[123]d|ConvTranspose[123]d)|Embedding(Bag)?|(RNN|LSTM|GRU)(Cell)?"
    r"|Transformer\w*|MultiheadAttention)"
    r"|torch\.nn\.init\.(uniform|normal|trunc_normal|xavier_\w+|kaiming_\w+|orthogonal|sparse)_"
    r"|torchvision\.models\.(\w+\.)*[a-z]\w+|timm\.create_model|timm\.models\.create_model"
)
_TORCH_SAMPLERS: Final = re.compile(
    r"torch\.utils\.data\.(random_split|RandomSampler|SubsetRandomSampler|WeightedRandomSampler)"
)
_TORCH_METHODS: Final = words(
    "normal_ uniform_ bernoulli_ random_ exponential_ cauchy_ geometric_ log_normal_ multinomial bernoulli rsample"
)
_NOT_DRAWING: Final = words(
    "seed get_state set_state default_rng getstate setstate bit_generator get_bit_generator set_bit_generator"
)
_SPLITTERS: Final = re.compile(
    r"sklearn\.model_selection\.(train_test_split|ShuffleSplit|StratifiedShuffleSplit|GroupShuffleSplit)"
    r"|sklearn\.utils\.(shuffle|resample)|sklearn\.datasets\.make_\w+"
)
_FOLDS: Final = re.compile(r"sklearn\.model_selection\.(KFold|StratifiedKFold|StratifiedGroupKFold)")


def draws_for_training(name: str) -> bool:
    """Whether a function draws from PyTorch's global generator what the training is made of: weights, order, split."""
    return bool(_TORCH_LAYERS.fullmatch(name) or _TORCH_SAMPLERS.fullmatch(name))


def is_torch_draw(name: str) -> bool:
    """Whether a function draws a tensor from PyTorch's global generator."""
    return bool(_TORCH_FUNCTIONS.fullmatch(name))


def is_torch_drawing_method(name: str) -> bool:
    """Whether a method of a tensor or a distribution draws from PyTorch's global generator."""
    return name in _TORCH_METHODS


def is_numpy_draw(name: str) -> bool:
    """Whether a function draws from NumPy's global generator."""
    function = name.removeprefix("numpy.random.")
    return function != name and function not in _NOT_DRAWING and function[:1].islower() and "." not in function


def is_python_draw(name: str) -> bool:
    """Whether a function draws from the global generator of `random`."""
    function = name.removeprefix("random.")
    return function != name and function not in _NOT_DRAWING and function[:1].islower() and "." not in function


def is_sklearn_split(name: str) -> bool:
    """Whether a function of scikit-learn draws from NumPy's global generator unless it is given a ``random_state``."""
    return bool(_SPLITTERS.fullmatch(name))


def is_sklearn_fold(name: str) -> bool:
    """Whether a splitter of scikit-learn does so when it is told to shuffle."""
    return bool(_FOLDS.fullmatch(name))
