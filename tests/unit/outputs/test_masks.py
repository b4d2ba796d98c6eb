"""The list of known noise: it hides no result, and most of what trainers print about time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from reproof.outputs import dates, masks, vocabulary
from reproof.outputs.masks import MAX_MASKED_CHARACTERS, mask_line, mask_name
from reproof.outputs.surroundings import Surroundings

try:
    from re import _constants as constants  # type: ignore[attr-defined]  # Python 3.11
    from re import _parser as parser
except ImportError:
    import sre_constants as constants
    import sre_parse as parser

HERE: Final = Path(__file__).parent
ALTERNATIVES: Final = re.compile(r"(?<!\|)\{([^{}]{1,80}?)\|([^{}|]{1,80})\}")

BEGAN: Final = 1_795_983_060  # 2026-11-29 20:11:00 UTC
BASELINE: Final = Surroundings(
    began_at=BEGAN,
    ended_at=BEGAN + 60,
    process_ids=(4242, 4243),
    nearby_ids=(4242, 4300),
    identifiers=("3fa9c1",),
    host="node17",
    user="ada",
    temporary=("/tmp/tmpab12cd_9",),  # noqa: S108  # a name, and no file
    folder="/home/ada/project",
)
CANDIDATE: Final = Surroundings(
    began_at=BEGAN + 1200,
    ended_at=BEGAN + 1260,
    process_ids=(5353, 5354),
    host="node17",
    user="ada",
    temporary=("/tmp/tmpxyz98765",),  # noqa: S108
    folder="/home/ada/project",
)


def read_pairs(name: str) -> list[tuple[str, str]]:
    """Return the lines of a list as two runs would print them."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [(ALTERNATIVES.sub(r"\1", line), ALTERNATIVES.sub(r"\2", line)) for line in lines]


def mask_both(pair: tuple[str, str]) -> tuple[str, str]:
    """Return the masked lines of both runs."""
    return mask_line(pair[0], BASELINE)[0], mask_line(pair[1], CANDIDATE)[0]


def show(pair: tuple[str, str]) -> str:
    """Return the name of a case."""
    return pair[0].strip()[:60]


RESULTS: Final = read_pairs("results.txt")
NOISE: Final = read_pairs("noise.txt")


def test_the_lists_are_long_enough() -> None:
    """Each line of the lists has two versions, and there are as many lines as were asked for."""
    assert all(first != second for first, second in RESULTS + NOISE)
    assert len(RESULTS) >= 60
    assert len(NOISE) >= 80


@pytest.mark.parametrize("pair", RESULTS, ids=show)
def test_a_line_that_states_a_result_is_never_hidden(pair: tuple[str, str]) -> None:
    """Two lines with other results stay different."""
    first, second = mask_both(pair)
    assert first != second


def test_most_noise_of_trainers_is_masked() -> None:
    """Of what well-known trainers print about time, at least nine lines of ten need no third run."""
    left = [pair[0] for pair in NOISE if len(set(mask_both(pair))) > 1]
    assert len(left) <= len(NOISE) // 10, left


def test_blanks_count_as_one() -> None:
    """A number that is aligned to the right moves no word."""
    assert mask_line("a   1.5   b", BASELINE) == ("a 1.5 b", 0)


def test_places_are_counted() -> None:
    """The number of masked places comes with the line."""
    assert mask_line("pid 4242 took 3.2 s", BASELINE) == ("pid <process> took <duration>", 2)


