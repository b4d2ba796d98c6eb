"""The command line: one module per command, imported when it is called.

Here is the only place that prints, and the only one that turns errors into exit codes.

- `main` finds the module of a command; `<name>_command` has its options, calls the library and chooses what is printed.
- `options`: how a command gets its options, and those that several commands have; `json_output`: ``--json FILE``.
- `comparison_text`, `cause_text`, `check_text`, `run_text`, `doctor_text`: results as lines, for a person.
- `lines`, `table`, `plot`, `loss_plot`, `step_map`, `screen`: what these are drawn with.
- `check_progress`: how far runs are, while they are under way; `suggestions`: the command that leads on.
"""

from __future__ import annotations

from reproof.cli.main import main

__all__ = ["main"]
