"""The main workflow: run a training several times in fresh processes, compare, and give one verdict."""

from __future__ import annotations

from reproof.checking.workflow import CheckRequest, CheckResult, check, run_check

__all__ = ["CheckRequest", "CheckResult", "check", "run_check"]
