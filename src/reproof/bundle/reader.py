"""Open a bundle: check every byte first, then read the content without executing any of it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.config import read_seed, refuse_code
from reproof.bundle.manifest import MAX_JSON_BYTES, parse_json, read_listed, refuse, verify_folder
from reproof.bundle.numbers import read_float, read_margins, read_metrics
from reproof.bundle.records import (
    BEST_WEIGHTS,
    CODE,
    CONFIG,
    DATA,
    ENVIRONMENT,
    LAST_WEIGHTS,
    REFERENCE,
    SCALER,
    TRACE,
    TRIAL,
    Bundle,
    Manifest,
    Perturbation,
    Reference,
    Replicate,
    TrialInfo,
)
from reproof.bundle.scalers import check_scaler
from reproof.bundle.weights import digest_weights, read_weights
from reproof.bundle.yaml_format import MAX_YAML_BYTES, parse_yaml
from reproof.errors import UsageError
from reproof.hash_seed import MAX_HASH_SEED
from reproof.trace.fields import Fields

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

MAX_RUNS: Final = 10_000
MAX_THREADS: Final = 4096

_DEVICE: Final = re.compile(r"[a-z]{1,20}(:\d{1,3})?")
_DIGITS: Final = re.compile(r"[0-9]{1,10}")


def open_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """Verify a bundle and read it.

    Raises BundleError if it is missing, foreign, damaged or refused; nothing of it was executed.
    """
    path = Path(folder)
    manifest = verify_folder(path)
    return _Reader(path, manifest).read()


class _Reader:
    """Reads the files of one verified bundle."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._entries = {entry.path: entry for entry in manifest.files}

    def read(self) -> Bundle:
        """Return the bundle."""
        config = self._yaml(CONFIG)
        refuse_code(config, CONFIG)
        try:
            read_seed(config, self._manifest.seed_key)
        except UsageError as error:
            raise refuse(self._folder, error.problem) from None
        self._check_weights()
        scaler = self._json(SCALER)
        return Bundle(
            folder=self._folder,
            manifest=self._manifest,
            config=config,
            trial=self._parse(TRIAL, read_trial, self._yaml(TRIAL)),
            environment=self._parse(ENVIRONMENT, read_environment, self._read_environment()),
            code=self._parse(CODE, read_code, self._json(CODE) or {}),
            data=self._parse(DATA, read_data, self._json(DATA) or {}),
            scaler=None if scaler is None else check_scaler(scaler),
            reference=self._read_reference(),
            trace=self._folder / TRACE,
        )

    def _yaml(self, name: str) -> dict[str, Any]:
        return parse_yaml(read_listed(self._folder, self._entries[name], MAX_YAML_BYTES), name)

    def _read_environment(self) -> dict[str, Any]:
        return self._yaml(ENVIRONMENT) if ENVIRONMENT in self._entries else {}

    def _json(self, name: str) -> dict[str, Any] | None:
        entry = self._entries.get(name)
        return None if entry is None else parse_json(read_listed(self._folder, entry, MAX_JSON_BYTES), name)

    def _parse(self, name: str, read: Callable[[dict[str, Any]], Any], value: dict[str, Any]) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise refuse(self._folder, f"in {name}, {' '.join(str(error).split())[:120]}") from None

    def _read_reference(self) -> Reference | None:
        value = self._json(REFERENCE)
        reference: Reference | None = None if value is None else self._parse(REFERENCE, read_reference, value)
        return reference

    def _check_weights(self) -> None:
        """Check that the weights are those that the manifest names by their content."""
        for name, path in (("best", BEST_WEIGHTS), ("last", LAST_WEIGHTS)):
            if (path in self._entries) != (name in self._manifest.weights):
                raise refuse(self._folder, f"{path} and its digest do not go together")
            if path in self._entries:
                digest = digest_weights(read_weights(self._folder / path))
                if digest != self._manifest.weights[name]:
                    raise refuse(self._folder, f"{path} holds other weights than the manifest names")


