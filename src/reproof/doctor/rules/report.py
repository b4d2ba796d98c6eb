"""Make a finding of a place in a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reproof.doctor.records import Finding, Kind

if TYPE_CHECKING:
    import ast

    from reproof.doctor.program.graph import Sink
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.program.scopes import Scope


def make_finding(kind: Kind, node: ast.AST, scope: Scope, message: str, fix: str) -> Finding:
    """Return a finding at the line of a syntax node."""
    line = getattr(node, "lineno", 1)
    return Finding(
        kind=kind, file=scope.source.shown, line=line, text=scope.source.line(line), message=message, fix=fix
    )


def describe_sink(sink: Sink) -> str:
    """Say what a value becomes, and where, to follow "it reaches"."""
    nouns = {
        "seed": "a seed",
        "rate": "the optimizer's settings",
        "loss": "the loss",
        "model": "what the model computes",
        "data": "the training data",
        "parameter": "a parameter",
    }
    return f"{nouns[sink.kind]} ({sink.scope.source.shown}:{getattr(sink.node, 'lineno', 1)})"


_TRAINING = re.compile(r"torch\.optim\.[A-Z]\w*|torch\.autograd\.(grad|backward)|torch\.func\.\w*grad\w*")
_TRAINERS = re.compile(r"(lightning|pytorch_lightning|transformers|trl|composer|accelerate|ignite)\.[\w.]*")


def is_training(reading: Reading) -> bool:
    """Whether a script trains: it goes backward, has an optimizer, or hands the model to a trainer."""
    return any(
        site.method == "backward"
        or _TRAINING.fullmatch(site.name)
        or (_TRAINERS.fullmatch(site.name) and site.name.endswith("Trainer"))
        for site in reading.calls
    )
