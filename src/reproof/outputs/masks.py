"""Known noise: what two runs of a training that reproduces may print differently. A narrow list, on purpose.

What is masked is called *identical* without a further look; what is not costs a third run, which decides by experiment.
So a rule has to be sure of what it sees: a date is one of the run, a process number one of the run's own, a duration
stands beside a word of time. ``MAE: 3.2 s`` and ``rank 11/s`` are results. The list for people: `docs/outputs.md`.

Each pattern has bounded repeats only, so a line takes time linear in its length. Longer lines than
`MAX_MASKED_CHARACTERS` are compared as they are.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from reproof.outputs.dates import find_clocks, find_dates, find_epochs
from reproof.outputs.vocabulary import (
    ADJECTIVES,
    COUNTABLE,
    MEASURES,
    OBJECT,
    PHASES,
    SURE_TIMES,
    TIMES,
    VERBS,
    ResultWords,
    find_result_words,
    is_result,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.outputs.surroundings import Surroundings

MAX_MASKED_CHARACTERS: Final = 20_000
"""Longer lines are compared as they are."""

Guard = Literal["none", "before", "line"]
"""Where an open word of a result forbids a mask: nowhere, before it, or anywhere on the line. A number that a word of a
result labels is masked by rules of guard ``none`` alone."""

NUMBER: Final = r"[-+]?(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,20})(?:\.\d{0,20})?(?:[eE][-+]?\d{1,3})?"
UNIT: Final = r"(?:ns|us|µs|μs|ms|msecs?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?![\w/^*])"
CLOCK: Final = r"\d{1,3}:[0-5]\d(?::[0-5]\d)?(?:\.\d{1,9})?(?![\d:])"
COMPOUND: Final = (
    r"(?:\d{1,5} ?d(?:ays?)?,? ?)?(?:\d{1,5} ?h(?:rs?|ours?)?,? ?)?(?:\d{1,5} ?m(?:ins?|inutes?)?,? ?(?:and )?)?"
    rf"{NUMBER} ?{UNIT}"
)
WITH_UNIT: Final = rf"(?:\d{{1,5}} days?, ?)?{CLOCK}|{COMPOUND}|{NUMBER}\s?±\s?{NUMBER}\s?{UNIT}"
BARE: Final = rf"{WITH_UNIT}|{NUMBER}(?![\w/%:.^*]|\s?(?:days?|weeks?|months?|years?|{COUNTABLE})(?!\w))"
AVERAGE: Final = rf"(?:\s{{0,2}}\(\s{{0,6}}{NUMBER}\s?{UNIT}\s{{0,2}}\))?"
"""The mean that follows the newest duration in brackets."""

SEPARATOR: Final = (
    r"[\"')\]]{0,2}(?: ?[\[(](?:s|ms|us|sec|secs|seconds|min|h)[\])])?\s{0,24}[:=|>~]{0,2}\s{0,24}[\"'|]?\s{0,12}"
)
PER_SECOND: Final = r"(?:s|secs?|seconds?|min|minutes?|h|hrs?|hours?|us|ms)(?![\w/])"
ADJECTIVE: Final = rf"(?:(?:{ADJECTIVES})[ _/.-])"
OBJECTS: Final = rf"(?: (?:{OBJECT}|\d{{1,12}}(?:/\d{{1,12}})?|[\w-]{{0,60}}[./][\w./-]{{1,120}})(?= )){{0,4}}"
"""What a program says that it has done: a few words of its own, numbers, names of files."""
PAIR: Final = rf"{NUMBER} \(\s{{0,4}}{NUMBER}\)"
AVERAGED_RATE: Final = rf"{NUMBER}/s  \({NUMBER}s, {{1,9}}{NUMBER}/s\)"
START: Final = r"(?<![A-Za-z])"
FREE: Final = r"(?<![\w.,:])(?<![\d]-)"


class Rule(NamedTuple):
    """A pattern whose group ``value`` is noise.

    Attributes:
        kind: What it is, as the masked text says it.
        text: The pattern; with a group ``key``, no foreign word may stand directly before that.
        guard: Which words of a result forbid it.
        needs: Texts in small letters of which a line has one, or the pattern is not tried.
    """

    kind: str
    text: str
    guard: Guard
    needs: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """The pattern, compiled when a line first has what it needs: few rules ever are in one run."""
        return _compile(self.text)


@functools.cache
def _compile(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def make_rule(kind: str, needs: str, pattern: str, guard: Guard = "line") -> Rule:
    """Return a rule whose pattern knows no case; what it needs is parted by commas."""
    return Rule(kind, pattern, guard, tuple(needs.split(",")))


RULES: Final = (
    # tqdm: the drawing, which gives way to the length of the rate; the clocks and the rate, but not what follows them.
    make_rule("bar", "%|", r"(?<=%)(?P<value>\|(?:[█▏▎▍▌▋▊▉ ]{1,200}|#{1,200}[0-9]? {0,200})\|)", "none"),
    make_rule(
        "progress",
        "[",
        r"\[(?P<value>(?:\d{1,4}:)?\d\d:\d\d(?=[<,])(?:<(?:[\d:]{4,12}|\?))?"
        r"(?:, {0,3}(?:\?|[\d.]{1,12}) ?[A-Za-z]{0,24}/[A-Za-z]{1,24}|(?<=[\d?])(?=\])))(?=[,\]])",
        "none",
    ),
    make_rule("clock", "•", rf"(?P<value>{CLOCK} • (?:{CLOCK}|-:--:--))", "none"),
    # Rates of what is counted, and their inverse.
    make_rule(
        "rate",
        "/,per ",
        rf"{FREE}(?P<value>{NUMBER}(?:±{NUMBER})?\s?[kKM]?\s?(?:{COUNTABLE})\s?(?:/|per )\s?{PER_SECOND})",
    ),
    make_rule(
        "rate",
        "/,per ",
        rf"{FREE}(?P<value>(?:\d{{1,5}} ?s )?{NUMBER}\s?(?:s|sec|seconds?|ms|us|ns|min)\s?(?:/|per )\s?(?:{COUNTABLE}))"
        r"(?![\w/])",
    ),
    make_rule("rate", "fps", rf"{FREE}(?P<value>{NUMBER} ?fps)(?!\w)"),
    make_rule(
        "rate",
        "per_s,sps,fps,ips,wps,ups,tps,it_s,mfu,throughput",
        rf"(?<!\w)(?:[a-z]{{1,24}}_)?(?:(?:{COUNTABLE})_per_s(?:ec(?:ond)?)?|sps|fps|ips|wps|ups|tps|it_s|mfu|throughput)"
        r"(?:_per_gpu)?"
        rf"{SEPARATOR}(?P<value>{NUMBER}\s?%?(?![\w.]))",
    ),
    make_rule(
        "rate",
        "/,per ",
        rf"{START}(?:(?:{COUNTABLE})\s?(?:/|per )\s?(?:secs?|seconds?|s)|(?:s|sec|ms|us)\s?/\s?(?:{COUNTABLE}))"
        rf"[\"')\]]{{0,2}}\s{{0,4}}[:=|]?\s{{0,24}}(?P<value>{NUMBER})(?![\w.])",
    ),
    # Durations beside a word of time.
    make_rule(
        "duration",
        "elapsed,time,wall,sec,min,hour,dur,ms",
        rf"{START}(?P<key>{ADJECTIVE}{{0,2}}(?:{SURE_TIMES}|(?:{PHASES})[ _/.-](?:{MEASURES})))"
        rf"{SEPARATOR}(?P<value>{BARE})",
    ),
    make_rule(
        "duration",
        "time,took,taken,eta,dur,remaining,wall",
        rf"{START}(?P<key>{ADJECTIVE}{{0,3}}(?:{TIMES})(?: per (?:{COUNTABLE}))?)"
        rf"{SEPARATOR}(?:about |approx\. )?(?P<value>(?:{WITH_UNIT}){AVERAGE})",
    ),
    make_rule("duration", "elapsed,remaining", rf"{FREE}(?P<value>{WITH_UNIT}) ?(?:elapsed|remaining)(?!\w)"),
    make_rule("duration", " in , after ", rf"{START}(?:{VERBS})(?!\w){OBJECTS} (?:in|after) (?P<value>{WITH_UNIT})"),
    make_rule("duration", "[", rf"^\[ {{0,8}}(?P<value>{NUMBER} ?(?:s|ms|sec|seconds))\]"),
    # Idioms in which a bare number after "time" is told by its neighbour, and one after "data" by the time before it.
    make_rule(
        "duration",
        "data",
        rf"{START}time\s{{1,2}}(?P<value>{PAIR}\s{{1,2}}Data\s{{1,2}}{PAIR})",
    ),
    make_rule(
        "duration",
        "/",
        rf"^ {{0,8}}(?:{PHASES})(?: \(\w{{1,12}}\))?: {{0,2}}\[ {{0,8}}\d{{1,12}}/\d{{1,12}}\]"
        rf"\s{{1,2}}Time:?\s{{1,2}}(?P<value>{PAIR})",
    ),
    make_rule("rate", "/s  (", rf"{START}time: {NUMBER}s, {{1,9}}(?P<value>{AVERAGED_RATE})"),
    make_rule(
        "duration",
        "/s  (",
        rf"{START}time: {NUMBER}s, {{1,9}}{AVERAGED_RATE}  LR: {NUMBER}  Data: (?P<value>{PAIR})",
    ),
    make_rule("duration", "_time:", rf"{START}time: (?P<value>{NUMBER})(?=,?\s{{1,2}}(?:data_time|last_time):)"),
    make_rule("duration", " data:", rf"{START}time: (?P<value>{NUMBER}\s{{1,2}}data: {NUMBER})(?![\w.])"),
    # The run's own addresses: how Python prints an object.
    make_rule("address", "0x", r"(?<=at )(?P<value>0x[0-9a-f]{6,16})(?!\w)", "none"),
    # A port that the system has chosen for processes of this machine that talk to each other.
    make_rule(
        "port", ":", r"(?:\blocalhost\]?|\b127\.0\.0\.1\]?|\[::1\]):(?P<value>[1-9]\d{3,4})(?!\w|[.:]\d)", "none"
    ),
)
"""Dates, process numbers and names are looked up in the surroundings, below."""

PROCESS: Final = re.compile(
    r"(?:(?<![A-Za-z])(?:p?pid|process(?: id)?|proc|worker|parent|child|thread(?: id)?|tid)\W{0,3}"
    r"|\[[\w. -]{0,24}?(?<!\w)|[A-Za-z_-])(?P<number>\d{2,20})(?!\w|\.\d)",
    re.IGNORECASE,
)
"""Where a number is that of a process: after such a word, last in brackets, or glued to a word (``.tmp4242``)."""

TOLD_PROCESS: Final = re.compile(
    r"(?<![A-Za-z])(?:p?pid|tid|(?:process|thread) id)[\W_]{0,3}(?P<number>\d{2,20})(?![A-Za-z\d])", re.IGNORECASE
)
"""Where a number can be no other than that of a process or thread."""

ALONE: Final = re.compile(r"(?<![\w.,:+-])(?P<number>\d{4,20})(?![\w/%]|[.,:]\d)")
"""A number that stands by itself, as loggers write it. That a result is by chance the very number of a process of the
run is rare, and it would have to be so in both runs."""

PROCESS_THREAD: Final = re.compile(r"(?<![\d.])(?P<number>\d{2,20}):(?P<thread>\d{2,20})(?![\d.:])")
"""Process and thread as loggers in C++ write them: ``4242:4250 file.cpp:52]``, ``node17:4242:4250 [0] NCCL INFO``."""

DIGITS: Final = re.compile(r"(?<!\d)(?P<number>\d{2,20})(?!\d)")
PIECES: Final = (re.compile(r"[\w.+-]{1,255}"), re.compile(r"[\w.]{1,255}"), re.compile(r"\w{1,255}"))
"""Parts of a text that may be a temporary name as a whole."""
FOREIGN: Final = re.compile(r"([^\W\d_]{1,40})[ _/.(\[\"'-]{1,3}\Z")
ALLOWED: Final = re.compile(rf"(?:{ADJECTIVES}|{VERBS}|and|the|{UNIT})", re.IGNORECASE)


class Span(NamedTuple):
    """A place that is masked."""

    start: int
    end: int
    kind: str


def mask_line(text: str, surroundings: Surroundings) -> tuple[str, int]:
    """Return a line with known noise replaced by its kind, runs of blanks by one; and the number of places masked."""
    if len(text) > MAX_MASKED_CHARACTERS:
        return text, 0
    spans = [*find_names(text, surroundings), *_find_noise(text, surroundings)]
    masked, count = replace(text, spans)
    return " ".join(masked.split()), count


def mask_name(path: str, surroundings: Surroundings) -> str:
    """Return the name of a file with dates, process numbers, host, user and temporary names replaced by their kind."""
    if len(path) > MAX_MASKED_CHARACTERS:
        return path
    spans = list(find_names(path, surroundings, in_name=True))
    spans += [Span(*span, "date") for span in find_dates(path, surroundings)]
    spans += [Span(*span, "date") for span in find_epochs(path, surroundings, in_name=True)]
    return replace(path, spans)[0]


def replace(text: str, spans: list[Span]) -> tuple[str, int]:
    """Return a text with spans replaced by their kinds, and how many: of two that overlap, the first given counts."""
    kept: list[Span] = []
    taken = bytearray(len(text))
    for span in spans:
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            kept.append(span)
    parts: list[str] = []
    end = 0
    for span in sorted(kept):
        parts += (text[end : span.start], f"<{span.kind}>")
        end = span.end
    return "".join((*parts, text[end:])), len(kept)


def _find_noise(text: str, surroundings: Surroundings) -> Iterator[Span]:
    """Yield dates, rates and durations; a number that a word of a result labels is none."""
    if not any(character.isdigit() for character in text):
        return
    words: ResultWords | None = None
    for find in (find_dates, find_epochs, find_clocks):
        for start, end in find(text, surroundings):
            words = words or find_result_words(text)
            if _allows(words, start, end, "before"):
                yield Span(start, end, "date")
    small = text.lower()
    for rule in RULES:
        for match in rule.pattern.finditer(text) if any(need in small for need in rule.needs) else ():
            start, end = match.span("value")
            words = words or find_result_words(text)
            if _allows(words, start, end, rule.guard) and not _is_foreign(text, match):
                yield Span(start, end, rule.kind)


def _allows(words: ResultWords, start: int, end: int, guard: Guard) -> bool:
    if guard == "none":
        return True
    if any(position in words.labelled for position in range(start, end)):
        return False
    return words.first_open < 0 or (guard == "before" and words.first_open > start)


def _is_foreign(text: str, match: re.Match[str]) -> bool:
    """Whether a word that makes it a time of the world stands before the key: "waiting time"."""
    key = match.groupdict().get("key")
    if key is None:
        return False
    before = FOREIGN.search(text[max(0, match.start("key") - 42) : match.start("key")])
    return before is not None and ALLOWED.fullmatch(before[1]) is None


RANDOM: Final = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])|[0-9A-Fa-f]{6,64}")
"""Random digits as a text has them: a whole UUID, or as many as there are. What a hyphen joins to them is none."""


MEMORABLE: Final = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z]{1,32}[-_]){2,4}\Z")
"""The words of a name that is made to be remembered, before its random digits: ``calm-badger-``. A single word may as
well be what a file is of: ``cat-3fa9c1.png``."""
MAX_JOINED: Final = 160


def find_names(text: str, surroundings: Surroundings, *, in_name: bool = False) -> Iterator[Span]:
    """Yield the run's own names and numbers: working folder, host, user, temporary names, processes."""
    yield from _find_temporary(text, surroundings)
    known = ((surroundings.folder, "folder"), (surroundings.host, "host"), (surroundings.user, "user"))
    for name, kind in known:
        if name is not None and name.strip("/"):
            yield from _find_literally(text, name, kind)
    yield from _find_identifiers(text, surroundings)
    yield from _find_processes(text, surroundings, in_name=in_name)


