"""What a tap costs: calls of a tapped function and of the original, in alternation.

    python benchmarks/entropy.py [--calls 20000] [--rounds 15]

Each round calls the original and the tapped function in changing order from one line, and takes the difference of their
processor times, which other processes do not lengthen much; printed are medians. The first call at a line, which finds
out whose line it is, is measured by itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.entropy.plan import Plan
from reproof.entropy.process import Taps

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_SECONDS = 1e-6
read_clock = time.thread_time


def time_calls(function: Callable[..., Any], arguments: tuple[Any, ...], count: int) -> float:
    """Return the processor time of one call in seconds."""
    start = read_clock()
    for _ in range(count):
        function(*arguments)
    return (read_clock() - start) / count


def time_first_call(function: Callable[[], Any], count: int) -> float:
    """Return the processor time of the first call at a line, over so many lines."""
    code = compile("\n".join(["call()"] * count), "first_calls.py", "exec")
    start = read_clock()
    exec(code, {"call": function})  # noqa: S102  # lines that nobody has called from
    return (read_clock() - start) / count


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    originals: dict[str, tuple[Any, str, tuple[Any, ...]]] = {
        "time.time": (time, "time", ()),
        "time.perf_counter": (time, "perf_counter", ()),
        "os.getpid": (os, "getpid", ()),
        "os.urandom(8)": (os, "urandom", (8,)),
    }
    before = {name: getattr(owner, attribute) for name, (owner, attribute, _) in originals.items()}
    with tempfile.TemporaryDirectory() as folder:
        Taps(Path(folder), "0", Plan())
        print(f"{'function':20} {'original':>10} {'tapped adds':>12} {'ratio':>7}")
        for name, (owner, attribute, arguments) in originals.items():
            tapped = getattr(owner, attribute)
            plain, added = [], []
            for number in range(options.rounds):
                pair = {}
                for function in (before[name], tapped) if number % 2 else (tapped, before[name]):
                    pair[function] = time_calls(function, arguments, options.calls // options.rounds)
                plain.append(pair[before[name]])
                added.append(pair[tapped] - pair[before[name]])
            original, cost = statistics.median(plain), statistics.median(added)
            verdict = "" if cost <= LIMIT_SECONDS else "  above 1 µs"
            print(f"{name:20} {original * 1e9:7.0f} ns {cost * 1e9:9.0f} ns {1 + cost / original:6.1f}x{verdict}")
        first = time_first_call(time.time, 200)
        print(f"first call at a line: {first * 1e6:.0f} µs")


if __name__ == "__main__":
    main()
