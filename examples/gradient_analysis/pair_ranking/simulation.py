"""Signals as a sensor on a plate would record them, for machines without recordings.

A source in the plate gives a tone burst that decays; it reaches the sensor directly, and again from the two ends of
the plate. On each path the wave spreads (amplitude ~ 1 / sqrt(distance), as circles on a plate do), is attenuated and
dispersed by the material (`materials`), and the sensor adds noise and 16-bit rounding. From one signal to the next
the trigger, the strength and the decay of the burst vary a little.

The same arguments give the same signals, in any order and whatever else was simulated; training seeds play no part.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

import reproof
from pair_ranking.materials import MATERIALS, Material

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREQUENCIES = ("500hz", "1000hz", "3000hz")
DISTANCES = {"40cm": 0.4, "60cm": 0.6, "90cm": 0.9, "120cm": 1.2}
"""Distance classes, nearest first: from source to sensor, in m."""

SAMPLE_RATE = 16_000
NUM_SAMPLES = 1024
NUM_SIGNALS = 40
"""Signals of each class."""

FULL_SCALE = 32_768  # of 16-bit integers
NEAREST = 0.4  # m, where a burst has the amplitude below
AMPLITUDE = 0.5  # of full scale
NOISE = 0.01  # standard deviation of the sensor's noise, of full scale
GAIN_SPREAD = 4.0  # dB by which a burst is stronger or weaker
DECAY_CYCLES = 4.0  # cycles in which a burst falls to 1/e
MAX_TRIGGER_DELAY = 0.008  # s
NEAR_END, FAR_END = 0.3, 1.6  # m from the source to the ends of the plate, behind it and beyond the sensor
REFLECTION = 0.5  # share of the amplitude that comes back from an end


def parse_frequency(name: str) -> float:
    """Return the Hz of a name such as ``500hz``.

    Raises:
        ReproofError: If it is no such name.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)hz", name, re.ASCII)
    frequency = float(match[1]) if match else 0.0
    if not 0 < frequency < SAMPLE_RATE / 4:
        problem = f"no signals of {name!r} can be simulated"
        raise reproof.ReproofError(problem, f"give a frequency below {SAMPLE_RATE // 4} Hz, such as 500hz")
    return frequency


def find_material(name: str) -> Material:
    """Return a material by its name.

    Raises:
        ReproofError: If there is none of that name.
    """
    if name not in MATERIALS:
        raise reproof.ReproofError(f"the material {name!r} is not known", f"give one of {', '.join(MATERIALS)}")
    return MATERIALS[name]


def simulate_signal(
    material: str, frequency: str, distance: float, *, number: int = 0, seed: int = 0, noise: float = NOISE
) -> NDArray[np.int16]:
    """Simulate what the sensor records of one burst.

    Args:
        material: Name of a material.
        frequency: Frequency of the burst, such as ``500hz``.
        distance: From source to sensor in m.
        number: Which of the signals of this kind.
        seed: Another seed gives another set of signals.
        noise: Standard deviation of the sensor's noise, as a share of full scale.

    Returns:
        `NUM_SAMPLES` samples of 16 bits at `SAMPLE_RATE`.

    Raises:
        ReproofError: If the material or the frequency cannot be simulated.
    """
    plate, tone = find_material(material), parse_frequency(frequency)
    # A checksum and not hash(): that changes with every start of Python.
    rng = np.random.default_rng([seed, zlib.crc32(f"{material} {frequency} {distance:.6f}".encode()), number])
    burst = _make_burst(tone * rng.uniform(0.99, 1.01), DECAY_CYCLES * rng.uniform(0.9, 1.1))
    gain = AMPLITUDE * 10 ** (rng.uniform(-GAIN_SPREAD, GAIN_SPREAD) / 20)
    delay = rng.uniform(0, MAX_TRIGGER_DELAY)
    received = gain * _propagate(burst, plate, distance, delay)[:NUM_SAMPLES]
    received += noise * rng.standard_normal(NUM_SAMPLES)
    return np.clip(np.rint(received * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def simulate_signals(
    material: str, frequency: str, *, num_signals: int = NUM_SIGNALS, seed: int = 0
) -> dict[str, list[NDArray[np.int16]]]:
    """Simulate the signals of all distance classes.

    Returns:
        For each class, nearest first, its signals.
    """
    return {
        name: [
            simulate_signal(material, frequency, distance, number=number, seed=seed) for number in range(num_signals)
        ]
        for name, distance in DISTANCES.items()
    }


def _make_burst(tone: float, decay_cycles: float) -> NDArray[np.float64]:
    """Return a decaying sine at the source, four times as long as a signal: the slow end of it must not wrap round."""
    time = np.arange(4 * NUM_SAMPLES) / SAMPLE_RATE
    return np.sin(2 * np.pi * tone * time) * np.exp(-time * tone / decay_cycles)


def _propagate(burst: NDArray[np.float64], plate: Material, distance: float, delay: float) -> NDArray[np.float64]:
    """Return the sum of a burst over all paths to the sensor, computed frequency by frequency."""
    frequency = np.fft.rfftfreq(burst.size, 1 / SAMPLE_RATE).astype(np.float64)
    wave_number = plate.wave_number(frequency) * (1 - 0.25j * plate.loss_factor)
    paths = ((distance, 1.0), (distance + 2 * NEAR_END, REFLECTION), (2 * FAR_END - distance, REFLECTION))
    response = sum(share * np.sqrt(NEAREST / path) * np.exp(-1j * wave_number * path) for path, share in paths)
    shift = np.exp(-2j * np.pi * frequency * delay)
    return np.fft.irfft(np.fft.rfft(burst) * response * shift, burst.size)
