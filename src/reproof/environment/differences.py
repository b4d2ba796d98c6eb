"""What differs between the surroundings of two runs, most relevant first.

Left out on purpose: whether a difference is the cause. That is for experiments; here it is a condition.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from reproof.schema import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNKNOWN: Final = "unknown"

_RELEVANCE: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"torch",
        r".*threads?\b.*",
        r".*(cpu_capability|max_cpu_isa|mkl_cbwr|enable_instructions)",
        r".*hash_?seed",
        r"torch\.cuda\b.*|.*(driver|cuda_|cublas|cudnn_version|nccl).*",
        r".*(flags\.|determinis|precision|tf32).*|torch\..*",
        r"variables\..*",
        r"code\..*",
        r"python",
        r"packages\..*",
        r"cpu\..*|memory_bytes|platform\.machine",
    )
)
"""Patterns of names, from the most to the least relevant; the first that fits counts."""

_ALWAYS_DIFFERENT: Final = frozenset({"pid", "created", "started", "ended", "elapsed_seconds", "run_id", "output"})
_COMMAND_KEYS: Final = frozenset({"argv", "command"})
_OUTPUT_OPTIONS: Final = frozenset({"-o", "--out", "--output", "--output-dir", "--output_dir"})
_ABSENT: Final = {"variables": "not set", "packages": "not installed"}
"""Topics that list everything there is, so that what they lack is known to be absent."""


HASH_VARIABLE: Final = "variables.PYTHONHASHSEED"


def compare_environments(baseline: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions that differ, most relevant first.

    Names are the keys joined by dots; ``version`` stands for its topic, so that ``torch.version`` is ``torch``. Process
    ids, times and output folders, which differ between any two runs, are left out. What a run does not tell is
    ``unknown``, and never filled in from the other run or from this machine.
    """
    first, second = dict(_flatten(baseline)), dict(_flatten(candidate))
    if {"torch", "packages.torch"} <= first.keys() & second.keys():
        del first["packages.torch"], second["packages.torch"]  # said already, by torch itself
    if all(facts.get(HASH_VARIABLE, "") == facts.get("python.hash_seed") for facts in (first, second)):
        del first[HASH_VARIABLE], second[HASH_VARIABLE]  # said already, by the seed in force
    conditions = []
    for name in first.keys() | second.keys():
        old = first[name] if name in first else _missing(name, baseline)
        new = second[name] if name in second else _missing(name, candidate)
        if old != new:
            conditions.append(Condition(name=name, baseline=old, candidate=new))
    return tuple(sorted(conditions, key=lambda condition: (_rank(condition.name), condition.name)))


def _flatten(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield dotted names and texts of all values; without recursion, since a trace may come from anywhere."""
    pending: list[tuple[str, Any]] = [("", environment)]
    while pending:
        prefix, value = pending.pop()
        key = prefix.rpartition(".")[2]
        if isinstance(value, dict):
            pending.extend((f"{prefix}.{name}" if prefix else str(name), item) for name, item in value.items())
        elif key not in _ALWAYS_DIFFERENT and prefix:
            yield prefix.removesuffix(".version"), _text(_without_output(value) if key in _COMMAND_KEYS else value)


def _text(value: Any) -> str:
    if value is None:
        return UNKNOWN
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _missing(name: str, environment: Mapping[str, Any]) -> str:
    topic = name.partition(".")[0]
    return _ABSENT.get(topic, UNKNOWN) if isinstance(environment.get(topic), dict) else UNKNOWN


def _without_output(command: Any) -> Any:
    """Return a command line without the folder or file that it writes to."""
    if not isinstance(command, (list, tuple)):
        return command
    words = [word for word in map(str, command) if word.partition("=")[0] not in _OUTPUT_OPTIONS or "=" not in word]
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if word not in _OUTPUT_OPTIONS and before not in _OUTPUT_OPTIONS
    ]


def _rank(name: str) -> int:
    return next((rank for rank, pattern in enumerate(_RELEVANCE) if pattern.fullmatch(name)), len(_RELEVANCE))
