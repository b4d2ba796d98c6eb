"""How one event differs is said in words, and how far in numbers."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from reproof.closeness import (
    agree_within,
    explain_exact,
    explain_order,
    explain_samples,
    explain_statistics,
    measure,
    same_bits,
    show_values,
    ulp_distance,
)
from reproof.comparison import compare
from reproof.schema import Difference, Numbers

NAN, INF = math.nan, math.inf
OTHER_NAN = struct.unpack("<d", b"\x01\x00\x00\x00\x00\x00\xf8\x7f")[0]


def exact(*values: float | str, typecode: str = "d") -> Numbers:
    """Return numbers kept exactly."""
    return Numbers("exact", typecode, values)


def first_difference(*folders: Any) -> Difference:
    """Return the first divergence of two runs that have one."""
    first = compare(*folders).first
    assert first is not None
    return first


@pytest.mark.parametrize(
    ("step", "part", "count"), [(0, "init", 1), (0, "batch", 1), (0, "loss", 3), (1, "batch", 5), (1, "loss", 7)]
)
def test_the_events_before_a_divergence_are_counted(step: int, part: str, count: int, run: Any, say: Any) -> None:
    """Without initial states, which are put before what was recorded earlier; those count only among themselves."""

    def make(name: str, at: int) -> Any:
        steps = []
        for number in (0, 1):
            content = {one: f"{one}{number}{name if (number, one) == (at, part) else ''}" for one in ("batch", "loss")}
            own = name if (number, part) == (at, "init") else ""
            initial = [say.named("w", "1", stage="init"), say.named("b", f"2{own}", stage="init")]
            rest = [say.data(content["batch"]), say.label(1), say.named("loss", content["loss"], stage="loss")]
            steps.append([*(initial if number == 0 else ()), say.order("", 1, 2), *rest])
        return run(name, *steps)

    assert first_difference(make("a", step), make("b", step)).num_events == count


class TestOrder:
    """The loader drew other indices."""

    def test_the_same_samples_in_another_order(self, run: Any, say: Any) -> None:
        """A permutation is told from other samples, at the first batch that it touches."""
        drawn = list(range(64))
        a = run("a", [say.order("", *drawn), say.data("x")])
        b = run("b", [say.order("", *drawn[::-1]), say.data("y")])
        first = first_difference(a, b)
        assert (first.step, first.stage, first.detail, first.name) == (0, "batch", "order", "loader0(100) indices")
        assert first.explanation == "the same 64 samples in another order"
        assert first.baseline == "[0, 1, 2, 3, 4, 5, 6, 7, …]"
        assert (first.max_abs, first.max_ulp) == (None, None), "the distance of two indices says nothing"

    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [
            ((1, 2, 3), (3, 1, 2), "the same 3 samples in another order"),
            ((1, 1, 2), (1, 2, 2), "1 of 3 samples is another"),
            ((1, 2, 3), (4, 5, 3), "2 of 3 samples are others"),
            ((1,), (2,), "1 of 1 sample is another"),
            ((1, 2, 3), (1, 2), "3 samples drawn against 2"),
            ((1, 2), (1, 2), "the same 2 samples, drawn in another form"),
            ((), (1,), "0 samples drawn against 1"),
        ],
    )
    def test_words(self, a: tuple[int, ...], b: tuple[int, ...], expected: str) -> None:
        """Order, other samples, and another number of samples are told apart; samples drawn twice count twice."""
        assert explain_order(a, b) == expected

    def test_without_indices_the_digests_are_shown(self, run: Any, say: Any) -> None:
        """Keys of which no numbers were kept still differ."""
        first = first_difference(run("a", [say.order("k1")]), run("b", [say.order("k2")]))
        assert (first.detail, first.explanation) == ("order", None)
        assert len(first.baseline) == len(first.candidate) == 32
        assert first.baseline != first.candidate


class TestContent:
    """The loader drew the same indices and got other data."""

    def test_a_sample_is_named_with_its_index(self, run: Any, say: Any) -> None:
        """Position in the batch and index in the data set of the one sample that is different."""
        indices, prints = range(100, 164), list(range(1, 65))
        changed = [*prints[:17], 99, *prints[18:]]
        a = run("a", [say.order("", *indices), say.data("x", *prints), say.label(*range(64))])
        b = run("b", [say.order("", *indices), say.data("y", *changed), say.label(*range(64))])
        first = first_difference(a, b)
        assert (first.detail, first.name) == ("content", "loader0(100)[0]")
        assert first.explanation == "sample 17 (index 117) of 64 has other content"

    def test_the_indices_are_those_of_the_nearest_batch(self, run: Any, say: Any) -> None:
        """With several batches and loaders in a step, each tensor belongs to the draw of its own loader before it."""
        steps = {
            name: [
                say.order("", 1, 2),
                say.data("p", 5, 6),
                say.order("", 3, 4),
                say.order("", 8, 9, loader=1),
                say.data(name, 5, samples),
            ]
            for name, samples in (("a", 6), ("b", 7))
        }
        first = first_difference(*(run(name, step) for name, step in steps.items()))
        assert first.explanation == "sample 1 (index 4) of 2 has other content"

    def test_the_indices_are_those_of_the_baseline(self, run: Any, say: Any) -> None:
        """Where both loaders drew others, a sample is called by what the baseline's was."""
        a = run("a", [say.label(9), say.order("", 1, 2), say.data("p", 5, 6)])
        b = run("b", [say.named("w", "1", "init"), say.label(9), say.order("", 3, 4), say.data("q", 5, 7)])
        order, content = compare(a, b).differences
        assert content.explanation == "sample 1 (index 2) of 2 has other content"
        assert order.num_events == 1

    @pytest.mark.parametrize("is_late", [False, True])
    def test_indices_that_are_not_known_are_not_named(self, run: Any, say: Any, *, is_late: bool) -> None:
        """Those that were drawn without being kept, and those that were drawn after the batch."""
        order = say.order("", 1, 2) if is_late else say.order("drawn")
        steps = {name: [order, say.data(name, 5, print_)] for name, print_ in (("a", 6), ("b", 7))}
        a, b = (run(name, step[::-1] if is_late else step) for name, step in steps.items())
        assert first_difference(a, b).explanation == "sample 1 of 2 has other content"

    @pytest.mark.parametrize(
        ("a", "b", "indices", "expected"),
        [
            ((1, 2, 3), (1, 9, 3), (), "sample 1 of 3 has other content"),
            ((1, 2, 3), (9, 9, 3), (7, 8, 9), "samples 0 (index 7), 1 (index 8) of 3 have other content"),
            ((1, 2, 3), (9, 9, 3), (7, 8), "samples 0, 1 of 3 have other content"),
            ((1, 2, 3), (3, 1, 2), (), "the same 3 samples in another order"),
            ((1, 2, 3), (7, 8, 9), (), "all 3 samples have other content"),
            ((1,), (2,), (4,), "sample 0 (index 4) of 1 has other content"),
            ((1, 2), (1, 2, 3), (), "2 samples against 3"),
            ((1, 2), (1, 2), (), None),
            (
                (0,) * 9,
                (*range(1, 8), 0, 0),
                (),
                "samples 0, 1, 2, 3, 4 and 2 more of 9 have other content",
            ),
        ],
    )
    def test_words(self, a: Any, b: Any, indices: Any, expected: str | None) -> None:
        """Few samples are named, many counted, and a permutation is one."""
        assert explain_samples(a, b, indices) == expected

    def test_labels_are_shown_and_counted(self, run: Any, say: Any) -> None:
        """Of labels the values are known: how many differ, and by how much."""
        first = first_difference(run("a", [say.label(1, 2, 3)]), run("b", [say.label(1, 7, 4)]))
        assert first.explanation == "2 of 3 values differ"
        assert (first.baseline, first.candidate) == ("[1, 2, 3]", "[1, 7, 4]")
        assert (first.num_differing, first.num_elements, first.max_abs, first.max_ulp) == (2, 3, 5.0, None)

    def test_a_float_is_shown_with_all_digits_and_its_distance(self, run: Any, say: Any) -> None:
        """The neighbour of a float is one unit in the last place away, in the float's own precision."""
        near = struct.unpack("<f", struct.pack("<I", struct.unpack("<I", struct.pack("<f", 0.1))[0] + 3))[0]
        first = first_difference(run("a", [say.label(0.1, typecode="f")]), run("b", [say.label(near, typecode="f")]))
        assert first.max_ulp == 3
        assert first.max_abs == abs(near - float(first.baseline))
        assert float(first.candidate) == near

    def test_statistics_explain_where_nothing_else_does(self, run: Any, say: Any) -> None:
        """Of a tensor without samples the statistics that differ are named with all their digits."""
        a = run("a", [say.data("x", statistics=(1.0, 0.5, 0.1, -0.0, 2.0, 3.0))])
        b = run("b", [say.data("y", statistics=(1.0, 0.25, 0.1, 0.0, 2.0, 3.0))])
        assert first_difference(a, b).explanation == "mean 0.5 against 0.25, min -0.0 against 0.0"

    def test_nothing_is_said_where_nothing_was_kept(self, run: Any, say: Any) -> None:
        """Digests are all there is."""
        first = first_difference(run("a", [say.data("x")]), run("b", [say.data("y")]))
        assert (first.explanation, first.max_abs, first.num_elements) == (None, None, None)

    def test_numbers_of_one_run_alone_explain_nothing(self, run: Any, say: Any) -> None:
        """What only one run kept is not compared."""
        first = first_difference(run("a", [say.data("x", 1, 2)]), run("b", [say.data("y")]))
        assert first.explanation is None

    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [
            ((1, 2, 3), (1, 2, 3), "the same values in another shape or data type"),
            ((1, 2, 3), (3, 2, 1), "the same 3 values in another order"),
            ((1, 2, 3), (1, 2), "3 values against 2"),
            ((1,), (2,), "its value differs"),
            ((0.0, 1.0), (-0.0, 1.0), "1 of 2 values differs"),
            ((1, 2), (1.0, 2.0), "2 of 2 values differ"),
            ((True, 0), (1, 0), "1 of 2 values differs"),
            ((NAN, 1.0), (1.0, NAN), "the same 2 values in another order"),
            ((NAN, 1.0), (OTHER_NAN, 1.0), "1 of 2 values differs"),
        ],
    )
    def test_values(self, a: Any, b: Any, expected: str) -> None:
        """Equal means equal bits: zeros of two signs, numbers of two types and two NaN are not in another order."""
        assert explain_exact(a, b, measure(exact(*a), exact(*b))) == expected

    def test_statistics_that_agree_say_nothing(self) -> None:
        """Equal statistics of tensors that differ explain nothing."""
        numbers = Numbers("statistics", "d", (1.0, NAN, 0.0, 0.0, 0.0, 0.0))
        assert explain_statistics(numbers, numbers) is None