def read_trial(value: dict[str, Any]) -> TrialInfo:
    """Read `trial_info.yaml`. Raises ValueError if a field is missing or wrong."""
    fields = Fields(value)
    params = fields.take("params", dict)
    exact = value.get("params_hex") or {}
    for name, text in exact.items():
        params = {**params, name: read_float(text)}
    return TrialInfo(
        study=None if fields.is_null("study") else fields.text("study"),
        number=None if fields.is_null("number") else fields.number("number"),
        direction=fields.choice("direction", ("minimize", "maximize")),
        value=read_float(value.get("value")),
        params=params,
        metrics=read_metrics(value.get("metrics")),
        best_epoch=None if fields.is_null("best_epoch") else fields.number("best_epoch"),
        num_epochs=fields.number("num_epochs"),
        num_trials=None if fields.is_null("num_trials") else fields.number("num_trials"),
        retry_of=None if fields.is_null("retry_of") else fields.number("retry_of"),
        details=fields.take("details", dict),
    )


def read_environment(value: dict[str, Any]) -> dict[str, Any]:
    """Read `environment.yaml`, and check the values that a re-run applies to its process.

    Raises ValueError if a field is wrong.
    """
    torch = Fields(value.get("torch", {}))
    if "threads" in torch and not Fields(torch.take("threads", dict)).is_null("intraop"):
        Fields(torch.take("threads", dict)).number("intraop", minimum=1, maximum=MAX_THREADS)
    if "flags" in torch:
        torch.take("flags", dict)
    for name, text in value.get("variables", {}).items():
        if type(text) is not str or not text.isprintable():
            raise ValueError(f"the variable {name!r:.60} is {text!r:.60}")
    seed = str(value.get("python", {}).get("hash_seed", "random"))
    if seed != "random" and not (_DIGITS.fullmatch(seed) and int(seed) <= MAX_HASH_SEED):
        raise ValueError(f"the hash seed is {seed!r:.60}")
    device = value.get("device", "cpu")
    if type(device) is not str or not _DEVICE.fullmatch(device):
        raise ValueError(f"the device is {device!r:.60}")
    imported = value.get("imported", [])
    if not isinstance(imported, list) or not all(type(name) is str for name in imported):
        raise ValueError("imported is no list of names")
    return value


def read_code(value: dict[str, Any]) -> dict[str, Any]:
    """Read `code.json`.

    Raises ValueError if its files are no digests, lie outside of the project, or have other text than that.
    """
    for name, entry in value.get("files", {}).items():
        fields = Fields(entry)
        fields.text("sha256"), fields.text("syntax")
        parts = name.split("/")
        if not name.isprintable() or "\\" in name or {"", ".", ".."} & set(parts) or any(p[:1] == "." for p in parts):
            raise ValueError(f"the file {name!r:.80} lies outside of the project")
        if "units" in fields and not all(type(item) is str for item in fields.take("units", dict).values()):
            raise fields.wrong("units")
        if "reached" in fields and not all(type(item) is str for item in fields.take("reached", list)):
            raise fields.wrong("reached")
        if "text" in fields and hashlib.sha256(fields.text("text").encode()).hexdigest() != entry["sha256"]:
            raise ValueError(f"the text of {name!r:.80} is another than its sha256 says")
    return value


def read_data(value: dict[str, Any]) -> dict[str, Any]:
    """Read `data.json`. Raises ValueError if it has no fingerprints, or names a file outside of the project."""
    for name, entry in value.get("files", {}).items():
        if name.startswith(("/", "\\")) or ".." in name.split("/") or not name.isprintable():
            raise ValueError(f"the data file {name!r:.80} lies outside of the project")
        Fields(entry).text("sha256")
    for entry in value.get("arrays", {}).values():
        fields = Fields(entry)
        fields.text("sha256"), fields.text("unordered"), fields.text("dtype"), fields.take("shape", list)
        fields.take("blocks", list), fields.number("rows_per_block", minimum=1)
    return value


def read_reference(value: dict[str, Any]) -> Reference:
    """Read `reference.json`. Raises ValueError if a field is missing or wrong."""
    fields = Fields(value)
    replicates = fields.take("replicates", list)
    perturbations = fields.take("perturbations", list)
    if len(replicates) + len(perturbations) > MAX_RUNS:
        raise ValueError(f"{len(replicates) + len(perturbations)} runs")
    return Reference(
        margins=read_margins(fields.take("margins", dict)),
        replicates=tuple(
            Replicate(seed=Fields(item).number("seed"), metrics=read_metrics(item["metrics"])) for item in replicates
        ),
        perturbations=tuple(
            Perturbation(
                losses=tuple(read_float(loss) for loss in Fields(item).take("losses", list)),
                metrics=read_metrics(item["metrics"]),
                weight=Fields(item).text("weight"),
            )
            for item in perturbations
        ),
        alpha=read_float(value.get("alpha")),
    )
