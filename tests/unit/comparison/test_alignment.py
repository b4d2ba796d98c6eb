"""What differs is found and counted: by bisection, as arrays, and aligned where the structure parts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import alignment, compare, tables
from reproof.comparison.alignment import find_first_difference, tally_differences
from reproof.comparison.tables import count_same_structure, count_zero_fields, subtract_tables
from reproof.errors import TraceError
from reproof.trace import RankTrace, open_trace

if TYPE_CHECKING:
    from pathlib import Path

NUM_STEPS = 23


def ranks(*folders: Path) -> tuple[RankTrace, ...]:
    """Return rank 0 of traces."""
    return tuple(open_trace(folder).ranks[0] for folder in folders)


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


class TestFirstDifference:
    """Bisection over the chains."""

    def test_every_place_is_found(self, run: Any, say: Any) -> None:
        """Wherever two traces part, that frame is found, although all frames after it are equal again."""
        baseline = ranks(run("a", *([say.data(f"d{step}")] for step in range(NUM_STEPS))))[0]
        for wanted in range(NUM_STEPS):
            steps = [[say.data("other" if step == wanted else f"d{step}")] for step in range(NUM_STEPS)]
            candidate = ranks(run(f"b{wanted}", *steps))[0]
            assert find_first_difference(baseline, candidate) == wanted

    @pytest.mark.parametrize("length", [0, 1, 7, NUM_STEPS])
    def test_a_prefix_has_no_difference(self, run: Any, say: Any, length: int) -> None:
        """Where one trace is the beginning of the other, its length is returned."""
        steps = [[say.data(f"d{step}")] for step in range(NUM_STEPS)]
        a, b = ranks(run("a", *steps), run("b", *steps[:length]))
        assert find_first_difference(a, b) == find_first_difference(b, a) == length

    def test_few_frames_are_looked_at(self, run: Any, say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """The number of chains read grows with the logarithm of the trace."""
        a, b = ranks(*(run(name, *([say.data(f"{name}{step // 500}")] for step in range(1000))) for name in "ab"))
        read: list[int] = []
        real = RankTrace.chain
        monkeypatch.setattr(RankTrace, "chain", lambda trace, index: read.append(index) or real(trace, index))
        assert find_first_difference(a, b) == 0
        assert len(read) <= 2 * 11

    @pytest.mark.parametrize("name", ["a", "b"])
    @pytest.mark.parametrize(("part", "offset"), [("frames", 64 + 3 * 64 + 40), ("digests", 64 + 3 * 16 + 5)])
    def test_damage_at_the_first_difference_is_no_difference(
        self, run: Any, say: Any, name: str, part: str, offset: int
    ) -> None:
        """A flipped bit where the runs seem to part is an error, never a finding about the training."""
        steps = [[say.data(f"d{step}")] for step in range(8)]
        folders = {"a": run("a", *steps), "b": run("b", *steps[:3], [say.data("x")], *steps[4:])}
        flip(folders[name] / f"rank0.{part}", offset)
        with pytest.raises(TraceError, match="is damaged: frame 3"):
            tally_differences(*ranks(*folders.values()), 5)

    @pytest.mark.parametrize("frame", range(8))
    def test_a_damaged_chain_is_no_divergence(self, run: Any, say: Any, frame: int) -> None:
        """A chain that differs where nothing else does is not looked at, or an error: never a divergence."""
        steps = [[say.data(f"d{step}")] for step in range(8)]
        folders = run("a", *steps), run("b", *steps)
        flip(folders[1] / "rank0.frames", 64 + frame * 64 + 40)
        try:
            verdict = compare(*folders).verdict
        except TraceError as error:
            assert f"is damaged: frame {frame}" in str(error)  # noqa: PT017  # either may happen
        else:
            assert verdict == "identical"
            assert frame not in {4, 7}, "what bisection looks at first, and what opening checks"


class TestCountEqualFields:
    """Tables of digests are compared column by column."""

    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [
            (b"", b"", [0]),
            (b"x" * 16, b"x" * 16, [1]),
            (b"x" * 16, b"y" * 16, [0]),
            (b"x" * 64, b"x" * 64, [2, 2]),
            (b"x" * 32 + b"y" * 32, b"x" * 48 + b"y" * 16, [1, 2]),
            (b"y" + b"x" * 30 + b"y", b"z" + b"x" * 30 + b"z", [0, 0]),
            (b"y" + b"x" * 46 + b"y", b"z" + b"x" * 46 + b"z", [0, 1]),
            (bytes(32), bytes(15) + b"\x01" + bytes(16), [0, 1]),
        ],
    )
    def test_known_tables(self, a: bytes, b: bytes, expected: list[int]) -> None:
        """Equal bytes that straddle two digests are no equal digest."""
        assert count_zero_fields(subtract_tables(a, b), len(expected)) == expected


def tally_of(folders: tuple[Path, Path], limit: int = 5) -> dict[str, Any]:
    """Return what was counted, as plain values."""
    tally = vars(tally_differences(*ranks(*folders), limit))
    return {key: dict(value) if isinstance(value, dict) else value for key, value in tally.items()}


class TestArraysAndAlignment:
    """Equal structure is compared as arrays, and otherwise event by event: the answer is the same."""

    @pytest.mark.parametrize("limit", [1, 5, 100])
    @pytest.mark.parametrize("chunk", [1, 3, 65536])
    def test_both_ways_count_the_same(
        self, run: Any, say: Any, monkeypatch: pytest.MonkeyPatch, limit: int, chunk: int
    ) -> None:
        """Counts, places and order do not depend on which way is taken, nor on how many frames are taken at a time."""
        steps = [[say.order(f"o{i}"), say.data(f"d{i}"), say.skipped("x"), say.label(i)] for i in range(NUM_STEPS)]
        others = [[say.order(f"o{i}"), say.data("?"), say.skipped("x"), say.label(i % 3)] for i in range(NUM_STEPS)]
        mixed = [others[i] if i in {4, 9, 10, 22} else steps[i] for i in range(NUM_STEPS)]
        folders = run("a", *steps), run("b", *mixed)
        monkeypatch.setattr(tables, "CHUNK_FRAMES", chunk)
        as_arrays, comparison = tally_of(folders, limit), compare(*folders, max_differences=limit)
        monkeypatch.setattr(alignment, "tally_tables", lambda *_: 0)
        assert tally_of(folders, limit) == as_arrays
        assert compare(*folders, max_differences=limit) == comparison
        assert as_arrays["differing"] == {"batch": 8}

    def test_several_layouts_are_compared_as_arrays(self, run: Any, say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A first step with more events, and now and then one of another loader, cost nothing of the speed."""
        steps = [[say.data(f"d{i}"), *([say.data(f"v{i}", loader=1)] if i % 5 == 0 else [])] for i in range(NUM_STEPS)]
        others = [*steps[:7], *([say.data("x"), *step[1:]] for step in steps[7:])]
        folders = run("a", *steps), run("b", *others)
        monkeypatch.setattr(alignment, "_align_step", None)
        monkeypatch.setattr(alignment, "_compare_frames", None)
        tally = tally_of(folders, 2)
        assert (tally["compared"], tally["differing"]) == ({"batch": 28}, {"batch": 16})
        assert [pair.step for pair in tally["pairs"]] == [7, 8]

    def test_equal_layouts_of_other_numbers_are_the_same_structure(self, run: Any, say: Any) -> None:
        """Layouts are numbered as they come: what counts is what they hold."""
        a, b = [say.data("d")], [say.label(1)]
        traces = ranks(run("a", b, a, b, a), run("b", a, a, b, a))
        assert count_same_structure(*traces, range(4), range(4)) == 0
        assert count_same_structure(*traces, range(1, 4), range(1, 4)) == 3

    def test_frames_of_other_steps_are_not_compared(self, tmp_path: Path, frames_writer: Any, say: Any) -> None:
        """Frames that only stand in the same place are not taken for the same step."""
        a = frames_writer(tmp_path / "a", [(step, 1, [say.data(f"d{step}")]) for step in (0, 0, 2)])
        b = frames_writer(tmp_path / "b", [(step, 1, [say.data(f"d{step}")]) for step in (0, 1, 2)])
        tally = tally_of((a, b))
        assert tally["compared"] == {"batch": 2}
        assert tally["differing"] == {}
        assert [(extra.step, extra.is_in_baseline) for extra in tally["extras"]] == [(0, True), (1, False)]

    def test_after_an_extra_step_frames_are_compared_as_arrays_again(
        self, run: Any, say: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One step that only one run has costs an alignment or two, and the frames after it find their counterparts."""
        steps = [[say.data(f"d{i}")] for i in range(200)]
        others = [*steps[:3], [], *steps[4:90], [say.data("x")], *steps[91:]]
        aligned: list[int] = []
        real = alignment._tally_step
        monkeypatch.setattr(
            alignment, "_tally_step", lambda a, b, *at_and_tally: aligned.append(1) or real(a, b, *at_and_tally)
        )
        tally = tally_of((run("a", *steps), run("b", *others)))
        assert (tally["compared"], tally["differing"], tally["num_extras"]) == ({"batch": 199}, {"batch": 1}, 1)
        place = tally["pairs"][0]
        assert (place.step, place.baseline.frame, place.candidate.frame) == (90, 90, 89)
        assert len(aligned) <= 2

    def test_structure_that_is_never_the_same_is_aligned(self, run: Any, say: Any) -> None:
        """Every step of one run has an event more: arrays are tried seldom, and the counts are right."""
        steps = [[say.data(f"d{i}")] for i in range(300)]
        tally = tally_of((run("a", *steps), run("b", *([*step, say.label(1)] for step in steps))))
        assert (tally["compared"], tally["differing"], tally["num_extras"]) == ({"batch": 300}, {}, 300)

    def test_digests_that_do_not_fill_their_layout_are_damage(self, run: Any, say: Any) -> None:
        """Frames in the middle of a table are held against its size."""
        steps = [[say.data(f"d{i}"), say.label(i)] for i in range(9)]
        folders = run("a", *steps), run("b", [say.data("x"), say.label(0)], *steps[1:])
        names = (
            (folders[0] / "rank0.names").read_text().replace('{"layout":0,"events":[0,1]}', '{"layout":0,"events":[0]}')
        )
        for folder in folders:
            (folder / "rank0.names").write_text(names)
        with pytest.raises(TraceError, match="does not fit its layout"):
            tally_differences(*ranks(*folders), 5)

    def test_what_stands_in_the_place_of_a_missing_digest_is_never_compared(self, run: Any, say: Any) -> None:
        """Bytes of an event without digest are no evidence, in arrays and in single frames."""
        steps = {name: [[say.skipped("x", content=name), say.data("d")], [say.data(name)]] for name in "ab"}
        parted = {"a": [say.data("d")], "b": [say.data("d"), say.label(1)]}
        as_arrays = run("a", *steps["a"]), run("b", *steps["b"])
        as_frames = run("c", parted["a"], *steps["a"]), run("d", parted["b"], *steps["b"])
        for folders in (as_arrays, as_frames):
            tally = tally_of(folders)
            assert tally["differing"] == {"batch": 1}
            assert [pair.event.name for pair in tally["pairs"]] == ["loader0(100)[0]"]


class TestAlignment:
    """Events that only one run has do not shift the others."""

    def test_an_extra_event_is_named_and_the_rest_compared(self, run: Any, say: Any) -> None:
        """One more batch in one step leaves every other event with its counterpart."""
        steps = [[say.data(f"d{i}")] for i in range(6)]
        more = [*steps[:2], [say.data("d2"), say.data("extra", loader=1)], *steps[3:]]
        tally = tally_of((run("a", *steps), run("b", *more)))
        assert (tally["compared"], tally["differing"], tally["num_extras"]) == ({"batch": 6}, {}, 1)
        extra = tally["extras"][0]
        assert (extra.step, extra.event.name, extra.is_in_baseline) == (2, "loader1(100)[0]", False)

    def test_a_missing_event_is_named(self, run: Any, say: Any) -> None:
        """The same, the other way round."""
        steps = [[say.data(f"d{i}"), say.label(i)] for i in range(4)]
        tally = tally_of((run("a", *steps), run("b", *steps[:2], steps[2][:1], steps[3])))
        assert [(e.step, e.event.name, e.is_in_baseline) for e in tally["extras"]] == [(2, "loader0(100)[1]", True)]
        assert tally["compared"] == {"batch": 7}

    def test_a_step_that_only_one_run_has(self, run: Any, say: Any) -> None:
        """A step in which one run recorded nothing does not shift the steps after it."""
        steps = [[say.data(f"d{i}")] for i in range(5)]
        tally = tally_of((run("a", *steps), run("b", *steps[:2], [], *steps[3:])))
        assert [(extra.step, extra.is_in_baseline) for extra in tally["extras"]] == [(2, True)]
        assert (tally["compared"], tally["differing"]) == ({"batch": 4}, {})

    def test_events_of_one_name_are_told_apart_by_occurrence(self, run: Any, say: Any) -> None:
        """The second of three batches of a step is compared with the second, not with the first that is left."""
        baseline = [say.data("x"), say.data("y"), say.data("z")]
        tally = tally_of((run("a", baseline), run("b", [*baseline[:1], say.data("?"), baseline[2], say.data("w")])))
        assert [(pair.baseline.position, pair.candidate.position) for pair in tally["pairs"]] == [(1, 1)]
        assert (tally["compared"], tally["num_extras"]) == ({"batch": 3}, 1)

    def test_occurrences_count_over_the_frames_of_a_step(self, tmp_path: Path, frames_writer: Any, say: Any) -> None:
        """A step of several frames is aligned as one, and equal frames at its start keep their count."""
        first = [say.data("x"), say.data("y")]
        a = frames_writer(tmp_path / "a", [(0, 0, first), (0, 1, [say.data("p"), say.label(1)])])
        b = frames_writer(tmp_path / "b", [(0, 0, first), (0, 1, [say.data("q")])])
        tally = tally_of((a, b))
        assert (tally["compared"], tally["differing"], tally["num_extras"]) == ({"batch": 3}, {"batch": 1}, 1)

    def test_events_in_another_order_are_compared_and_noted(self, run: Any, say: Any) -> None:
        """Two loaders that take turns the other way round have equal bits, and another order of events."""
        both = [say.data("x"), say.data("y", loader=1)]
        tally = tally_of((run("a", both, both, both), run("b", both, both[::-1], both[::-1])))
        assert (tally["differing"], tally["num_extras"], tally["reordered_step"]) == ({}, 0, 1)

    def test_the_same_order_is_not_noted(self, run: Any, say: Any) -> None:
        """An extra event between two others does not change their order."""
        both = [say.data("x"), say.data("y", loader=1)]
        tally = tally_of((run("a", both), run("b", [both[0], say.label(1), both[1]])))
        assert (tally["num_extras"], tally["reordered_step"]) == (1, None)

    def test_digests_of_two_algorithms_are_not_compared(self, run: Any, say: Any) -> None:
        """Evidence of different kinds is named, and counted neither as compared nor as differing."""
        a, b = (say.named("x", name, algorithm=f"alg{name}") for name in "ab")
        tally = tally_of((run("a", [a, say.data("d")]), run("b", [b, say.data("d")])))
        assert tally["other_algorithm"] == {"x"}
        assert (tally["compared"], tally["differing"]) == ({"batch": 1}, {})

    def test_the_limit_bounds_what_is_kept_and_not_what_is_counted(self, run: Any, say: Any) -> None:
        """A million differences are counted, and five described."""
        a = run("a", *([say.data(f"a{i}"), say.label(1)] for i in range(20)))
        b = run("b", *([say.data(f"b{i}"), say.data("x", loader=i + 1)] for i in range(20)))
        tally = tally_of((a, b), 3)
        assert (len(tally["pairs"]), tally["differing"]) == (3, {"batch": 20})
        assert (len(tally["extras"]), tally["num_extras"]) == (3, 40)

    @pytest.mark.parametrize("others", [[], [("other c", "e")]])
    def test_what_is_left_at_the_end_is_kept_beyond_the_limit(self, run: Any, say: Any, others: list[Any]) -> None:
        """Copies of states are told apart among all of it, so none may be missing."""
        folders = []
        for name in "ab":
            left = [say.named(what, content, stage="final") for what, content in (("other a", "c"), ("other b", name))]
            more = [say.named(what, f"{content}{name}", stage="final") for what, content in others]
            folders.append(run(name, *([say.data(f"{name}{i}")] for i in range(4)), [*left, *more]))
        tally = tally_of((folders[0], folders[1]), 1)
        assert [pair.event.name for pair in tally["left"]] == ["other b", *(what for what, _ in others)]
        assert (len(tally["pairs"]), tally["differing"]) == (1, {"batch": 4, "final": 1 + len(others)})

    def test_extras_of_a_step_come_in_their_order(self, run: Any, say: Any) -> None:
        """Those of the baseline first, in the order in which they happened; what is left after the training, last."""
        extra = [say.data("p", loader=3), say.named("other x", "l", stage="final"), say.data("q", loader=4)]
        tally = tally_of((run("a", [say.data("d"), *extra]), run("b", [say.label(5), say.data("d")])))
        names = [(found.event.name, found.is_in_baseline) for found in tally["extras"]]
        assert names[:2] == [("loader3(100)[0]", True), ("loader4(100)[0]", True)]
        assert [name for name, _ in names[2:]] == ["loader0(100)[1]", "other x"]


def test_a_comparison_does_not_depend_on_which_run_comes_first(run: Any, say: Any) -> None:
    """Baseline and candidate exchanged: the same verdict, the same place, the same counts."""
    a = run("a", *([say.data(f"d{i}"), say.label(i)] for i in range(9)))
    b = run("b", *([say.data(f"d{i}"), say.label(i + (i == 6)), *([say.order("o")] * (i == 3))] for i in range(9)))
    forth, back = compare(a, b), compare(b, a)
    exchanged = dataclasses.replace(back, runs=back.runs[::-1], structure=(), first=None, differences=())
    assert dataclasses.replace(forth, structure=(), first=None, differences=()) == exchanged
    assert forth.first is not None
    assert back.first is not None
    assert (forth.first.step, forth.first.name, forth.first.baseline) == (6, back.first.name, back.first.candidate)
