"""Two runs → the first divergence, how much differs, and a verdict.

Needs neither numpy nor PyTorch. Left out: why they differ (a later room finds the cause) and how it is shown.
"""

from __future__ import annotations

from reproof.comparison.runs import compare, compare_traces, find_newest_runs

__all__ = ["compare", "compare_traces", "find_newest_runs"]
