"""What reproof offers to users of other libraries; each module needs the library that it is named after.

    optuna       the best trial of a study as a bundle
    replicates   fresh-seed and perturbed runs of a bundle, queued as trials of a study

Left out on purpose: nothing here is imported by the rest of reproof, except by the command line.
"""

from __future__ import annotations
