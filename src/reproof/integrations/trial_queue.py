"""A queue of runs in any storage of Optuna: each runs once, whichever machine takes it, and once more if that dies.

A run is a trial that was queued with `enqueue_trial`. What makes that safe without a coordinator:

- Two machines may queue the same run at the same time. Trials are numbered by the storage, so the one with the lowest
  number is the run, for everyone and for ever; the others are never taken.
- A worker takes a waiting trial by setting its state to *running*, which the storage allows only once.
- A worker increments a beat while it runs. A worker that sees the same beat for the length of a lease, by its own
  clock, marks the trial as failed, which the storage allows only once, and queues the next attempt. Clocks of two
  machines are never compared. Optuna's own heartbeat is experimental and supports relational databases only.

Left out: what a run is, and who runs it (`reproof.integrations.replicates`).
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from reproof.errors import DependencyError, UsageError

try:
    import optuna
except ModuleNotFoundError:
    raise DependencyError("Optuna is not installed", "pip install 'reproof[search]'") from None

from optuna.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

TASK: Final = "reproof:task"
ATTEMPT: Final = "reproof:attempt"
WORKER: Final = "reproof:worker"
BEAT: Final = "reproof:beat"
RESULT: Final = "reproof:result"
ERROR: Final = "reproof:error"
"""Names of the user attributes by which a trial is a run of the queue."""

DEFAULT_LEASE_SECONDS: Final = 60.0
BEATS_PER_LEASE: Final = 6
POLL_SECONDS: Final = 0.5
"""How often a worker without a run looks whether there is one."""

MAX_FIRST_LINE: Final = 2**20
MAX_ATTEMPTS: Final = 5
"""A run with which so many workers died is not tried again: it may be what kills them."""

State = Literal["waiting", "running", "done", "lost", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run of the queue, in the trial that counts for it.

    Attributes:
        task: What is run, as text; equal texts are the same run.
        number: 0 for the first attempt; each lost worker adds one.
        trial: Number of the trial.
        state: How far it is; *lost* if its worker died or gave it back, *failed* if the run itself raised an error.
        beat: The beat of its worker.
        result: What it has left, once it is done.
        error: Why it failed.
        params: What a sampler chose for it, if it is a trial of a search.
    """

    task: str
    number: int
    trial: int
    state: State
    beat: int = 0
    result: dict[str, Any] | None = None
    error: str | None = None
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether it has ended and will not be tried again unless it is queued again."""
        return self.state in {"done", "failed"} or (self.state == "lost" and self.number + 1 >= MAX_ATTEMPTS)


class TrialQueue:
    """The runs in one study of a storage.

    Attributes:
        lease_seconds: How long a worker may be silent before it counts as lost.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study_name: str,
        *,
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        direction: Literal["minimize", "maximize"] = "minimize",
    ) -> None:
        """Open the study, or create it.

        Several processes may use the storage at the same time. A worker that is silent for `lease_seconds` counts as
        lost; `direction` is of a study that is created.
        """
        self.lease_seconds = lease_seconds
        self.storage = storage
        with quiet_optuna():
            self._study = optuna.create_study(
                storage=storage, study_name=study_name, direction=direction, load_if_exists=True
            )
        self._study_id = storage.get_study_id_from_name(study_name)
        self._lock = threading.Lock()
        self._heard: dict[int, tuple[int, float]] = {}

    def read(self) -> dict[str, list[Attempt]]:
        """Return the attempts at each run, first to last, as the storage has them now."""
        found: dict[tuple[str, int], Attempt] = {}
        trials = self.storage.get_all_trials(self._study_id, deepcopy=False)
        for trial in sorted(trials, key=lambda trial: trial.number):
            attempt = read_attempt(trial)
            if attempt is not None:
                found.setdefault((attempt.task, attempt.number), attempt)
        tasks: dict[str, list[Attempt]] = {}
        for (task, _), attempt in sorted(found.items()):
            tasks.setdefault(task, []).append(attempt)
        return tasks

    def enqueue(self, tasks: Iterable[str]) -> None:
        """Queue runs that are not in the queue yet, and queue again those that failed."""
        known = self.read()
        for task in tasks:
            attempts = known.get(task, [])
            if not attempts:
                self._enqueue(task, 0)
            elif attempts[-1].is_final and attempts[-1].state != "done":
                self._enqueue(task, attempts[-1].number + 1)

    def claim(self, tasks: Iterable[str]) -> Attempt | None:
        """Take one of these runs that no worker has taken; None if there is none at the moment."""
        known = self.read()
        for attempt in [known[task][-1] for task in tasks if task in known]:
            if attempt.state == "waiting" and self._take(attempt):
                return attempt
        return None

    def recover(self) -> None:
        """Find the runs whose worker is lost, and queue each once more.

        A worker counts as lost when its beat has not changed for the length of the lease, as seen by this object: call
        this regularly.
        """
        for attempt in [attempts[-1] for attempts in self.read().values()]:
            if attempt.state == "running" and self._is_silent(attempt):
                self._finish(attempt, TrialState.FAIL)
        for task, attempts in self.read().items():
            last = attempts[-1]
            if last.state == "lost" and not last.is_final:
                self._enqueue(task, last.number + 1, last.params)

    @contextmanager
    def beating(self, attempt: Attempt) -> Iterator[None]:
        """Keep the lease of a run while it is under way.

        Effects: a thread that writes to the storage every sixth part of the lease.
        """
        stop = threading.Event()
        thread = threading.Thread(target=self._beat, args=(attempt, stop), name="reproof lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def complete(self, attempt: Attempt, result: dict[str, Any], seconds: float) -> bool:
        """Store the result of a run; False if the run was meanwhile given to another worker, whose result counts.

        The result has plain values for JSON, without NaN; `seconds`, how long it took, is the value of the trial.
        """
        return self._set(attempt, RESULT, result) and self._finish(attempt, TrialState.COMPLETE, [seconds])

    def fail(self, attempt: Attempt, error: str) -> bool:
        """Mark a run as failed by an error of its own; it is not tried again until it is queued again."""
        return self._set(attempt, ERROR, error) and self._finish(attempt, TrialState.FAIL)

    def give_back(self, attempt: Attempt) -> bool:
        """Mark a run as interrupted, so that another worker takes it at once."""
        return self._finish(attempt, TrialState.FAIL)

    def _enqueue(self, task: str, number: int, params: dict[str, Any] | None = None) -> None:
        kind, _, which = task.partition(" ")
        fixed = params or {"kind": kind, "which": which}
        with quiet_optuna():
            self._study.enqueue_trial(fixed, user_attrs={TASK: task, ATTEMPT: number})

    def _take(self, attempt: Attempt) -> bool:
        with self._lock:  # a journal would give the trial to two threads of one process
            try:
                is_ours = self.storage.set_trial_state_values(self._id_of(attempt), TrialState.RUNNING)
            except RuntimeError:  # optuna.exceptions.UpdateFinishedTrialError: taken and finished meanwhile
                return False
        return is_ours and self._set(attempt, WORKER, f"{socket.gethostname()}:{os.getpid()}")

    def _is_silent(self, attempt: Attempt) -> bool:
        now = time.monotonic()
        with self._lock:
            beat, since = self._heard.get(attempt.trial, (-1, now))
            if beat != attempt.beat:
                self._heard[attempt.trial] = (attempt.beat, now)
                return False
        return now - since > self.lease_seconds

    def _beat(self, attempt: Attempt, stop: threading.Event) -> None:
        beat = 0
        while not stop.wait(self.lease_seconds / BEATS_PER_LEASE):
            beat += 1
            try:
                self.storage.set_trial_user_attr(self._id_of(attempt), BEAT, beat)
            except RuntimeError:
                return  # given to another worker, whose result counts
            except Exception:  # noqa: BLE001, S112  # a database that is away for a moment costs one beat, not the run
                continue

    def _set(self, attempt: Attempt, name: str, value: Any) -> bool:
        try:
            self.storage.set_trial_user_attr(self._id_of(attempt), name, value)
        except RuntimeError:
            return False
        return True

    def _finish(self, attempt: Attempt, state: TrialState, values: list[float] | None = None) -> bool:
        try:
            return self.storage.set_trial_state_values(self._id_of(attempt), state, values)
        except RuntimeError:
            return False

    def _id_of(self, attempt: Attempt) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self._study_id, attempt.trial)


