"""What a re-run of a bundle needs, beside what is here: told in one table before anything runs.

Left out: what only a run shows, such as arrays and the number of threads in use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from reproof.bundle.surroundings import describe_surroundings, find_version
from reproof.reproducing.data_files import list_data_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reproof.reproducing.evidence import Gate
    from reproof.reproducing.job import Job

NeedState = Literal["same", "differs", "missing", "unknown", "fixed"]
"""*fixed*: other hardware or another system, which nothing here can match."""

MAX_NAMED: Final = 5
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that a re-run needs.

    Attributes:
        needed: As the bundle tells it.
        here: As it is here.
        state: How the two compare.
    """

    what: str
    needed: str
    here: str
    state: NeedState

    def to_json(self) -> dict[str, str]:
        """Return plain values."""
        return {"what": self.what, "needed": self.needed, "here": self.here, "state": self.state}


def list_needs(job: Job, gates: Sequence[Gate]) -> tuple[Need, ...]:
    """Return what is needed and what is here: data files, code, interpreter, packages, hardware.

    Effects: as `reproof.environment.collect_environment`.
    """
    here = describe_surroundings()
    rows = [*_need_data(job), *_need_code(job, gates)]
    if job.bundle.environment:
        rows += [*_need_interpreter(job.bundle.environment, here), *_need_packages(job.bundle.environment, here)]
        rows += _need_hardware(job.bundle.environment, here)
    else:
        rows += _tell_here(here)
    return tuple(rows)


def _tell_here(here: Mapping[str, Any]) -> Iterator[Need]:
    """Yield what matters most and the bundle does not tell: other versions give other bits."""
    python = str(here.get("python", {}).get("version", _UNKNOWN)).partition(" ")[0]
    for what, version in (("Python", python), ("PyTorch", find_version(here, "torch") or "not installed")):
        yield Need(
            what=what, needed="not kept: the version of the search, if you know it", here=version, state="unknown"
        )


def _need_data(job: Job) -> Iterator[Need]:
    states: dict[str, NeedState] = {"same": "same", "different": "differs", "missing": "missing", "outside": "unknown"}
    for row in list_data_files(job.bundle, job.project, job.data_files):
        told = {
            "same": str(row.path),
            "different": f"{row.path}: other bytes",
            "missing": "not here: name its folder with --data",
            "outside": "outside of the project: the training finds it, or --data",
        }[row.state]
        yield Need(what=f"data {row.name}", needed=f"sha256 {row.sha256[:12]}", here=told, state=states[row.state])


def _need_code(job: Job, gates: Sequence[Gate]) -> Iterator[Need]:
    code: Mapping[str, Any] = job.bundle.code
    gate = next((gate for gate in gates if gate.name == "code"), None)
    if code.get("files") and not job.bundle.manifest.imported:
        names = [name for name, item in code["files"].items() if item.get("reached")] or list(code["files"])
        state: NeedState = {"same": "same", "different": "differs"}.get(gate.state, "unknown") if gate else "unknown"  # type: ignore[assignment]
        told = f"the same, in {job.project}" if state == "same" else (gate.detail if gate else _UNKNOWN)
        yield Need(what="code", needed=_join(names), here=told, state=state)
    git = code.get("git")
    if isinstance(git, dict):
        changed = " with uncommitted changes" if git.get("diff_sha256") not in {None, _EMPTY} else ""
        place = f" of {git['remote']}" if git.get("remote") else ""
        yield Need(
            what="commit",
            needed=f"{str(git.get('commit'))[:12]}{changed}{place}",
            here="not compared: the code itself is",
            state="unknown",
        )


_EMPTY: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of nothing."""


def _need_interpreter(original: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Need]:
    versions = [str(side.get("python", {}).get("version", _UNKNOWN)) for side in (original, here)]
    short = [re.match(r"[\w.+-]*", version) for version in versions]
    first, second = (found[0] if found else version for found, version in zip(short, versions, strict=True))
    state: NeedState = "same" if first == second else "differs"
    yield Need(what="Python", needed=first, here=second, state=state)


def _need_packages(original: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Need]:
    """Yield the packages that the training had imported and that are others here, then those that are the same."""
    same = []
    for name in original.get("imported", ()):
        first, second = find_version(original, name), find_version(here, name)
        if first is None or name == "reproof":
            continue
        if first == second:
            same.append(name)
        else:
            told = second or "not installed: see `reproof bundle env`"
            yield Need(what=name, needed=first, here=told, state="differs" if second else "missing")
    if same:
        yield Need(what="packages", needed=_join(same), here="the same versions", state="same")


def _need_hardware(original: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Need]:
    for what, topic, name in (
        ("processor", "cpu", "model"),
        ("system", "platform", "system"),
        ("machine", "platform", "machine"),
        ("C library", "platform", "libc"),
    ):
        first, second = (_spell(side.get(topic, {}).get(name)) for side in (original, here))
        if first != second and _UNKNOWN not in {first, second}:
            yield Need(what=what, needed=first, here=f"{second}: cannot be matched", state="fixed")
    device = original.get("device", "cpu")
    if device != "cpu":
        yield Need(what="device", needed=str(device), here="asked for when it runs", state="unknown")


def _spell(value: Any) -> str:
    return _UNKNOWN if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _join(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
