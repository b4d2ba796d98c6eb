"""What is known of a run and shows in what it puts out: when and where it ran, and as which processes.

Two runs differ in these by nature. A number or name of the output is taken for noise only if it is one of these, never
because it looks like one: a date of last year is a result. Left out: how they come to be known (the recorder).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Final

DAY_SECONDS: Final = 86_400
NAME_DIGITS: Final = 6
"""Of a UUID the first digits are those of the bytes it is made of; later ones tell its version."""
CLOCK_SLACK_SECONDS: Final = 2
"""A clock without a date counts as the run's only this close to the run: it is rounded, and lines are kept late."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is known of a run.

    Attributes:
        began_at: When the run began, in seconds since 1970.
        ended_at: When it ended, in seconds since 1970.
        utc_offset_seconds: How far the clocks of the run are ahead of UTC.
        process_ids: Numbers of the run's processes and threads, as far as they are known.
        nearby_ids: The first and last number that the system gave to processes and threads meanwhile, those of other
            programs included; None if it does not tell.
        temporary: Temporary files and folders that the run was given: names or whole paths.
        identifiers: The first hexadecimal digits of random bytes that the run was given: `uuid`, `secrets`.
    """

    began_at: float
    ended_at: float
    utc_offset_seconds: int = 0
    process_ids: tuple[int, ...] = ()
    nearby_ids: tuple[int, int] | None = None
    host: str | None = None
    user: str | None = None
    temporary: tuple[str, ...] = ()
    folder: str | None = None
    identifiers: tuple[str, ...] = ()

    def join(self, other: Surroundings) -> Surroundings:
        """Return what is known of this run and of another whose clocks and process numbers it may have been given."""
        nearby = [ids for ids in (self.nearby_ids, other.nearby_ids) if ids is not None]
        return replace(
            self,
            nearby_ids=(min(ids[0] for ids in nearby), max(ids[1] for ids in nearby)) if nearby else None,
            began_at=min(self.began_at, other.began_at),
            ended_at=max(self.ended_at, other.ended_at),
            process_ids=tuple(dict.fromkeys((*self.process_ids, *other.process_ids))),
            temporary=tuple(dict.fromkeys((*self.temporary, *other.temporary))),
            identifiers=tuple(dict.fromkeys((*self.identifiers, *other.identifiers))),
        )

    def holds_time(self, seconds: float) -> bool:
        """Whether a time, in seconds since 1970, lies within the run or a day of it."""
        return self.began_at - DAY_SECONDS <= seconds <= self.ended_at + DAY_SECONDS

    def holds_moment(self, seconds: float) -> bool:
        """Whether a time, in seconds since 1970, lies within the run itself."""
        return self.began_at - CLOCK_SLACK_SECONDS <= seconds <= self.ended_at + CLOCK_SLACK_SECONDS

    def holds_date(self, year: int, month: int, day: int) -> bool:
        """Whether a date lies within the run or a day of it; a date that does not exist does not."""
        return (year, month, day) in self.dates

    def holds_clock(self, hour: int, minute: int, second: int) -> bool:
        """Whether a time of day, in UTC or in the run's own time zone, lies within the run."""
        told = hour * 3600 + minute * 60 + second
        first, last = int(self.began_at) - CLOCK_SLACK_SECONDS, int(self.ended_at) + CLOCK_SLACK_SECONDS
        return any((told - offset - first) % DAY_SECONDS <= last - first for offset in (0, self.utc_offset_seconds))

    @cached_property
    def dates(self) -> frozenset[tuple[int, int, int]]:
        """The dates of the run and a day around it, in its own time zone and in UTC."""
        begin, end = self.began_at - DAY_SECONDS, self.ended_at + DAY_SECONDS
        zone = timezone(timedelta(seconds=self.utc_offset_seconds))
        days = {
            datetime.fromtimestamp(begin + DAY_SECONDS * number, at)
            for number in range(int((end - begin) // DAY_SECONDS) + 1)
            for at in (timezone.utc, zone)
        } | {datetime.fromtimestamp(end, at) for at in (timezone.utc, zone)}
        return frozenset((day.year, day.month, day.day) for day in days)

    @cached_property
    def days(self) -> frozenset[tuple[int, int]]:
        """Month and day of each of `dates`."""
        return frozenset((month, day) for _, month, day in self.dates)

    @cached_property
    def temporary_names(self) -> frozenset[str]:
        """Last parts of the temporary paths."""
        return frozenset(name.rstrip("/").rpartition("/")[2] for name in self.temporary) - {""}

    def holds_process(self, number: int) -> bool:
        """Whether a number may be that of a process or thread of the run."""
        return number in self.process_ids or (
            self.nearby_ids is not None and self.nearby_ids[0] <= number <= self.nearby_ids[1]
        )

    @cached_property
    def process_numbers(self) -> frozenset[str]:
        """Numbers of the processes as they are printed; those below 10 are too common to tell anything."""
        return frozenset(str(number) for number in self.process_ids if number > 9)  # noqa: PLR2004
