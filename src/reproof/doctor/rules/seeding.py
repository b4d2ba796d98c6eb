"""Global generators that are drawn from and never seeded."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from reproof.doctor.program import catalogue
from reproof.doctor.program.catalogue import LOADER
from reproof.doctor.program.constants import UNKNOWN
from reproof.doctor.rules.report import describe_sink, is_training, make_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.records import Finding

_TITLES: Final = {"torch": "PyTorch's", "numpy": "NumPy's", "random": "Python's"}
_SEEDS: Final = {"torch": "torch.manual_seed(42)", "numpy": "numpy.random.seed(42)", "random": "random.seed(42)"}


def find(reading: Reading) -> Iterator[Finding]:
    """Yield one finding per library whose global generator feeds the training without a seed."""
    if reading.program.not_read or not is_training(reading):
        return  # what was not read may well seed
    seeds: dict[str, set[ast.AST]] = {}
    for library, site in seeding_calls(reading):
        seeds.setdefault(library, set()).add(site.call)
    draws = {"torch": _torch_draws, "numpy": _numpy_draws, "random": _python_draws}
    for library, find_draws in draws.items():
        found = _check_own_seed(reading, library, seeds[library]) if library in seeds else None
        found = found or (_report(reading, library, find_draws) if library not in seeds else None)
        yield from [] if found is None else [found]


def seeding_calls(reading: Reading) -> Iterator[tuple[str, CallSite]]:
    """Yield the calls that seed a global generator in the main process, with the library whose generator it is."""
    for site in reading.calls:
        libraries = _libraries_seeded_by(site)
        if libraries and reading.is_main(site.function) and not _takes_none(reading, site):
            yield from ((library, site) for library in libraries)


def is_drawing_loader(reading: Reading, site: CallSite) -> bool:
    """Whether a loader shuffles with PyTorch's global generator."""
    if site.name != LOADER or has_generator(site):
        return False
    return reading.constants.argument(site.call, "shuffle", 2, site.scope, default=False) is True


def has_generator(site: CallSite) -> bool:
    """Whether a call is given a generator of its own."""
    return _has_argument(site, "generator")


def _libraries_seeded_by(site: CallSite) -> tuple[str, ...]:
    if site.target is not None:
        return ()  # a function of the program: what it calls counts
    if site.name:
        return catalogue.seeded_libraries(site.name)
    written = site.method or (site.call.func.id if isinstance(site.call.func, ast.Name) else "")
    return catalogue.LIBRARIES if catalogue.is_seeding_helper(written) else ()


def _takes_none(reading: Reading, site: CallSite) -> bool:
    """Whether a seeding call is given no seed, so that it takes one from the operating system."""
    default = None if site.name in {"numpy.random.seed", "random.seed"} else UNKNOWN
    name = "a" if site.name == "random.seed" else "seed"
    return reading.constants.argument(site.call, name, 0, site.scope, default=default) is None


def _report(
    reading: Reading, library: str, find_draws: Callable[[Reading], Iterator[tuple[CallSite, str]]]
) -> Finding | None:
    """Report the first draw that matters, and how many more there are."""
    draws = list(find_draws(reading))
    if not draws:
        return None
    site, what = draws[0]
    more = f"; {len(draws) - 1} more draws from it" if len(draws) > 1 else ""
    return make_finding(
        "unseeded-rng",
        site.call,
        site.scope,
        f"{_TITLES[library]} global generator is never seeded, and {what}{more}",
        f"{_SEEDS[library]}, or reproof.deterministic(seed=42), before the first draw",
    )


def _check_own_seed(reading: Reading, library: str, seeds: set[ast.AST]) -> Finding | None:
    """Report a seed that is drawn from the very generator that it seeds, before anything has seeded that."""
    is_draw = {"torch": catalogue.is_torch_draw, "numpy": catalogue.is_numpy_draw, "random": catalogue.is_python_draw}
    for site in reading.calls:
        sink = reading.find_sink(site.node, "random") if is_draw[library](site.name) else None
        if sink is not None and seeds == {sink.node}:
            return make_finding(
                "unseeded-rng",
                site.call,
                site.scope,
                f"the seed is drawn from {_TITLES[library]} global generator, which has none yet",
                "a seed that the script fixes or is given",
            )
    return None


def _torch_draws(reading: Reading) -> Iterator[tuple[CallSite, str]]:
    sites = [site for site in reading.calls if not has_generator(site)]
    certain = [site for site in sites if catalogue.draws_for_training(site.name)]
    certain += [site for site in sites if is_drawing_loader(reading, site)]  # they draw later, when they are walked
    if certain:
        yield from ((site, "the training draws from it here") for site in certain)
        return
    for site in sites:
        is_method = catalogue.is_torch_drawing_method(site.method) and not site.name.startswith(("numpy.", "random."))
        if is_method or catalogue.is_torch_draw(site.name):
            yield from _with_sink(reading, site)


def _numpy_draws(reading: Reading) -> Iterator[tuple[CallSite, str]]:
    for site in reading.calls:
        if _splits(reading, site):
            yield site, "the data is split with it"
        elif catalogue.is_numpy_draw(site.name) or _samples_table(site):
            yield from _with_sink(reading, site)


def _python_draws(reading: Reading) -> Iterator[tuple[CallSite, str]]:
    for site in reading.calls:
        if catalogue.is_python_draw(site.name):
            yield from _with_sink(reading, site)


def _with_sink(reading: Reading, site: CallSite) -> Iterator[tuple[CallSite, str]]:
    """Yield a draw if its value reaches the training, and is not drawn by workers: those, PyTorch seeds by itself.

    Source: `torch/utils/data/_utils/worker.py`, which seeds `random`, torch and NumPy in each worker (since 1.9).
    """
    if not reading.is_main(site.function) and not _loads_in_main(reading):
        return
    sink = reading.find_sink(site.node, "random")
    if sink is not None:
        yield site, f"what is drawn here reaches {describe_sink(sink)}"


def _loads_in_main(reading: Reading) -> bool:
    """Whether it is certain that data are fetched in the main process: no loader that shuffles has workers."""
    loaders = [site for site in reading.calls if site.name == LOADER]
    shuffling = [site for site in loaders if is_drawing_loader(reading, site) or _has_argument(site, "sampler")]
    counts = [
        reading.constants.argument(site.call, "num_workers", 5, site.scope, default=0) for site in shuffling or loaders
    ]
    return all(count == 0 for count in counts)


def _splits(reading: Reading, site: CallSite) -> bool:
    """Whether a splitter of scikit-learn draws from NumPy's global generator."""
    if catalogue.is_sklearn_fold(site.name):
        draws = reading.constants.argument(site.call, "shuffle", None, site.scope, default=False) is True
    else:
        draws = catalogue.is_sklearn_split(site.name)
        draws &= reading.constants.argument(site.call, "shuffle", None, site.scope, default=True) is not False
    return draws and reading.constants.argument(site.call, "random_state", None, site.scope, default=None) is None


def _samples_table(site: CallSite) -> bool:
    """Whether rows of a pandas table are drawn from NumPy's global generator."""
    return site.method == "sample" and _has_argument(site, "frac") and not _has_argument(site, "random_state")


def _has_argument(site: CallSite, name: str) -> bool:
    given = [keyword for keyword in site.call.keywords if keyword.arg in {name, None}]
    return any(not (isinstance(item.value, ast.Constant) and item.value.value is None) for item in given)
