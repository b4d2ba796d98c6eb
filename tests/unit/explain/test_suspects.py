"""Which sources of entropy may have made two runs differ."""

from __future__ import annotations

from typing import Any

from reproof.entropy.ledger import Source
from reproof.explain.suspects import Suspect, collect_suspects, rank


def source(key: str, values: list[Any], *, kind: str = "wall-clock", step: int = 0, note: str | None = None) -> Source:
    """Return what one process read from one place."""
    name, _, line = key.partition("@")
    file, _, number = line.partition(":")
    notes = [] if note is None else [{"note": note, "key": key}]
    return Source(
        key=key,
        kind=kind,
        source=name,
        file=file if number else None,
        line=int(number.partition("#")[0]) if number else None,
        values=values,
        steps=[step] * len(values),
        notes=notes,
    )


def ledgers(*sources: Source, process: str = "0") -> dict[str, dict[str, Source]]:
    """Return the ledger of one process."""
    return {process: {each.key: each for each in sources}}


def keys(suspects: list[Suspect]) -> list[str]:
    """Return the keys of suspects."""
    return [suspect.key for suspect in suspects]


class TestCollecting:
    """`collect_suspects`."""

    def test_equal_reads_are_no_suspects(self) -> None:
        """A source that gave both runs the same values cannot make them differ."""
        a = ledgers(source("time.time@train.py:3", [1.0]), source("os.getpid@train.py:4", [7]))
        b = ledgers(source("time.time@train.py:3", [2.0]), source("os.getpid@train.py:4", [7]))
        assert keys(collect_suspects(a, b, 0)) == ["time.time@train.py:3"]

    def test_a_read_that_only_one_run_made_is_a_suspect(self) -> None:
        """The other run may have gone another way because of it."""
        assert keys(collect_suspects({}, ledgers(source("os.urandom@a.py:1", ["00"])), 0)) == ["os.urandom@a.py:1"]

    def test_what_was_first_read_after_the_divergence_is_none(self) -> None:
        """A cause comes before its effect."""
        a, b = (ledgers(source("time.time@a.py:1", [value], step=5)) for value in (1.0, 2.0))
        assert collect_suspects(a, b, 4) == []
        assert keys(collect_suspects(a, b, 5)) == ["time.time@a.py:1"]

    def test_tasks_of_one_line_are_one_suspect(self) -> None:
        """They were handed in together, and are replayed together; so is what the line itself read."""
        names = [f"chance@train.py:3{task}" for task in ("#future0", "#future1", "")]
        a, b = (ledgers(*(source(name, [value]) for name in (*names, "chance@train.py:4"))) for value in (1.0, 2.0))
        first, second = collect_suspects(a, b, 0)
        assert (first.keys, second.keys) == (tuple(names), ("chance@train.py:4",))

    def test_what_was_read_of_a_state_goes_with_the_generator(self) -> None:
        """It follows from the generator's first state, and is replayed with it; alone it is a suspect of its own."""
        read, start = "numpy.random.get_state@train.py:3", "numpy.random@start"
        a, b = (
            ledgers(*(source(key, [value], kind="unseeded-rng") for key in (read, start, "random.getstate@a.py:1")))
            for value in ("00", "11")
        )
        found = collect_suspects(a, b, 0)
        assert keys(found) == [start, "random.getstate@a.py:1"]
        assert [suspect.keys for suspect in found] == [(start, read), ("random.getstate@a.py:1",)]

    def test_a_generator_from_which_nobody_drew_is_none(self) -> None:
        """Its first state differs in every run, and nothing depends on it."""
        unused = [ledgers(source("torch@start", [state], kind="unseeded-rng", note="unused")) for state in ("00", "11")]
        used = [ledgers(source("torch@start", [state], kind="unseeded-rng")) for state in ("00", "11")]
        assert collect_suspects(*unused, 0) == []
        assert keys(collect_suspects(*used, 0)) == ["torch@start"]

    def test_a_generator_that_one_worker_used_is_one(self) -> None:
        """Unused in the main process does not mean unused everywhere."""
        runs = []
        for state in ("00", "11"):
            main = ledgers(source("random@start", [state], kind="unseeded-rng", note="unused"))
            worker = ledgers(source("random@start", [state], kind="unseeded-rng"), process="0.1")
            runs.append(main | worker)
        assert keys(collect_suspects(*runs, 0)) == ["random@start"]


class TestRanking:
    """`rank`."""

    @staticmethod
    def suspect(key: str, kind: str, **options: Any) -> Suspect:
        """Return a suspect."""
        return Suspect(key=key, kind=kind, source=key, **options)

    def test_generators_come_before_clocks_and_names(self) -> None:
        """Clocks and process numbers mostly stamp log lines."""
        clock, pid = self.suspect("t", "wall-clock"), self.suspect("p", "process-identity")
        generator = self.suspect("g", "unseeded-generator")
        assert keys(rank([clock, pid, generator], 0)) == ["g", "p", "t"]

    def test_what_a_package_reads_comes_later(self) -> None:
        """The user's own lines first."""
        through = self.suspect("a", "wall-clock", through="tqdm")
        assert keys(rank([through, self.suspect("b", "wall-clock")], 0)) == ["b", "a"]

    def test_the_step_of_a_late_divergence_counts_most(self) -> None:
        """What was read from the start would have shown before."""
        early = self.suspect("a", "unseeded-generator", first_step=0)
        late = self.suspect("b", "wall-clock", first_step=17)
        assert keys(rank([early, late], 17)) == ["b", "a"]
        assert keys(rank([early, late], 18)) == ["a", "b"]