def read_attempt(trial: FrozenTrial) -> Attempt | None:
    """Return a trial as a run of the queue, or None if it is not one."""
    attributes = trial.user_attrs
    if TASK not in attributes:
        return None
    error = attributes.get(ERROR)
    states: dict[TrialState, State] = {
        TrialState.WAITING: "waiting",
        TrialState.RUNNING: "running",
        TrialState.COMPLETE: "done",
    }
    return Attempt(
        task=attributes[TASK],
        number=attributes.get(ATTEMPT, 0),
        trial=trial.number,
        state=states.get(trial.state, "lost" if error is None else "failed"),
        beat=attributes.get(BEAT, 0),
        result=attributes.get(RESULT),
        error=error,
        params=dict(trial.params),
    )


def open_storage(place: str | Path) -> BaseStorage:
    """Return the storage at a URL of a database, or in a journal file.

    Raises DependencyError if the driver of the database is not installed and UsageError if the storage cannot be
    opened. Effects: creates the journal file, or the tables in the database.
    """
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    text = str(place)
    try:
        if "://" not in text:
            refuse_foreign_file(Path(text))
            return JournalStorage(JournalFileBackend(text))
        with quiet_optuna():
            return RDBStorage(text, engine_kwargs={"pool_pre_ping": True})  # a connection may have been cut
    except UsageError:
        raise
    except ImportError:
        raise DependencyError(
            f"the driver for {hide_password(text)} is not installed",
            "install it, such as psycopg for postgresql+psycopg://",
        ) from None
    except Exception as error:  # noqa: BLE001  # each driver has its own errors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"cannot open the storage {hide_password(text)} ({reason})", "see --storage") from None


def refuse_foreign_file(path: Path) -> None:
    """Refuse a file that is not a journal: Optuna would append its lines to it.

    Raises OSError if it cannot be read and UsageError if it is not a journal.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        line = file.readline(MAX_FIRST_LINE)
    try:
        is_journal = not line or "op_code" in json.loads(line)
    except (ValueError, TypeError):
        is_journal = False
    if not is_journal:
        raise UsageError(f"{path} is no journal of Optuna", "name another file with --storage, or none")


def hide_password(url: str) -> str:
    """Return a URL without its password."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}{separator}{user}{':***' if colon else ''}{at}{place}" if at else url


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from announcing each study and trial on standard error; warnings are shown."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
