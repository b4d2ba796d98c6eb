"""The outside world in the numbers: clocks, process ids, the system's entropy, hashes of strings.

A clock that only tells how long something took is no finding: what counts is that the value reaches a seed, the
data, the loss or the optimizer.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.doctor.program.catalogue import words
from reproof.doctor.program.types import has_random_hash
from reproof.doctor.rules.report import describe_sink, make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.graph import Family, Sink
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.program.scopes import Scope
    from reproof.doctor.records import Finding, Kind

_CLOCKS: Final = words(
    "time.time time.time_ns time.perf_counter time.perf_counter_ns time.monotonic time.monotonic_ns "
    "time.process_time time.process_time_ns time.clock_gettime time.gmtime time.localtime datetime.datetime.now "
    "datetime.datetime.utcnow datetime.datetime.today datetime.date.today timeit.default_timer"
)
_IDENTITIES: Final = words(
    "os.getpid os.getppid os.times os.getloadavg socket.gethostname platform.node threading.get_ident "
    "threading.get_native_id multiprocessing.current_process tempfile.mkdtemp tempfile.mktemp tempfile.gettempdir "
    "psutil.cpu_percent psutil.virtual_memory"
)
_ENTROPY: Final = words(
    "os.urandom os.getrandom uuid.uuid1 uuid.uuid4 secrets.token_bytes secrets.token_hex secrets.token_urlsafe"
)
_ENTROPY_DRAWS: Final = words(
    "random.SystemRandom secrets.SystemRandom secrets.choice secrets.randbelow secrets.randbits"
)
_FIXES: Final[dict[Kind, str]] = {
    "wall-clock": "use a count of steps, or a seed of the script, in place of the time",
    "process-identity": "use a number that the script fixes, such as its seed or the worker's number",
    "os-entropy": "draw from a generator with a seed: random.Random(42)",
    "hash-order": "zlib.crc32(text.encode()) or hashlib, which give the same in each run",
}
_WORDS: Final[dict[Kind, str]] = {
    "wall-clock": "the time",
    "process-identity": "what only this process has",
    "os-entropy": "entropy of the operating system",
    "hash-order": "the hash of a string, new in each run,",
}


def find(reading: Reading) -> Iterator[Finding]:
    """Yield the reads of the outside world that reach the training; of several that reach one place, the last."""
    found: dict[object, Finding] = {}
    for site in reading.calls:
        source = _source_of(reading, site)
        sink = None if source is None else reading.find_sink(site.node, source[1])
        if source is not None and sink is not None:
            found[source[0], sink.node] = _report(reading, site, source[0], sink)
        elif _seeds_worker_anew(reading, site):
            found[site] = _worker_finding(site)
    yield from found.values()
    for statement, scope in reading.statements():
        if isinstance(statement, ast.While):
            yield from _check_while(reading, statement, scope)


def _source_of(reading: Reading, site: CallSite) -> tuple[Kind, Family] | None:
    if site.name in _CLOCKS:
        return "wall-clock", "outside"
    if site.name in _IDENTITIES:
        return "process-identity", "outside"
    if site.name in _ENTROPY:
        return "os-entropy", "outside"
    if site.name in _ENTROPY_DRAWS:
        return "os-entropy", "random"
    if site.name == "builtins.hash" and site.call.args:
        kind = reading.inference.infer(site.call.args[0], site.scope)
        return ("hash-order", "random") if has_random_hash(kind) else None
    return ("process-identity", "random") if _sorts_by_address(site) else None


def _sorts_by_address(site: CallSite) -> bool:
    is_sort = site.name == "builtins.sorted" or site.method == "sort"
    keys = [keyword.value for keyword in site.call.keywords if keyword.arg == "key"]
    return is_sort and any(isinstance(key, ast.Name) and key.id in {"id", "hash"} for key in keys)


def _report(reading: Reading, site: CallSite, kind: Kind, sink: Sink) -> Finding:
    if reading.is_worker_hook(site.function) and sink.kind == "seed":
        return _worker_finding(site)
    return make_finding(kind, site.call, site.scope, f"{_WORDS[kind]} reaches {describe_sink(sink)}", _FIXES[kind])


def _seeds_worker_anew(reading: Reading, site: CallSite) -> bool:
    """Whether a worker's generator is seeded without a seed, which takes one from the operating system."""
    if site.name not in {"numpy.random.seed", "random.seed", "torch.seed"} or not reading.is_worker_hook(site.function):
        return False
    return reading.constants.argument(site.call, "seed", 0, site.scope, default=None) is None


def _worker_finding(site: CallSite) -> Finding:
    return make_finding(
        "worker-seeding",
        site.call,
        site.scope,
        "each worker of the loader is seeded with something that is new in each run",
        "worker_init_fn=reproof.seed_worker, or leave it out: PyTorch seeds its workers from the loader's generator",
    )


def _check_while(reading: Reading, loop: ast.While, scope: Scope) -> Iterator[Finding]:
    """Report a training that goes on until a time has passed: how many steps fit in is another number each time."""
    within = {id(node) for node in ast.walk(loop.test)}
    clocks = [site for site in reading.calls if id(site.call) in within and site.name in _CLOCKS]
    if clocks and _trains_in(reading, loop):
        yield make_finding(
            "wall-clock",
            loop,
            scope,
            "the training goes on until a time has passed, so the number of its steps is another one in each run",
            "for step in range(num_steps)",
        )


def _trains_in(reading: Reading, loop: ast.While) -> bool:
    within = {id(node) for statement in loop.body for node in ast.walk(statement)}
    called = [site for site in reading.calls if id(site.call) in within]
    functions = {function for site in called if site.target for function in reading.reached_from(site.target)}
    sites = [*called, *(site for site in reading.calls if site.function in functions)]
    return any(site.method == "backward" for site in sites)