def _find_processes(text: str, surroundings: Surroundings, *, in_name: bool) -> Iterator[Span]:
    """Yield numbers of processes and threads."""
    for match in TOLD_PROCESS.finditer(text):
        if surroundings.holds_process(int(match["number"])):
            yield Span(*match.span("number"), "process")
    if not any(number in text for number in surroundings.process_numbers):
        return
    for match in PROCESS_THREAD.finditer(text):
        if match["number"] in surroundings.process_numbers and surroundings.holds_process(int(match["thread"])):
            yield Span(*match.span(), "process")
    for pattern in (PROCESS, DIGITS) if in_name else (PROCESS, ALONE):
        for match in pattern.finditer(text):
            if match["number"] in surroundings.process_numbers:
                yield Span(*match.span("number"), "process")


def _find_temporary(text: str, surroundings: Surroundings) -> Iterator[Span]:
    """Yield temporary paths as a whole, then their names wherever else they stand."""
    for path in surroundings.temporary:
        if path.count("/") > 1:
            yield from _find_literally(text, path.rstrip("/"), "temporary")
    for pattern in PIECES if any(name in text for name in surroundings.temporary_names) else ():
        for match in pattern.finditer(text):
            if match[0] in surroundings.temporary_names:
                yield Span(*match.span(), "temporary")


def _find_identifiers(text: str, surroundings: Surroundings) -> Iterator[Span]:
    """Yield random digits that the run was given, and made a name of for itself, with the words before them.

    Not words that may state a result, nor what follows: ``best_3fa9c1_acc_91``.
    """
    lower = text.lower()
    for identifier in surroundings.identifiers:
        start = lower.find(identifier)
        while start >= 0 and (match := RANDOM.match(text, start)) is not None:
            words = MEMORABLE.search(text, max(0, start - MAX_JOINED), start)
            is_name = words is not None and not any(map(is_result, re.findall(r"[A-Za-z]+", words[0])))
            yield Span(words.start() if words is not None and is_name else start, match.end(), "name")
            start = lower.find(identifier, match.end())


def _find_literally(text: str, name: str, kind: str) -> Iterator[Span]:
    """Yield where a name stands by itself and not within a longer word."""
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        if not text[end : end + 1].isalnum() and not text[max(0, start - 1) : start].isalnum():
            yield Span(start, end, kind)
        start = text.find(name, end)
