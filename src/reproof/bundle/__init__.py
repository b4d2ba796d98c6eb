"""The best trial of a search as a folder that anyone can verify, read and run again.

- `records`: what a bundle holds; `manifest`: bundle.json, and the check that a folder is exactly what it says.
- `reader`: a verified folder to a `Bundle`; `writer`: files first, manifest last; `replacing`: one folder for another.
- `training`: one run of the user's training function, in a search or again.
- What is recorded of a training, and compared: `config`, `code`, `data`, `scalers`, `surroundings`, `weights`; of code
  `reach` tells what a training can reach, by digests of `syntax`.
- `requirements`: the packages that were imported, for an installer.
- `numbers`, `yaml_format`, `joblib_format`: how values are written and read without losing a bit or running code.
- `foreign`: a bundle from a folder that another tool has written; `parameters`: of a trial, as others write them.
- `signature`: sign and check with SSH keys.

Left out on purpose: Optuna (`reproof.integrations`), running a bundle again and judging it (`reproof.reproducing`).
"""

from __future__ import annotations

from reproof.bundle.reader import open_bundle
from reproof.bundle.records import Bundle, Manifest, Perturbation, Reference, Replicate, TrialInfo

__all__ = ["Bundle", "Manifest", "Perturbation", "Reference", "Replicate", "TrialInfo", "open_bundle"]
