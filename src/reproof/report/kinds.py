"""The kinds of causes in words, and what each is in a few sentences: what `docs/causes/` tells at length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reproof.schema import CauseKind

KINDS: Final[dict[CauseKind, tuple[str, str]]] = {
    "unseeded-rng": (
        "a global generator without a seed",
        (
            "Python, NumPy and PyTorch each have a global generator. Unless it is seeded before the first draw, "
            "the operating system gives it another state in each process."
        ),
    ),
    "unseeded-generator": (
        "a generator without a seed",
        (
            "A generator of its own that is made without a seed takes one from the operating system. Seeding the "
            "global generators does not reach it."
        ),
    ),
    "worker-seeding": (
        "the seed of a loader's workers",
        (
            "PyTorch gives each worker of a loader a seed that follows from its own. Code in the worker that "
            "seeds again, from the clock or the process, undoes that."
        ),
    ),
    "os-entropy": (
        "random bytes of the operating system",
        (
            "os.urandom, secrets, uuid4 and SystemRandom take their values from the operating system, whatever is "
            "seeded."
        ),
    ),
    "wall-clock": (
        "the time",
        (
            "The clock has another value in each run. That matters once it decides a seed, a name by which "
            "something is sorted, or how long something goes on."
        ),
    ),
    "process-identity": (
        "the identity of a process or an object",
        "Process numbers, thread numbers and addresses in memory are others in each run.",
    ),
    "hash-order": (
        "hashes that each process draws anew",
        (
            "Hashes of strings depend on a key that each process draws anew, and the order of a set follows from "
            "its members' hashes. The difference of the key alone is no cause: something has to walk the set."
        ),
    ),
    "listing-order": (
        "the order of a folder's files",
        "File systems list a folder in an order of their own, which differs between machines and copies.",
    ),
    "state-on-disk": (
        "what an earlier run left on disk",
        ("A cache, a checkpoint or a log that an earlier run wrote is read by the next: it starts from another state."),
    ),
    "concurrency": (
        "a race between threads or processes",
        (
            "Where results are taken in the order in which they are ready, that order depends on who happens to "
            "be faster."
        ),
    ),
    "uninitialized-memory": (
        "memory that nothing has written",
        (
            "torch.empty and numpy.empty return memory with whatever was in it before. Reading it before it is "
            "written gives other numbers in each run."
        ),
    ),
    "nondeterministic-op": (
        "an operation that does not repeat",
        ("Some operations add numbers in an order that is not fixed. The same inputs then give other roundings."),
    ),
    "thread-count": (
        "the number of threads",
        "Sums are split over the threads, so that their number decides how they are rounded.",
    ),
    "worker-count": (
        "the number of a loader's workers",
        "What a sample becomes depends on which worker makes it, and so on how many there are.",
    ),
    "environment": (
        "the surroundings of the run",
        "A variable, a setting or a path that differs between machines or users reaches the training.",
    ),
    "unseen-source": (
        "a source inside compiled code",
        "A call gives another result for the same arguments. What it takes from outside cannot be replayed.",
    ),
    "code-change": ("other code", "The two runs executed different code."),
    "data-change": ("other data", "The two runs were given different data."),
}


def words_of(kind: str) -> str:
    """Return a kind in words; of a kind that a later version knows, its name."""
    return next((words for known, (words, _) in KINDS.items() if known == kind), kind)


def text_of(kind: str) -> str:
    """Return what a kind of cause is; nothing of one that a later version knows."""
    return next((text for known, (_, text) in KINDS.items() if known == kind), "")