class TestMeasure:
    """How far apart numbers are."""

    @pytest.mark.parametrize(
        ("a", "b", "max_abs"),
        [
            ((1, 5), (1, 2), 3.0),
            ((2**63, 0), (2**63 + 1, 0), 1.0),
            ((-(2**63),), (2**63 - 1,), float(2**64 - 1)),
            ((0.0,), (-0.0,), 0.0),
            ((1.0, NAN), (1.0, NAN), 0.0),
            ((1.0, NAN), (2.0, NAN), 1.0),
            ((1.0, NAN), (2.0, OTHER_NAN), None),
            ((INF,), (1.0,), None),
            ((1.7e308,), (-1.7e308,), None),
            (("cat", 1), ("dog", 1), None),
            ((), (), 0.0),
        ],
    )
    def test_the_largest_difference(self, a: Any, b: Any, max_abs: float | None) -> None:
        """Exact for integers of any size; None rather than a NaN or an infinity, which JSON does not have."""
        measured = measure(exact(*a), exact(*b))
        assert measured is not None
        assert measured.max_abs == max_abs

    def test_other_lengths_are_not_measured(self) -> None:
        """There is no distance between three numbers and two."""
        assert measure(exact(1.0), exact(1.0, 2.0)) is None

    def test_elements_that_differ_are_counted_by_their_bits(self) -> None:
        """Zeros of two signs count, one NaN does not."""
        measured = measure(exact(0.0, NAN, 1.0, 2.0), exact(-0.0, NAN, 1.0, 3.0))
        assert measured is not None
        assert (measured.num_differing, measured.num_elements) == (2, 4)

    @pytest.mark.parametrize(
        ("x", "y", "typecode", "distance"),
        [
            (1.0, 1.0, "d", 0),
            (0.0, -0.0, "d", 0),
            (1.0, 1.0 + 2**-52, "d", 1),
            (1.0, 1.0 - 2**-53, "d", 1),
            (5e-324, -5e-324, "d", 2),
            (1.0, 1.0 + 2**-23, "f", 1),
            (1.0, 1.0 + 2**-10, "e", 1),
            (65504.0, -65504.0, "e", 2 * 0x7BFF),
        ],
    )
    def test_distances_in_units_in_the_last_place(self, x: float, y: float, typecode: str, distance: int) -> None:
        """Steps from one representable number to the next, through zero and denormals as well."""
        assert ulp_distance(x, y, typecode) == ulp_distance(y, x, typecode) == distance

    @pytest.mark.parametrize("typecodes", [("q", "q"), ("f", "d"), ("?", "?")])
    def test_no_ulp_between_integers_or_types(self, typecodes: tuple[str, str]) -> None:
        """Units in the last place are those of one floating-point type."""
        measured = measure(exact(1, typecode=typecodes[0]), exact(2, typecode=typecodes[1]))
        assert measured is not None
        assert measured.max_ulp is None

    def test_same_bits(self) -> None:
        """Equality of bits and types, not of values."""
        assert same_bits(NAN, NAN)
        assert not same_bits(NAN, OTHER_NAN)
        assert not same_bits(0.0, -0.0)
        assert not same_bits(1, 1.0)
        assert not same_bits(1, bool(1))
        assert same_bits("é", "é")


