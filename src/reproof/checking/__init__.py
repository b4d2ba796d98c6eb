"""The main workflow: run a training several times in fresh processes, compare, and give one verdict.

- `workflow`: `reproof check`; `workplace`: the folders in which its runs take place.
- `explaining`: `reproof explain`, for two runs that were recorded before.
- `resuming`: `reproof resume-check`.
"""

from __future__ import annotations

from reproof.checking.workflow import CheckRequest, CheckResult, check, run_check

__all__ = ["CheckRequest", "CheckResult", "check", "run_check"]
