"""The batch-consistency check: two trainings with the same seed, each in a fresh process, and a comparison.

Fresh processes, because only at its start can Python be given a hash seed and CUDA its workspace, and because nothing
that the first training leaves in memory may help the second.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import reproof
from pair_ranking.records import new_record_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENVIRONMENT = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def record_training(script: Path, arguments: Sequence[str], record: Path) -> None:
    """Run the training script in a fresh process with the environment of determinism, and record its batches.

    Args:
        script: The training script.
        arguments: What to train, as its command-line flags.
        record: Folder of the trace.

    Raises:
        ReproofError: If the training fails; it has then said why.
    """
    command = [sys.executable, str(script), "--train", "--no-checkpoints", "--record", str(record), *arguments]
    sys.stdout.flush()  # what we said comes before what the training says
    surroundings = {**os.environ, **ENVIRONMENT}
    code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, env=surroundings).returncode  # noqa: S603
    if code:
        problem = f"the training to be recorded in {record} ended with exit code {code}"
        raise reproof.ReproofError(problem, "it has said above what is wrong")


def record_pair(
    script: Path, arguments: Sequence[str], output: Path, *, material: str, frequency: str, seeds: tuple[int, int]
) -> tuple[Path, Path]:
    """Train twice, one after the other, and return the two traces.

    Raises:
        ReproofError: If one of the trainings fails.
    """
    records: list[Path] = []
    for number, seed in enumerate(seeds, start=1):
        record = new_record_path(output, material, frequency, seed)
        surroundings = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
        print(f"Training {number} of 2, in a fresh process with {surroundings}")
        record_training(script, [*arguments, "--seed", str(seed)], record)
        records.append(record)
    return records[0], records[1]
