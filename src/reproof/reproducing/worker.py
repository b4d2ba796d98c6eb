"""Run the training of a bundle in a fresh process, and return its result.

Launchers silently change the number of threads, and with it the bits, so it is set inside the process. The same command
serves re-runs, fresh-seed replicates and perturbed runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.config import read_seed, with_seed
from reproof.bundle.manifest import dump_json, parse_json
from reproof.bundle.numbers import read_float, read_metrics, spell_hex
from reproof.bundle.reader import open_bundle
from reproof.bundle.records import BEST_WEIGHTS, LAST_WEIGHTS, NUM_KEPT_LOSSES, TRACE, Bundle
from reproof.bundle.training import TrainingOutcome, TrainingRequest
from reproof.bundle.training import run_training as run_here
from reproof.bundle.weights import digest_weights, write_weights
from reproof.errors import LaunchError, ReproofError, TraceError
from reproof.launch.parent import die_with_parent
from reproof.launch.processes import signals_as_exit
from reproof.launch.start import start_command
from reproof.recorder.surroundings import require_device
from reproof.reproducing.entry import find_entry, load_entry
from reproof.trace import open_trace
from reproof.trace.views.curves import find_frames, read_points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reproof.bundle.records import Metrics

RESULT: Final = "result.json"
PLAN: Final = "plan.json"
DATA_FILES: Final = "data_files.json"
OUTPUT: Final = "output.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResult:
    """The result of training a bundle in a fresh process.

    Attributes:
        seed: The seed it ran with.
        metrics: Per target.
        value: Best reported value.
        best_epoch: Epoch of it.
        weights: Canonical digests by ``best`` and ``last``.
        trace: Folder of its trace.
        losses: Losses of its first steps.
        scaler: State of the target scaler it fitted, or None.
        data: Fingerprints of its data.
        code: Digests of the modules it imported.
        environment: What surrounded it.
        perturbed: Which initial weight was moved; empty for none.
        seconds: How long the process took.
        changed: What trainings before it in the same process have changed in the modules of the project.
        probe: What trainings in a row have shown: see `earlier.probe_state`.
        reports: Every value that it reported, in order.
    """

    seed: int
    metrics: Metrics
    value: float
    best_epoch: int
    weights: dict[str, str]
    trace: Path
    losses: tuple[float, ...]
    scaler: dict[str, Any] | None
    data: dict[str, Any]
    code: dict[str, Any]
    environment: dict[str, Any]
    perturbed: str
    seconds: float
    changed: tuple[str, ...] = ()
    probe: Mapping[str, bool] = field(default_factory=dict)
    reports: tuple[float, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it left its files; the weights themselves are among them for an imported bundle."""
        return self.trace.parent

    @property
    def weights_digest(self) -> str:
        """One digest for the best and the last weights."""
        return join_weights(self.weights)


def join_weights(weights: Mapping[str, str]) -> str:
    """Return one text for the digests of the best and the last weights."""
    return " ".join(f"{name}:{digest}" for name, digest in sorted(weights.items()))


def run_training(  # noqa: PLR0913  # each can be other than in the bundle
    bundle_folder: str | os.PathLike[str],
    out_folder: str | os.PathLike[str],
    *,
    seed: int | None = None,
    perturb: int | None = None,
    threads: int | None = None,
    environment: Mapping[str, str | None] | None = None,
    project: str | os.PathLike[str] = ".",
    device: str | None = None,
    entry: str | None = None,
    plan: dict[str, Any] | None = None,
    data_files: Mapping[str, Path] | None = None,
) -> WorkerResult:
    """Run the training of a bundle in a fresh process and wait for it.

    Args:
        bundle_folder: The bundle; it is verified first.
        out_folder: Where trace, output and result go; it must not exist or be empty.
        seed: Another seed than the bundle's.
        perturb: Number of a one-ulp change of an initial weight.
        threads: Another number of threads than the bundle's.
        environment: Variables that are other than in this process; None takes one away.
        project: Folder of the project.
        device: Another device than the bundle's.
        entry: Another training than the bundle names.
        plan: What is trained before in the same process, and what is set back after it: see `carried`.
        data_files: Where data files are, by the names that the bundle has for them.

    Raises:
        BundleError: If the bundle is refused.
        LaunchError: If the training cannot be found, or fails.

    Effects: runs the user's training in the project's folder; whatever it writes there.
    """
    bundle = open_bundle(bundle_folder)
    folder, root = Path(os.path.abspath(project)), Path(os.path.abspath(out_folder))  # noqa: PTH100  # links stay
    find_entry(folder, entry or bundle.manifest.entry)
    root.mkdir(parents=True, exist_ok=True)
    arguments = [str(bundle.folder.absolute()), str(root), "--project", str(folder)]
    for name, value in (
        ("seed", seed),
        ("perturb", perturb),
        ("threads", threads),
        ("device", device),
        ("entry", entry),
    ):
        arguments += [] if value is None else [f"--{name}", str(value)]
    if plan is not None:
        (root / PLAN).write_bytes(dump_json(plan))
        arguments += ["--plan", str(root / PLAN)]
    arguments += spell_data_files(root, data_files or {})
    start = time.monotonic()
    code = _run_process(arguments, folder, root / OUTPUT, surround(bundle, environment or {}))
    if code != 0 or not (root / RESULT).is_file():
        raise LaunchError(
            f"the training ended with {name_exit(code)}: {last_line(root / OUTPUT)}", f"see {root / OUTPUT}"
        )
    return read_result(root, time.monotonic() - start)


