"""The taps of this wing, in the order in which they are put in. A new source of entropy is one row more.

Of two rows that tap the same function, the later one's tap is asked first: `file_times` before `outside` and `files`.
"""

from __future__ import annotations

from typing import Final

from reproof.entropy.registry import Row
from reproof.entropy.sources import (
    clocks,
    draws,
    file_times,
    files,
    generators,
    listings,
    loaders,
    machine,
    outside,
    programs,
    randomness,
    seeds,
    states,
    surroundings,
)

SOURCES: Final = (
    Row(install=generators.add_python, needs=("generators",)),
    Row(install=generators.add_numpy, needs=("generators",), after="numpy.random"),
    Row(install=generators.add_torch, needs=("generators",), after="torch"),
    Row(install=clocks.install),
    Row(install=clocks.tap_profiler, after="torch.autograd.profiler_util"),
    Row(install=surroundings.install),
    Row(install=machine.install),
    Row(install=machine.tap_psutil, after="psutil"),
    Row(install=listings.install),
    Row(install=files.install),
    Row(install=outside.install),
    Row(install=file_times.install),
    Row(install=programs.install),
    Row(install=randomness.install, needs=("interceptor", "generators")),
    Row(install=randomness.tap_numpy, needs=("interceptor", "generators"), after="numpy.random"),
    Row(install=randomness.tap_torch, needs=("interceptor", "generators"), after="torch"),
    Row(install=states.install, needs=("interceptor", "generators")),
    Row(install=states.tap_numpy_state, needs=("interceptor", "generators"), after="numpy.random"),
    Row(install=states.tap_torch_state, needs=("interceptor", "generators"), after="torch"),
    Row(install=seeds.install),
    Row(install=seeds.tap_numpy_seeds, after="numpy.random"),
    Row(install=seeds.tap_torch_seeds, after="torch"),
    Row(install=loaders.install, after="torch"),
    Row(install=draws.install, needs=("interceptor", "generators")),
)
