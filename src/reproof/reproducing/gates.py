"""What must be the same for a re-run to be comparable with a bundle: code, configuration, data, target scaler.

Files are checked before anything runs; arrays, the scaler and imported modules are known only after a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reproof.bundle.code import compare_code, describe_source
from reproof.bundle.data import compare_data, describe_data_file
from reproof.bundle.scalers import compare_scalers
from reproof.errors import UsageError
from reproof.reproducing.evidence import Gate

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.bundle.records import Bundle
    from reproof.reproducing.worker import WorkerResult
    from reproof.schema import Comparison

NOT_RECORDED = "the bundle does not tell"
NEVER_KEPT = "never kept by the imported folder"


def check_files(bundle: Bundle, project: Path, entry: str | None) -> tuple[Gate, ...]:
    """Check the files of the project before anything runs: data files, and the file of the training."""
    return (_check_data_files(bundle, project), _check_entry_file(bundle, project, entry))


def _check_data_files(bundle: Bundle, project: Path) -> Gate:
    differing, missing = [], []
    files: dict[str, Any] = bundle.data.get("files", {})
    for name, entry in files.items():
        if not entry.get("in_project"):
            continue
        try:
            _, found = describe_data_file(project / name, project.resolve())
        except UsageError:
            missing.append(name)
            continue
        if found["sha256"] != entry["sha256"]:
            differing.append(name)
    if differing or missing:
        texts = [f"{name} has other bytes" for name in differing] + [f"{name} is not here" for name in missing]
        return Gate(name="data files", state="different", detail="; ".join(texts))
    if bundle.manifest.imported:
        return Gate(name="data files", state="unknown", detail=NEVER_KEPT)
    return Gate(name="data files", state="same", detail=f"{len(files)} files" if files else "none were noted")


def _check_entry_file(bundle: Bundle, project: Path, entry: str | None) -> Gate:
    name = (entry or "").partition(":")[0]
    known = bundle.code.get("files", {}).get(name)
    found = describe_source(project / name)
    if known is None or found is None:
        return Gate(name="code", state="unknown", detail=_why_unknown(bundle))
    is_same = known["syntax"] == found["syntax"]
    return Gate(name="code", state="same" if is_same else "different", detail=name)


def check_result(
    bundle: Bundle, result: WorkerResult, before: tuple[Gate, ...], comparison: Comparison | None = None
) -> tuple[Gate, ...]:
    """Check what a re-run has used, and keep the check of the data files."""
    return (
        _check_code(bundle, result),
        _check_config(bundle, comparison),
        *(gate for gate in before if gate.name == "data files"),
        _check_arrays(bundle, result),
        _check_scaler(bundle, result),
    )


def _why_unknown(bundle: Bundle) -> str:
    return NEVER_KEPT if bundle.manifest.imported else NOT_RECORDED


def _check_config(bundle: Bundle, comparison: Comparison | None) -> Gate:
    """Compare the configuration with the one that the trace has recorded value by value."""
    if bundle.manifest.imported:
        return Gate(name="configuration", state="same", detail="config.yaml of the folder was run")
    if comparison is None:
        return Gate(name="configuration", state="unknown", detail=NOT_RECORDED)
    changed = [d for d in comparison.differences if d.stage == "metric" and d.name.startswith("config[")]
    texts = [f"{d.name} was {d.baseline} when it was trained, is {d.candidate}" for d in changed]
    return Gate(name="configuration", state="different" if changed else "same", detail="; ".join(texts))


def _check_code(bundle: Bundle, result: WorkerResult) -> Gate:
    if not bundle.code.get("files"):
        return Gate(name="code", state="unknown", detail=_why_unknown(bundle))
    changed, reworded = compare_code(bundle.code, result.code)
    if changed:
        return Gate(name="code", state="different", detail=", ".join(changed))
    told = f"{len(result.code['files'])} modules"
    return Gate(
        name="code",
        state="same",
        detail=f"{told}; other comments or spacing in {', '.join(reworded)}" if reworded else told,
    )


def _check_arrays(bundle: Bundle, result: WorkerResult) -> Gate:
    if not bundle.data.get("arrays") and not bundle.data.get("files"):
        return Gate(name="data", state="unknown", detail=_why_unknown(bundle))
    differing = compare_data(bundle.data, result.data)
    if differing:
        return Gate(name="data", state="different", detail="; ".join(sorted(differing)))
    return Gate(name="data", state="same", detail=f"{len(bundle.data.get('arrays', {}))} arrays")


def _check_scaler(bundle: Bundle, result: WorkerResult) -> Gate:
    if bundle.scaler is None and result.scaler is None:
        return Gate(name="target scaler", state="same", detail="none")
    if bundle.scaler is None and bundle.manifest.imported:
        return Gate(name="target scaler", state="unknown", detail=NEVER_KEPT)
    if bundle.scaler is None or result.scaler is None:
        where = "here" if bundle.scaler is None else "in the bundle"
        return Gate(name="target scaler", state="different", detail=f"there is one {where} alone")
    differing = compare_scalers(bundle.scaler, result.scaler)
    return Gate(name="target scaler", state="same" if differing is None else "different", detail=differing or "")