def spell_data_files(folder: Path, data_files: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the option that tells a worker where data files are.

    Effects: writes a file into a folder, if there are any.
    """
    if not data_files:
        return ()
    (folder / DATA_FILES).write_bytes(dump_json({name: str(path) for name, path in data_files.items()}))
    return ("--data", str(folder / DATA_FILES))


def worker_command(
    bundle: Bundle, out: Path, *, threads: int | None, entry: str | None, data_files: Mapping[str, Path]
) -> tuple[str, ...]:
    """Return the command by which a check runs the training of a bundle, in the project's folder or a copy of it.

    The check records it, so it records nothing itself.
    """
    options = {"threads": threads, "entry": entry}
    given = [part for name, value in options.items() if value is not None for part in (f"--{name}", str(value))]
    start = ("-m", "reproof.reproducing.worker", str(bundle.folder.absolute()), str(out))
    return (*start, "--project", ".", "--no-trace", *given, *spell_data_files(out, data_files))


def surround(bundle: Bundle, changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the variables of the fresh process: those of this one, the hash seed of the bundle, and the changes."""
    variables = dict(os.environ)
    hash_seed = bundle.environment.get("python", {}).get("hash_seed")
    if isinstance(hash_seed, str) and hash_seed.isdigit():
        variables["PYTHONHASHSEED"] = hash_seed
    for name, value in changes.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    return variables


def _run_process(arguments: Sequence[str], folder: Path, output: Path, variables: dict[str, str]) -> int:
    """Run the worker to its end; it is killed if this process is ended meanwhile."""
    command = [*start_command("reproof.reproducing.worker"), *arguments]
    with signals_as_exit(), output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  # our own worker, in the user's project
            command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            return process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise


def name_exit(code: int) -> str:
    """Return how a process ended, in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def last_line(path: Path) -> str:
    """Return the last line of the output of a process, printable."""
    lines = path.read_text(encoding="utf-8", errors="replace").rstrip().splitlines() if path.is_file() else []
    return ascii(lines[-1].removeprefix("reproof: error: "))[1:-1][:300] if lines else "it said nothing"


def read_result(root: Path, seconds: float) -> WorkerResult:
    """Read the result of a worker."""
    values = parse_json((root / RESULT).read_bytes(), RESULT)
    return WorkerResult(
        seed=values["seed"],
        metrics=read_metrics(values["metrics"]),
        value=read_float(values["value"]),
        best_epoch=values["best_epoch"],
        weights=values["weights"],
        trace=root / TRACE,
        losses=read_losses(root / TRACE),
        scaler=values["scaler"],
        data=values["data"],
        code=values["code"],
        environment=values["environment"],
        perturbed=values["perturbed"],
        seconds=seconds,
        changed=tuple(values.get("changed", ())),
        probe=values.get("probe", {}),
        reports=tuple(map(float.fromhex, values["reports"])),
    )


def read_losses(folder: Path, limit: int = NUM_KEPT_LOSSES) -> tuple[float, ...]:
    """Return the losses of the first steps that a trace holds, in execution order; none without a trace."""
    try:
        rank = open_trace(folder).ranks.get(0)
    except TraceError:
        return ()
    losses: list[float] = []
    for index in find_frames(rank, "loss") if rank is not None else ():
        losses += [point.value for _, point in read_points(rank, index, "loss")] if rank is not None else []
        if len(losses) >= limit:
            break
    return tuple(map(float, losses[:limit]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run in the fresh process: train and write the result; on an error, print one line and exit with 2."""
    options = _parse(sys.argv[1:] if arguments is None else list(arguments))
    if arguments is None:
        die_with_parent()
    try:
        bundle = open_bundle(options.bundle)
        project, entry = Path(options.project), str(options.entry or bundle.manifest.entry)
        request = make_request(bundle, options, project, entry)
        require_device(request.device)
        config = with_seed(bundle.config, bundle.manifest.seed_key, request.seed)
        train = load_entry(project, entry)
        before = _train_before(train, config, options.plan, request, bundle.manifest.seed_key)
        outcome = run_here(train, config, request)
    except ReproofError as error:
        sys.stderr.write(f"reproof: error: {error}\n")
        sys.exit(2)
    out = Path(options.out)
    if bundle.manifest.imported:  # how far its weights are from these cannot be read from digests
        (out / BEST_WEIGHTS).parent.mkdir(exist_ok=True)
        for path, tensors in ((BEST_WEIGHTS, outcome.best), (LAST_WEIGHTS, outcome.last)):
            write_weights(out / path, tensors)
    (out / f"{RESULT}.new").write_bytes(dump_json({**spell_outcome(outcome, request.seed), **before}))
    (out / f"{RESULT}.new").replace(out / RESULT)


def _train_before(
    train: Any, config: dict[str, Any], plan: str | None, request: TrainingRequest, seed_key: str
) -> dict[str, Any]:
    """Train what a plan says, if there is one, and return what that has changed or shown."""
    if plan is None:
        return {}
    from reproof.reproducing.earlier import probe_state, train_before

    found = parse_json(Path(plan).read_bytes(), PLAN)
    if found["probe"]:
        return {"probe": probe_state(train, config, request, found["probe"])}
    return {"changed": train_before(train, found, request, seed_key)}


def make_request(bundle: Bundle, options: argparse.Namespace, project: Path, entry: str) -> TrainingRequest:
    """Return how the training is run: as in the bundle, where the options do not say otherwise."""
    torch = bundle.environment.get("torch", {})
    recorded = torch.get("threads", {}).get("intraop")
    return TrainingRequest(
        seed=read_seed(bundle.config, bundle.manifest.seed_key) if options.seed is None else options.seed,
        project=project.resolve(),
        entry=entry,
        trace=None if options.no_trace else Path(options.out) / TRACE,
        direction=bundle.trial.direction,
        device=options.device or bundle.environment.get("device") or "cpu",
        num_threads=options.threads or (recorded if isinstance(recorded, int) and recorded > 0 else None),
        is_deterministic=torch.get("flags", {}).get("deterministic_warn_only") is not True,
        perturb=options.perturb,
        is_reproduction=True,
        data_files={} if options.data is None else read_data_files(Path(options.data)),
    )


def read_data_files(path: Path) -> dict[str, Path]:
    """Read where data files are."""
    return {name: Path(place) for name, place in parse_json(path.read_bytes(), path.name).items()}


def spell_outcome(outcome: TrainingOutcome, seed: int) -> dict[str, Any]:
    """Return the result as plain values for the parent process."""
    return {
        "seed": seed,
        "metrics": spell_hex(outcome.metrics),
        "value": outcome.value.hex(),
        "best_epoch": outcome.best_epoch,
        "num_epochs": outcome.num_epochs,
        "reports": [value.hex() for value in outcome.reports],
        "weights": {"best": digest_weights(outcome.best), "last": digest_weights(outcome.last)},
        "scaler": outcome.scaler,
        "data": outcome.data,
        "code": outcome.code,
        "environment": outcome.environment,
        "perturbed": outcome.perturbed,
    }


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="reproof worker")
    parser.add_argument("bundle")
    parser.add_argument("out")
    parser.add_argument("--project", default=".")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--perturb", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device")
    parser.add_argument("--entry")
    parser.add_argument("--plan")
    parser.add_argument("--data")
    parser.add_argument("--no-trace", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