class TestSurroundings:
    """What belongs to the run alone is masked, and the like of it is not."""

    @pytest.mark.parametrize(
        "line",
        [
            "2024-05-06 07:08:09 start",
            "1595983072.1 start",
            "pid 999 here",
            "in /tmp/tmpother123",
            "node18",
            "at mynode17 it is",
            "on 05/06/2024",
            "23:59:59 x",
            "[step 4250]",
            "epoch-4250",
            "worker 4250",
            "process 4250 rows",
            "pid 4301",
            "3fa9c2ab",
            "julian 2461375.34111",
            "2461374.34",
            "2461374.341111.2",
        ],
    )
    def test_what_is_not_of_the_run_stays(self, line: str) -> None:
        """Dates, process numbers and names of others are kept."""
        assert mask_line(line, BASELINE) == (line, 0)

    def test_a_day_around_the_run_counts_as_within_it(self) -> None:
        """A date in another time zone is the run's."""
        assert mask_line("2026-11-30 05:11:12", BASELINE)[0] == "<date>"
        assert mask_line("2026-12-02 05:11:12", BASELINE)[0] == "2026-12-02 05:11:12"

    def test_the_working_folder_is_masked_with_its_end(self) -> None:
        """A folder whose name merely begins like that is another."""
        assert mask_line("in /home/ada/project/out", BASELINE)[0] == "in <folder>/out"
        assert mask_line("in /home/ada/projects", BASELINE)[0] == "in /home/<user>/projects"

    def test_a_temporary_path_is_masked_as_a_whole(self) -> None:
        """The folder in which it lies may be the run's own too; within another folder its name is."""
        assert mask_line("in /tmp/tmpab12cd_9/x", BASELINE)[0] == "in <temporary>/x"
        assert mask_line("in out/tmpab12cd_9.log", BASELINE)[0] == "in out/<temporary>.log"

    @pytest.mark.parametrize(
        ("line", "masked"),
        [
            ("[4243] step 4250", "[<process>] step 4250"),
            ("[pid 4250] step 4250", "[pid <process>] step 4250"),
            ("INFO 4242 epoch 4250", "INFO <process> epoch 4250"),
            ("loss 4242.5, 4242/5000, 1,4242", "loss 4242.5, 4242/5000, 1,4242"),
            ("PID: 4250, ppid=4251", "PID: <process>, ppid=<process>"),
            ("log.pid4250.txt", "log.pid<process>.txt"),
        ],
    )
    def test_another_number_of_the_time_is_a_process_only_where_it_is_called_so(self, line: str, masked: str) -> None:
        """The system has given it to some program meanwhile; it may as well be a step."""
        assert mask_line(line, BASELINE)[0] == masked

    @pytest.mark.parametrize(
        ("line", "masked"),
        [
            ("run 3fa9c1ab", "run <name>"),
            ("3FA9C1AB-12cd-4e5f-8a9b-0123456789ab ends", "<name> ends"),
            ("amber-badger-3fa9c1: loss 0.5", "<name>: loss 0.5"),
            ("logs/x-amber_badger-3fa9c1", "logs/<name>"),
            ("run 3fa9c1_calm", "run <name>_calm"),
            ("cat-3fa9c1.png", "cat-<name>.png"),
            ("top-accuracy-3fa9c1", "top-accuracy-<name>"),
            ("v2-3fa9c1", "v2-<name>"),
            ("acc_91_calm_crane-3fa9c1", "acc_91_<name>"),
            ("best_3fa9c1ab_acc_91", "best_<name>_acc_91"),
            ("3fa9c1ab-9123", "<name>-9123"),
            ("3fa9c1: 3fa9c1", "<name>: <name>"),
        ],
    )
    def test_random_digits_give_way_with_the_words_of_a_made_up_name(self, line: str, masked: str) -> None:
        """A result that is joined to them stays."""
        assert mask_line(line, BASELINE)[0] == masked
        assert mask_name(line, BASELINE) == masked

    def test_julian_days_are_the_runs_within_it(self) -> None:
        """As SQLite counts the days."""
        assert mask_line("at 2461374.341111", BASELINE)[0] == "at <date>"

    def test_a_number_of_one_digit_is_no_process(self) -> None:
        """Process 1 of a container says nothing."""
        known = Surroundings(began_at=0, ended_at=1, process_ids=(1,))
        assert mask_line("process 1 of 8", known) == ("process 1 of 8", 0)


