"""What must be the same for a re-run to be comparable with a bundle: code, configuration, data, target scaler.

Files are checked before anything runs; arrays, the scaler and imported modules are known only after a run.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reproof.bundle.code import compare_code, describe_sources, find_differing_lines
from reproof.bundle.data import compare_data
from reproof.bundle.scalers import compare_scalers
from reproof.reproducing.data_files import list_data_files
from reproof.reproducing.evidence import Gate
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reproof.bundle.records import Bundle
    from reproof.reproducing.worker import WorkerResult
    from reproof.schema import Comparison

NOT_RECORDED = "the bundle does not tell"
NEVER_KEPT = "never kept by the imported folder"
NO_PROJECT = "the project is not here"
NOWHERE: Mapping[str, Path] = MappingProxyType({})
MAX_LINES = 40
"""Lines of a file that are shown where its code differs."""


def check_files(
    bundle: Bundle, project: Path, entry: str | None, data_files: Mapping[str, Path] = NOWHERE
) -> tuple[Gate, ...]:
    """Check the files of the project before anything runs: data files, and what of the code the training reaches.

    `data_files` says where data files were found, if not at their places in the project.
    """
    return (_check_data_files(bundle, project, data_files), _check_project(bundle, project, entry))


def _check_data_files(bundle: Bundle, project: Path, data_files: Mapping[str, Path]) -> Gate:
    rows = list_data_files(bundle, project, data_files)
    texts = [f"{row.name} has other bytes" for row in rows if row.state == "different"]
    texts += [f"{row.name} is not here" for row in rows if row.state == "missing"]
    if texts:
        return Gate(name="data files", state="different", detail="; ".join(texts))
    if bundle.manifest.imported:
        return Gate(name="data files", state="unknown", detail=NEVER_KEPT)
    return Gate(name="data files", state="same", detail=plural(len(rows), "file") if rows else "none were noted")


def _check_project(bundle: Bundle, project: Path, entry: str | None) -> Gate:
    """Compare what the training reaches in the project with the bundle; without a project nothing can be compared."""
    known: dict[str, Any] = bundle.code.get("files", {})
    if not known or bundle.manifest.imported:
        return Gate(name="code", state="unknown", detail=_why_unknown(bundle))
    here = describe_sources({name: project / name for name in known}, entry)
    if not here:
        return Gate(name="code", state="different", detail=f"{NO_PROJECT} (in {project}): name it with --project")
    lacking = [f"{name} is not here" for name, item in known.items() if item.get("reached") and name not in here]
    gate = _judge_code(known, {name: item for name, item in here.items() if "reached" in item}, project)
    if not lacking:
        return gate
    told = [gate.detail] if gate.state == "different" else []
    return Gate(name="code", state="different", detail="; ".join([*lacking, *told]), lines=gate.lines)


def check_result(
    bundle: Bundle,
    project: Path,
    result: WorkerResult,
    before: tuple[Gate, ...],
    comparison: Comparison | None = None,
) -> tuple[Gate, ...]:
    """Check what a re-run has used, and keep the check of the data files."""
    return (
        _check_code(bundle, result, project),
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


def _check_code(bundle: Bundle, result: WorkerResult, project: Path) -> Gate:
    if not bundle.code.get("files") or bundle.manifest.imported:
        return Gate(name="code", state="unknown", detail=_why_unknown(bundle))
    return _judge_code(bundle.code["files"], result.code["files"], project)


def _judge_code(known: Mapping[str, Any], here: Mapping[str, Any], project: Path) -> Gate:
    """Compare code: what the training reaches must be the same; what else differs is told."""
    found = compare_code(known, here)
    told = [f"harmless, differs: {', '.join(found.harmless)}"] if found.harmless else []
    if found.changed:
        lines = tuple(_show_lines(found.units, known, project))
        return Gate(name="code", state="different", detail="; ".join([", ".join(found.changed), *told]), lines=lines)
    told = [plural(len(here), "module"), *told]
    told += [f"other comments or spacing in {', '.join(found.reworded)}"] if found.reworded else []
    return Gate(name="code", state="same", detail="; ".join(told))


def _show_lines(units: Mapping[str, Sequence[str]], known: Mapping[str, Any], project: Path) -> Iterator[str]:
    """Yield how files differ, line by line, where the bundle has their text."""
    for name, chosen in units.items():
        text = known.get(name, {}).get("text")
        if text is not None:
            here = (project / name).read_text(encoding="utf-8", errors="replace")
            yield f"{name}, - in the bundle, + here"
            yield from find_differing_lines(text, here, chosen)[:MAX_LINES]


def _check_arrays(bundle: Bundle, result: WorkerResult) -> Gate:
    if not bundle.data.get("arrays") and not bundle.data.get("files"):
        return Gate(name="data", state="unknown", detail=_why_unknown(bundle))
    differing = compare_data(bundle.data, result.data)
    if differing:
        return Gate(name="data", state="different", detail="; ".join(sorted(differing)))
    return Gate(name="data", state="same", detail=plural(len(bundle.data.get("arrays", {})), "array"))


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
