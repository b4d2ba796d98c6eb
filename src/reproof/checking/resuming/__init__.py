"""Check whether a training that is interrupted and resumed from its checkpoint continues as without interruption.

`steps` reads the steps of both runs side by side, `alignment` finds where the resumed one goes on, `evidence` holds all
that is known, `inputs` and `pieces` name what is missing, `remedies` what to write.
"""

from __future__ import annotations

from reproof.checking.resuming.comparison import ResumeFinding
from reproof.checking.resuming.evidence import MissingPiece
from reproof.checking.resuming.workflow import ResumeRequest, ResumeResult, run_resume_check

__all__ = ["MissingPiece", "ResumeFinding", "ResumeRequest", "ResumeResult", "run_resume_check"]
