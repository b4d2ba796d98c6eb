"""Write simulated signals as WAV files: DATA/<material>/<frequency>/<class>/000.wav, 001.wav, ...

    python simulate_signals.py DATA [--materials plastic steel] [--frequencies 500hz] [--num-signals 40] [--seed 0]

These are the signals that a training simulates for itself when it is given no --data: to listen to, or to see where
your own recordings go. The same seed writes the same files.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pair_ranking.materials import MATERIALS
from pair_ranking.simulation import (
    FREQUENCIES,
    NUM_SIGNALS,
    SAMPLE_RATE,
    find_material,
    parse_frequency,
    simulate_signals,
)
from pair_ranking.wav import write_wav

import reproof

EXIT_ERROR = 2


def write_signals(folder: Path, material: str, frequency: str, num_signals: int, seed: int) -> int:
    """Simulate and write the signals of one material at one frequency; return how many."""
    classes = simulate_signals(material, frequency, num_signals=num_signals, seed=seed)
    for name, signals in classes.items():
        for number, samples in enumerate(signals):
            write_wav(folder / material / frequency / name / f"{number:03d}.wav", samples, SAMPLE_RATE)
    return sum(map(len, classes.values()))


def describe_waves(material: str, frequency: str) -> str:
    """Return a line on how waves of this frequency travel in a plate of this material."""
    plate, tone = find_material(material), parse_frequency(frequency)
    return f"{material:<10} {frequency:>7}  {plate.phase_speed(tone):6.0f} m/s  {plate.attenuation(tone):8.3f} dB/m"


def simulate(options: argparse.Namespace) -> None:
    """Write what the command line asks for.

    Raises:
        ReproofError: If a folder that would be written to exists, or a value makes no sense.
    """
    if options.num_signals < 1:
        raise reproof.ReproofError(f"--num-signals {options.num_signals} is none", "give 1 or more")
    kinds = [(material, frequency) for material in options.materials for frequency in options.frequencies]
    lines = [describe_waves(*kind) for kind in kinds]  # first, because it checks the names
    for material, frequency in kinds:
        folder = options.data / material / frequency
        if folder.exists() and not options.force:
            raise reproof.ReproofError(f"{folder} exists already", "give another folder, or --force to write into it")
    print("material   frequency  wave crests   attenuation")
    for line, kind in zip(lines, kinds, strict=True):
        print(f"{line}  {write_signals(options.data, *kind, options.num_signals, options.seed)} files")


def main(arguments: list[str] | None = None) -> int:
    """Write what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder to write to")
    parser.add_argument("--materials", nargs="+", default=list(MATERIALS), metavar="M", help=", ".join(MATERIALS))
    parser.add_argument("--frequencies", nargs="+", default=list(FREQUENCIES), metavar="F", help="such as 500hz")
    parser.add_argument("--num-signals", type=int, default=NUM_SIGNALS, metavar="N", help="of each class (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the simulation (%(default)s)")
    parser.add_argument("--force", action="store_true", help="write into folders that exist")
    options = parser.parse_args(arguments)
    try:
        simulate(options)
    except reproof.ReproofError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
