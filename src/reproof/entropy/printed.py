"""What other programs have printed, as a ledger has it: as it is while it may be replayed, else by its digest.

It may hold anything, such as a token that a helper of the user's hands out. So a plain run writes the digest alone. The
runs of a check write the text, because an experiment may have to give it back, and forget it when the check ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.ledger import STEP_MARK, ledger_name

if TYPE_CHECKING:
    from pathlib import Path

PRINTING: Final = ("subprocess", "os.popen")
"""Sources whose values are what programs have printed."""

DIGEST: Final = "printed_sha256"


def digest_printed(value: Any) -> dict[str, str]:
    """Return what stands in a ledger for a value, as JSON has it, that is not kept: the same for the same value."""
    return value if is_digest(value) else {DIGEST: hashlib.sha256(json.dumps(value).encode()).hexdigest()}


def is_digest(value: Any) -> bool:
    """Whether a value of a ledger is known by its digest alone, and cannot be replayed."""
    return isinstance(value, dict) and DIGEST in value


def forget_printed(folder: Path) -> None:
    """Put digests in the place of all that programs have printed, in each ledger below a folder.

    Effects: replaces files. One that cannot be replaced is removed, since what it tells is no longer needed.
    """
    for path in folder.rglob(ledger_name("*")):
        with contextlib.suppress(FileNotFoundError):
            text = path.read_bytes()
            if not any(f'"source":"{source}"'.encode() in text for source in PRINTING):
                continue
            fresh = path.with_name(f"{path.name}.new")
            try:
                with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                    file.write(redact(text))
                fresh.replace(path)
            except OSError:
                fresh.unlink(missing_ok=True)
                path.unlink()


def redact(text: bytes) -> bytes:
    """Return the lines of a ledger without what programs have printed; one that cannot be read is left out."""
    printing: dict[Any, bool] = {STEP_MARK: False}
    lines = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            if isinstance(entry, list):
                entry = [[number, digest_printed(value) if printing[number] else value] for number, value in entry]
            elif "place" in entry:
                printing[entry["place"]] = entry["source"] in PRINTING
        except (ValueError, TypeError, KeyError, RecursionError):
            continue  # torn by a kill, or not ours: no reader takes it either
        lines.append(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
    return b"".join(lines)
