"""What an imported folder has kept, beside a re-run: the weights, the validation loss, metrics and the target scaler.

A folder of others has no trace, code or data. What it does have is compared to the bit; what it never held is listed
with the value of the re-run, as a new reference.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from reproof.bundle.records import BEST_WEIGHTS, LAST_WEIGHTS
from reproof.bundle.scalers import compare_scalers
from reproof.bundle.weights import read_weights
from reproof.closeness import same_bits
from reproof.reproducing.margins import list_values
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reproof.bundle.records import Bundle
    from reproof.reproducing.worker import WorkerResult

PATHS: Final = {"best": BEST_WEIGHTS, "last": LAST_WEIGHTS}
_FLOATS: Final = {"F64": "d", "F32": "f", "F16": "e"}


OTHER: Final = {"best": "last", "last": "best"}
MUCH_NEARER: Final = 1000
"""On another machine rounding leaves no weights equal, and these so many times nearer than another epoch's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptItem:
    """Something that the folder has kept.

    Attributes:
        state: Whether the re-run has the same bits.
        detail: How it differs.
        is_missing: Whether the re-run has no such thing.
    """

    name: str
    state: Literal["same", "different"]
    detail: str = ""
    is_missing: bool = False

    def to_json(self) -> dict[str, str]:
        """Return plain values."""
        return {"name": self.name, "state": self.state, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A folder beside a re-run.

    Attributes:
        items: What was kept.
        never_kept: What was not, with the value of the re-run.
    """

    items: tuple[KeptItem, ...]
    never_kept: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether every bit that was kept is that of the re-run."""
        return all(item.state == "same" for item in self.items)

    @property
    def differing(self) -> tuple[KeptItem, ...]:
        """What has other bits."""
        return tuple(item for item in self.items if item.state == "different")


def compare_kept(bundle: Bundle, result: WorkerResult) -> Kept:
    """Compare everything that an imported folder has kept with a re-run, to the bit."""
    items = (*_compare_weights(bundle, result), _compare_value(bundle, result), *_compare_metrics(bundle, result))
    scaler = () if bundle.scaler is None else (_compare_scaler(bundle.scaler, result.scaler),)
    return Kept(items=(*items, *scaler), never_kept=tuple(name_never_kept(bundle, result)))


def _item(name: str, detail: str | None) -> KeptItem:
    return KeptItem(name=name, state="same" if detail is None else "different", detail=detail or "")


def _missing(name: str, detail: str) -> KeptItem:
    return KeptItem(name=name, state="different", detail=detail, is_missing=True)


def _compare_weights(bundle: Bundle, result: WorkerResult) -> Iterator[KeptItem]:
    for which, digest in sorted(bundle.manifest.weights.items()):
        yield _item(
            f"{which} weights", None if digest == result.weights[which] else _tell_weights(which, bundle, result)
        )


def _tell_weights(which: str, bundle: Bundle, result: WorkerResult) -> str:
    """Say how a file of weights differs: it may be that of the other epoch, or of another model."""
    if holds_other_epoch(which, bundle, result):
        return f"the file holds what the re-run has as its {OTHER[which]} weights"
    distance = measure_weights(bundle.folder / PATHS[which], result.folder / PATHS[which])
    if math.isinf(distance):
        return "the tensors have other names, types or shapes, or are not finite"
    return f"they differ by {distance:.1e} of their size"


def holds_other_epoch(which: str, bundle: Bundle, result: WorkerResult) -> bool:
    """Whether a file of weights holds those that the re-run has for the other epoch: to the bit, or by far nearer."""
    original, other = bundle.manifest.weights[which], OTHER[which]
    if result.weights[other] in {original, result.weights[which]} or original == result.weights[which]:
        return original == result.weights[other] != result.weights[which]
    own, near = (measure_weights(bundle.folder / PATHS[which], result.folder / PATHS[name]) for name in (which, other))
    return near * MUCH_NEARER < own


def measure_weights(first: Path, second: Path) -> float:
    """Return the Euclidean distance of two files of weights, relative to the first; infinite if they do not compare."""
    squares = total = 0.0
    for apart, size in (parts := _measure(first, second) or {}).values():
        squares, total = squares + apart**2, total + size**2
    if squares == 0.0:
        return 0.0 if parts else math.inf
    return math.sqrt(squares / total) if total and math.isfinite(squares) else math.inf


def measure_tensors(first: Path, second: Path) -> dict[str, float]:
    """Return the distance of each tensor of two files of weights, relative to its size in the first.

    Tensors of whole numbers, and such as are zero in the first, are left out. Empty if the files do not compare.
    """
    parts = _measure(first, second) or {}
    return {name: apart / size for name, (apart, size) in parts.items() if size > 0.0}


def _measure(first: Path, second: Path) -> dict[str, tuple[float, float]] | None:
    """Return distance and size of each tensor; None if names, types or shapes differ."""
    pairs = _pair(first, second)
    if pairs is None:
        return None
    found = {}
    for name, kind, a, b in pairs:
        if kind not in _FLOATS:
            is_other = a != b and (kind.startswith("F") or kind == "BF16")
            found[name] = (math.inf if is_other else 0.0, 0.0)
            continue
        code = f"<{len(a) // struct.calcsize(_FLOATS[kind])}{_FLOATS[kind]}"
        numbers, others = (struct.unpack(code, memoryview(data).cast("B")) for data in (a, b))
        found[name] = (math.dist(numbers, others), math.hypot(*numbers))
    return found


def _pair(first: Path, second: Path) -> list[tuple[str, str, bytes, bytes]] | None:
    ours, theirs = list(read_weights(first)), list(read_weights(second))
    if [(t.name, t.dtype, t.shape) for t in ours] != [(t.name, t.dtype, t.shape) for t in theirs]:
        return None
    return [(a.name, a.dtype, a.data, b.data) for a, b in zip(ours, theirs, strict=True)]


def _compare_value(bundle: Bundle, result: WorkerResult) -> KeptItem:
    return _compare_numbers("validation value", bundle.trial.value, result.value)


def _compare_metrics(bundle: Bundle, result: WorkerResult) -> Iterator[KeptItem]:
    for target, name, value in list_values(bundle.trial.metrics):
        found = result.metrics.get(target, {}).get(name)
        label = f"{name} of {target}"
        yield _missing(label, "not measured here") if found is None else _compare_numbers(label, value, found)


def _compare_numbers(name: str, original: float, here: float) -> KeptItem:
    is_same = same_bits(original, here)
    return _item(name, None if is_same else f"{original!r} was kept, {here!r} is found here ({here - original:+.1e})")


def _compare_scaler(original: dict[str, Any], here: dict[str, Any] | None) -> KeptItem:
    if here is None:
        return _missing("target scaler", "the training here keeps none: call run.keep_scaler(scaler)")
    differing = compare_scalers(original, here, exactly=True)
    is_rounding = differing is not None and compare_scalers(original, here) is None
    return _item("target scaler", f"{differing}, in the last places" if is_rounding else differing)


def name_never_kept(bundle: Bundle, result: WorkerResult) -> Iterator[str]:
    """Yield what the folder has never held, with what the re-run has."""
    for which, digest in sorted(result.weights.items()):
        if which not in bundle.manifest.weights:
            yield f"{which} weights: {digest}"
    for target, name, value in list_values(result.metrics):
        if name not in bundle.trial.metrics.get(target, {}):
            yield f"{name} of {target}: {value!r}"
    if bundle.scaler is None and result.scaler is not None:
        yield f"target scaler: a {result.scaler.get('class')}"
    if result.losses:
        yield f"losses of the steps: the first is {result.losses[0]!r}; all are in the trace of the re-run"
    for name, entry in result.data.get("files", {}).items():
        yield f"data file {name}: sha256 {entry['sha256']}"
    for name, entry in result.data.get("arrays", {}).items():
        yield f"data {name}: {entry['dtype']} of shape {entry['shape']}, sha256 {entry['sha256']}"
    yield f"code: {plural(len(result.code.get('files', {})), 'file')} of the project"
    yield f"environment: {describe_environment(result.environment)}"


def describe_environment(environment: dict[str, Any]) -> str:
    """Return an environment in a few words: versions, processor, threads."""
    torch, packages = environment.get("torch", {}), environment.get("packages", {})
    python, cpu = environment.get("python", {}), environment.get("cpu", {})
    parts = (
        f"Python {python.get('version', 'unknown')}",
        f"PyTorch {packages.get('torch') or torch.get('version', 'unknown')}",
        str(cpu.get("model", "an unknown processor")),
        f"{torch.get('threads', {}).get('intraop', 'unknown')} threads",
    )
    return ", ".join(parts)
