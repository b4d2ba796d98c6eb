"""Types of what common functions and methods of Python and its libraries return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.doctor.program.catalogue import words
from reproof.doctor.program.types import (
    FILE,
    NUMBER,
    PATH,
    TEXT,
    Foreign,
    Hashed,
    Items,
    Row,
    Table,
    Text,
    Type,
    item_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXTS: Final = Items(TEXT)

RESULT_TYPES: Final[dict[str, Type]] = {
    **dict.fromkeys(
        words(
            "builtins.str builtins.repr builtins.format builtins.input builtins.chr builtins.bytes os.getcwd "
            "os.path.join os.path.basename os.path.dirname os.path.abspath os.path.realpath re.sub "
            "torch.typename json.dumps"
        ),
        TEXT,
    ),
    **dict.fromkeys(
        words(
            "builtins.int builtins.float builtins.bool builtins.len builtins.ord builtins.hash builtins.abs "
            "builtins.round builtins.sum builtins.id"
        ),
        NUMBER,
    ),
    "builtins.open": FILE,
    "gzip.open": FILE,
    "io.open": FILE,
    "pathlib.Path": PATH,
    "pathlib.PurePath": PATH,
    "builtins.range": Items(NUMBER),
    "os.listdir": _TEXTS,
    "glob.glob": _TEXTS,
    "glob.iglob": _TEXTS,
    "os.scandir": Items(Foreign("os.DirEntry")),
    "os.walk": Items(Row((TEXT, _TEXTS, _TEXTS))),
    "os.path.splitext": Row((TEXT, TEXT)),
    "os.path.split": Row((TEXT, TEXT)),
    "re.findall": _TEXTS,
    "re.split": _TEXTS,
    "csv.reader": Items(_TEXTS),
    "csv.DictReader": Items(Table(TEXT, TEXT)),
    "nltk.word_tokenize": _TEXTS,
}

ITERATING: Final[dict[str, Callable[[list[Type | None]], Type | None]]] = {
    **dict.fromkeys(
        words(
            "builtins.list builtins.tuple builtins.sorted builtins.reversed builtins.iter collections.deque "
            "itertools.islice itertools.cycle tqdm.tqdm tqdm.auto.tqdm natsort.natsorted"
        ),
        lambda arguments: Items(item_of(arguments[0])) if arguments else Items(),
    ),
    **dict.fromkeys(
        ("builtins.set", "builtins.frozenset"),
        lambda arguments: Hashed(item_of(arguments[0])) if arguments else Hashed(),
    ),
    **dict.fromkeys(
        ("builtins.min", "builtins.max", "builtins.next"),
        lambda arguments: item_of(arguments[0]) if len(arguments) == 1 else None,
    ),
    "builtins.filter": lambda arguments: Items(item_of(arguments[-1])) if arguments else None,
    "builtins.enumerate": lambda arguments: Items(Row((NUMBER, item_of(arguments[0])))) if arguments else None,
    "builtins.zip": lambda arguments: Items(Row(tuple(item_of(argument) for argument in arguments))),
    "builtins.dict": lambda arguments: _to_table(arguments[0]) if arguments else Table(),
    "collections.OrderedDict": lambda arguments: _to_table(arguments[0]) if arguments else Table(),
    "collections.defaultdict": lambda _: Table(),
    "collections.Counter": lambda arguments: Table(item_of(arguments[0]) if arguments else None, NUMBER),
    "itertools.chain": lambda arguments: Items(item_of(arguments[0])) if arguments else None,
    "itertools.chain.from_iterable": lambda arguments: Items(item_of(item_of(arguments[0]))) if arguments else None,
}

WRAPPERS: Final = frozenset(
    {
        "torch.compile",
        "torch.nn.DataParallel",
        "torch.nn.parallel.DistributedDataParallel",
        "torch.jit.script",
        "copy.copy",
        "copy.deepcopy",
    }
)
"""Functions whose result is to be treated as their first argument."""

SAME_AS_RECEIVER: Final = words(
    "to cuda cpu eval train double float half requires_grad_ apply copy union intersection difference "
    "symmetric_difference manual_seed"
)
"""Methods whose result has the type of what they are called on."""


def _to_table(argument: Type | None) -> Type:
    item = item_of(argument)
    if isinstance(argument, Table):
        return argument
    pair = item.items if isinstance(item, Row) else ()
    return Table(*pair) if len(pair) == len(("key", "value")) else Table()


METHOD_TYPES: Final[dict[tuple[type, str], Callable[[Type], Type | None]]] = {
    **{
        (Text, name): lambda _: TEXT
        for name in words(
            "strip lstrip rstrip lower upper title capitalize casefold replace format join removeprefix "
            "removesuffix encode decode ljust rjust zfill translate"
        )
    },
    **{(Text, name): lambda _: _TEXTS for name in ("split", "rsplit", "splitlines")},
    **{(Text, name): lambda _: Row((TEXT, TEXT, TEXT)) for name in ("partition", "rpartition")},
    **{(Text, name): lambda _: NUMBER for name in ("startswith", "endswith", "isdigit", "count", "find", "index")},
    **{(Foreign, name): lambda kind: TEXT if kind in {PATH, FILE} else None for name in ("read", "readline")},
    **{(Foreign, name): lambda kind: TEXT if kind == PATH else None for name in ("read_text", "read_bytes")},
    **{(Foreign, name): lambda kind: Items(PATH) if kind == PATH else None for name in ("glob", "rglob", "iterdir")},
    **{
        (Foreign, name): lambda kind: PATH if kind == PATH else None
        for name in ("resolve", "absolute", "expanduser", "with_suffix", "with_name")
    },
    (Foreign, "readlines"): lambda kind: _TEXTS if kind == FILE else None,
    (Foreign, "open"): lambda kind: FILE if kind == PATH else None,
    (Table, "keys"): lambda kind: Items(kind.key) if isinstance(kind, Table) else None,
    (Table, "values"): lambda kind: Items(kind.value) if isinstance(kind, Table) else None,
    (Table, "items"): lambda kind: Items(Row((kind.key, kind.value))) if isinstance(kind, Table) else None,
    **{(Table, name): lambda kind: kind.value if isinstance(kind, Table) else None for name in ("get", "pop")},
    (Table, "most_common"): lambda kind: Items(Row((kind.key, NUMBER))) if isinstance(kind, Table) else None,
    **{(kind, "pop"): item_of for kind in (Items, Hashed)},
}
