"""The exceptions of reproof, and the one place that says what each of them means to the shell.

    ReproofError
    ├── UsageError        an argument that cannot be carried out
    ├── DependencyError   an optional package that this call needs is not installed
    ├── TraceError        a trace that is missing, foreign, damaged or of a newer format
    ├── RecordingError    a trace that cannot be written
    ├── LaunchError       a script or module that cannot be started
    └── BundleError       a bundle that is missing, foreign, damaged or refused, or cannot be written

That two runs differ is an answer and never an exception. Each error is one line: what is wrong, with the
offending value, and what to do next. Library code raises them; only the command line prints them and exits.
"""

from __future__ import annotations

EXIT_SAME = 0
EXIT_DIVERGED = 1
EXIT_ERROR = 2


class ReproofError(Exception):
    """Base of every error that reproof raises on purpose.

    Attributes:
        slug: Short stable name of the error, for scripts and for the documentation.
        problem: What is wrong, with the offending value.
        remedy: What to do next.
    """

    slug = "error"

    def __init__(self, problem: str, remedy: str, *, slug: str | None = None) -> None:
        """Make the error's one line from the problem and its remedy."""
        self.problem = problem
        self.remedy = remedy
        if slug is not None:
            self.slug = slug
        super().__init__(f"{problem}: {remedy}")


class UsageError(ReproofError):
    """An argument that cannot be carried out."""

    slug = "usage"


class DependencyError(ReproofError):
    """An optional package that this call needs is not installed."""

    slug = "dependency"


class TraceError(ReproofError):
    """A trace that is missing, foreign, damaged or of a newer format."""

    slug = "trace"


class RecordingError(ReproofError):
    """A trace that cannot be written."""

    slug = "recording"


class LaunchError(ReproofError):
    """A script or module that cannot be started."""

    slug = "launch"


class BundleError(ReproofError):
    """A bundle that is missing, foreign, damaged or refused, or cannot be written."""

    slug = "bundle"
