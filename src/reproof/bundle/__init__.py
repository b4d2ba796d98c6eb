"""The best trial of a search as a folder that anyone can verify, read and run again.

    records      what a bundle holds
    manifest     bundle.json; the check that a folder is exactly what it says
    reader       a verified folder to a `Bundle`; nothing of it is executed
    training     one run of the user's training function, in a search or again
    writer       files first, manifest last
    replacing    one folder in the place of another, whole at any moment

Left out on purpose: Optuna (`reproof.integrations`), running a bundle again and judging it (`reproof.reproducing`).
"""

from __future__ import annotations

from reproof.bundle.reader import open_bundle
from reproof.bundle.records import Bundle, Manifest, Perturbation, Reference, Replicate, TrialInfo

__all__ = ["Bundle", "Manifest", "Perturbation", "Reference", "Replicate", "TrialInfo", "open_bundle"]
