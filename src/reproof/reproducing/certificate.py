"""The certificate of a reproduction, as an in-toto statement: which bundle, by digest, and the verdict on it.

It is a file outside of the bundle, which never changes. The form is that of the Statement, version 1:
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. It is not signed here; any tool that signs
in-toto statements can do that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reproof._version import __version__
from reproof.bundle.manifest import digest_file, dump_json
from reproof.bundle.records import MANIFEST
from reproof.reproducing.evidence import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reproof.bundle.records import Bundle

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://github.com/reproof/reproof/reproduction/v1"
CERTIFICATE: Final = "certificate.json"

HONESTY: Final = (
    "This re-run agreed, or did not, with the bundle as stated. Within a tolerance, or by statistics, that is no proof "
    "against whoever wants to deceive; and the score of the best of many trials is biased upwards."
)


def make_statement(bundle: Bundle, predicate: dict[str, Any], started: str) -> dict[str, Any]:
    """Return the statement on a reproduction. `started` is ISO 8601."""
    subjects = [{"name": MANIFEST, "digest": {"sha256": digest_file(bundle.folder / MANIFEST)}}]
    subjects += [
        {"name": f"weights/{name} (content)", "digest": {"sha256": digest}}
        for name, digest in sorted(bundle.manifest.weights.items())
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            **predicate,
            "reproof": __version__,
            "started": started,
            "entry": bundle.manifest.entry,
            "note": HONESTY,
        },
    }


def without_folders(value: Any, folders: Mapping[str, str]) -> Any:
    """Return plain values in which folders of this machine are called otherwise: a certificate is made to be shared.

    Of the folders, an inner one stands before those that it lies in.
    """
    if isinstance(value, dict):
        return {name: without_folders(item, folders) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_folders(item, folders) for item in value]
    if isinstance(value, str):
        for folder, name in folders.items():
            if folder.strip("/"):
                value = re.sub(rf"(?<![\w.-]){re.escape(folder)}(?![\w.-])", name, value)
    return value


def write_certificate(folder: Path, statement: dict[str, Any]) -> Path:
    """Write a certificate and return its path. Effects: creates the file."""
    path = folder / CERTIFICATE
    path.write_bytes(dump_json(plain(statement)))
    return path