class TestTolerance:
    """What agrees within a tolerance."""

    @pytest.mark.parametrize(
        ("x", "y", "tolerance", "expected"),
        [
            (1.0, 1.0, 0.0, True),
            (0.0, -0.0, 0.0, True),
            (1.0, 1.0 + 2**-52, 0.0, False),
            (0.0, 1e-6, 1e-6, True),
            (0.0, 1.1e-6, 1e-6, False),
            (1e9, 1e9 + 900, 1e-6, True),
            (1e9, 1e9 + 1100, 1e-6, False),
            (-1e9, -1e9 - 900, 1e-6, True),
            (NAN, NAN, 0.0, True),
            (NAN, OTHER_NAN, 0.0, True),
            (NAN, 1.0, 1e300, False),
            (INF, INF, 0.0, True),
            (INF, -INF, 1e300, False),
            (INF, 1e308, 1e300, False),
            (1, 1, 0.0, True),
            (1, 2, 1e300, False),
            (1, 1.0000001, 1e-6, False),
            ("cat", "cat", 0.0, True),
            ("cat", "dog", 1e300, False),
        ],
    )
    def test_rules(self, x: Any, y: Any, tolerance: float, *, expected: bool) -> None:
        """Floats relative to the larger but at least 1; NaN with NaN; infinities and integers only with themselves."""
        assert agree_within((exact(0.5, x), exact(0.5, y)), tolerance) is expected
        assert agree_within((exact(y, 0.5), exact(x, 0.5)), tolerance) is expected

    def test_other_lengths_never_agree(self) -> None:
        """Three numbers are not two."""
        assert not agree_within((exact(1.0), exact(1.0, 1.0)), 1e300)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((1,), "1"),
        ((0.1,), "0.1"),
        ((-0.0,), "-0.0"),
        ((), "[]"),
        (tuple(range(8)), "[0, 1, 2, 3, 4, 5, 6, 7]"),
        (tuple(range(9)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
    ],
)
def test_values_are_shown_with_all_their_digits(values: Any, shown: str) -> None:
    """One as it is, several in brackets, many with an ellipsis."""
    assert show_values(values) == shown