class TestNames:
    """Names of files."""

    @pytest.mark.parametrize(
        ("name", "masked"),
        [
            ("run_20261129_201112_123456/last.pt", "run_<date>/last.pt"),
            ("runs/CartPole__1__1795983072/x", "runs/CartPole__1__<date>/x"),
            ("out/runs/Nov29_20-11-12_node17/a", "out/runs/<date>_<host>/a"),
            ("events.out.tfevents.1795983072.node17.4242.0", "events.out.tfevents.<date>.<host>.<process>.0"),
            ("step_000006.pt.tmp4242", "step_000006.pt.tmp<process>"),
            ("tmpab12cd_9/x.bin", "<temporary>/x.bin"),
            ("2026-11-29/20-11-12/a.log", "<date>/a.log"),
            ("best_acc0.91.pt", "best_acc0.91.pt"),
            ("checkpoint-4000/model.pt", "checkpoint-4000/model.pt"),
            ("data_2019-03-04.csv", "data_2019-03-04.csv"),
        ],
    )
    def test_a_name_without_what_is_the_runs(self, name: str, masked: str) -> None:
        """Times, host, processes and temporary names give way; results, steps and foreign dates stay."""
        assert mask_name(name, BASELINE) == masked


def iterate_patterns() -> list[tuple[str, str]]:
    """Return all patterns that are tried on a line."""
    found = [(rule.kind, rule.pattern.pattern) for rule in masks.RULES]
    found += [("date", pattern.pattern) for pattern in dates.DATES]
    for module in (masks, dates, vocabulary):
        found += [(name, value.pattern) for name, value in vars(module).items() if isinstance(value, re.Pattern)]
    return found


def count_tries(tree: Any, depth: int = 0) -> int:
    """Return a bound on the ways in which a pattern can match from one position; raises AssertionError without one."""
    ways = 1
    for operator, argument in tree:
        if operator in {constants.MAX_REPEAT, constants.MIN_REPEAT}:
            low, high, inner = argument
            assert high is not constants.MAXREPEAT, "a repeat without a bound"
            inner_ways = count_tries(inner, depth + 1)
            ways *= (high - low + 1) if inner_ways == 1 else sum(inner_ways**n for n in range(low, min(high, 12) + 1))
            assert inner_ways == 1 or high <= 12, "a long repeat of what can match in several ways"
        elif operator is constants.SUBPATTERN:
            ways *= count_tries(argument[3], depth + 1)
        elif operator is constants.BRANCH:
            ways *= sum(count_tries(branch, depth + 1) for branch in argument[1])
        elif operator in {constants.ASSERT, constants.ASSERT_NOT}:
            ways *= count_tries(argument[1], depth + 1)
    return ways


@pytest.mark.parametrize(("name", "pattern"), iterate_patterns())
def test_no_pattern_has_a_repeat_without_a_bound(name: str, pattern: str) -> None:
    """From one position a pattern looks at a bounded stretch of the line, so a line costs time linear in its length."""
    count_tries(parser.parse(pattern))


class Counting(str):
    """A line that cannot be masked without being looked at."""

    __slots__ = ()

    def __getitem__(self, _: object) -> str:
        """Fail."""
        raise AssertionError("it was looked at")


def test_a_very_long_line_is_not_looked_at() -> None:
    """A line beyond the limit is compared as it is."""
    line = Counting("took 3.2 s " * (MAX_MASKED_CHARACTERS // 10))
    assert mask_line(line, BASELINE) == (line, 0)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    ["1", "1,", "1:", "a", "_", " ", "time ", "time: ", "loss ", "2026-11-29 ", "[", "|", "1.", "=", "total_", "%|"],
)
def test_a_hostile_line_ends(piece: str) -> None:
    """A line of one piece repeated, of the greatest length that is looked at, is masked at all."""
    mask_line((piece * MAX_MASKED_CHARACTERS)[:MAX_MASKED_CHARACTERS], BASELINE)


def test_a_port_of_this_machine_is_masked() -> None:
    """Those of another machine, and what only looks like one, are not."""
    assert mask_line("peer [127.0.0.1]:9439.", BASELINE) == ("peer [127.0.0.1]:<port>.", 1)
    assert mask_line("http://localhost:43817/ up", BASELINE) == ("http://localhost:<port>/ up", 1)
    for line in ("10.0.0.7:9439", "localhost:80", "localhost:9439.5", "ratio localhost: 9439"):
        assert mask_line(line, BASELINE) == (line, 0)
