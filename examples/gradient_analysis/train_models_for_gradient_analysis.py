"""Train pair-ranking models, keep checkpoints for gradient analysis, and check that batches are consistent.

Without flags, a menu; or the same choices as flags:

    python train_models_for_gradient_analysis.py --train --material plastic --frequency 500hz --epochs 10 --seed 42
    python train_models_for_gradient_analysis.py --check --material plastic --frequency 500hz --batches 10
    python train_models_for_gradient_analysis.py --train-all

The check trains twice with the same seed, each in a fresh process, and compares the first batches of both.
Exit codes: 0 done, or the batches are the same; 1 they differ; 2 it cannot be told, or an error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from compare_batch_consistency import EXIT_ERROR, compare_batches
from pair_ranking.consistency import record_pair
from pair_ranking.signals import list_signal_sets
from pair_ranking.training import Settings, train_model_with_checkpoints

import reproof

if TYPE_CHECKING:
    from collections.abc import Callable

TRAINING_EPOCHS = 10
CHECK_EPOCHS = 2
MENU = """
1  train one model
2  check that batches are consistent: train twice with the same seed and compare
3  train all materials and frequencies
q  quit"""


def train(options: argparse.Namespace) -> int:
    """Train one model; return the exit code."""
    settings = Settings(
        data=options.data,
        output=options.output,
        num_workers=options.workers,
        batch_size=options.batch_size,
        num_pairs=options.pairs,
        num_batches=options.batches,
        record=Path(options.record) if options.record else None,
        keep_checkpoints=options.checkpoints,
    )
    train_model_with_checkpoints(
        options.frequency,
        options.material,
        options.epochs or TRAINING_EPOCHS,
        options.seed,
        verify_consistency=options.record is not None,
        settings=settings,
    )
    return 0


def check(options: argparse.Namespace) -> int:
    """Train twice and compare the batches; return the exit code."""
    seeds = (options.seed, options.seed if options.other_seed is None else options.other_seed)
    traces = record_pair(
        Path(__file__).resolve(),
        list_flags(options),
        options.output,
        material=options.material,
        frequency=options.frequency,
        seeds=seeds,
    )
    print()
    return compare_batches(*traces).exit_code


def list_flags(options: argparse.Namespace) -> list[str]:
    """Return the flags with which a fresh process trains what these options say, but for the seed."""
    flags = {
        "material": options.material,
        "frequency": options.frequency,
        "epochs": options.epochs or CHECK_EPOCHS,
        "batches": options.batches,
        "workers": options.workers,
        "batch-size": options.batch_size,
        "pairs": options.pairs,
        "output": options.output,
        **({} if options.data is None else {"data": options.data}),
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def train_all(options: argparse.Namespace) -> int:
    """Train a model of each material at each frequency; return the exit code."""
    for material, frequency in list_signal_sets(options.data):
        train(argparse.Namespace(**{**vars(options), "material": material, "frequency": frequency}))
    return 0


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {"1": train, "2": check, "3": train_all}


def run_menu(options: argparse.Namespace) -> int:
    """Ask what to do until the answer is q or standard input ends; return the exit code of the last action."""
    code = 0
    while True:
        print(MENU)
        choice = ask("choice", "q").lower()
        if choice == "q":
            return code
        if choice not in ACTIONS:
            print(f"no choice {choice!r}: give 1, 2, 3 or q")
            continue
        if choice != "3":
            options.material = ask("material", options.material)
            options.frequency = ask("frequency", options.frequency)
        code = run_action(ACTIONS[choice], options)


def ask(question: str, default: str) -> str:
    """Return the answer to a question; the default for an empty one, or when nobody can answer."""
    try:
        answer = input(f"{question} [{default}]: ").strip()
    except (EOFError, RuntimeError):  # RuntimeError: Python was started without standard input
        print()
        return default
    if not sys.stdin.isatty():
        print(answer)  # a terminal shows what is typed, a pipe does not
    return answer or default


def run_action(action: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Carry out a choice; an error becomes one line and exit code 2."""
    try:
        return action(options)
    except reproof.ReproofError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR


def count(text: str) -> int:
    """Return a whole number from 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def positive(text: str) -> int:
    """Return a whole number from 1."""
    if count(text) == 0:
        raise argparse.ArgumentTypeError("0 is too few")
    return count(text)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group("what to do (a menu, if no flag is given at all)").add_mutually_exclusive_group()
    what.add_argument("--train", action="store_const", dest="action", const=train, help="train one model (default)")
    what.add_argument("--check", action="store_const", dest="action", const=check, help="check batch consistency")
    what.add_argument("--train-all", action="store_const", dest="action", const=train_all, help="train all models")
    what.add_argument("--menu", action="store_const", dest="action", const=run_menu, help="ask")
    data = parser.add_argument_group("signals")
    data.add_argument("--material", default="plastic", metavar="M", help="%(default)s, steel, aluminium, wood, glass")
    data.add_argument("--frequency", default="500hz", metavar="F", help="%(default)s, 1000hz, 3000hz")
    data.add_argument("--data", type=Path, metavar="DIR", help="recordings DIR/<material>/<frequency>/<class>/*.wav")
    how = parser.add_argument_group("training")
    how.add_argument("--epochs", type=positive, metavar="N", help=f"({TRAINING_EPOCHS}; {CHECK_EPOCHS} for a check)")
    how.add_argument("--seed", type=int, default=42, metavar="S", help="of everything that is drawn (%(default)s)")
    how.add_argument("--workers", type=count, default=4, metavar="N", help="processes that load data (%(default)s)")
    how.add_argument("--batch-size", type=positive, default=16, metavar="N", help="pairs in a batch (%(default)s)")
    how.add_argument("--pairs", type=positive, default=512, metavar="N", help="pairs to train on (%(default)s)")
    how.add_argument("--output", type=Path, default=Path("saved_models"), metavar="DIR", help="(%(default)s)")
    how.add_argument("--no-checkpoints", action="store_false", dest="checkpoints", help="write no checkpoints")
    record = parser.add_argument_group("recording batches")
    record.add_argument(
        "--batches", type=positive, default=10, metavar="N", help="first batches to record (%(default)s)"
    )
    record.add_argument(
        "--record", nargs="?", const="", metavar="DIR", help="record this training (DIR: named by the time)"
    )
    record.add_argument(
        "--other-seed", type=int, metavar="S", help="seed of the check's second training, to see it differ"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = make_parser().parse_args(arguments)
    action = options.action or (train if arguments else run_menu)
    try:
        return run_action(action, options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
