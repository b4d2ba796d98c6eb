"""Where a resumed run goes on, what is compared from there, and which piece is missing, on small written traces."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
import xxhash

from reproof.checking.resuming.alignment import find_continuation
from reproof.checking.resuming.comparison import compare_resumed
from reproof.checking.resuming.data import measure_pass
from reproof.checking.resuming.steps import StepReader, compare_shifted
from reproof.recorder.restorations import Restoration
from reproof.schema import Event, RunHeader
from reproof.trace import TraceWriter, open_trace
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.trace import Trace

Word = tuple[Any, ...]
"""Stage, name, content; for a batch the indices drawn, for a loss its value."""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Trace]:
    """Return what writes a run: its name, the words of each step, and the state of PyTorch's generator after each."""

    def write_run(name: str, *steps: list[Word], rng: list[int] | None = None, **header: Any) -> Trace:
        fields = {"run_id": "ab" * 16, "status": "complete", "level": "steps", "command": (), "num_batches": None}
        created = {"statistics": False, "created": "2026-01-02T03:04:05+00:00"}
        trace = TraceWriter(tmp_path / name, RunHeader(**{**fields, **created, **header}), rank=0)
        for step, words in enumerate(steps):
            ids = tuple(trace.writer.event_id(event_of(*word)) for word in words)
            digests = b"".join(xxhash.xxh3_128_digest(repr(word[2]).encode()) for word in words)
            values = b"".join(values_of(place, *word) for place, word in enumerate(words))
            state = [] if rng is None else [pack(0, "rng", "Q", (2, rng[step]))]
            trace.writer.append_frame(ids, digests, values + b"".join(state), step, fmt.ENDS_STEP)
        trace.close()
        return open_trace(tmp_path / name)

    return write_run


def event_of(stage: Any, name: str, content: object) -> Event:
    """Return the event of a word."""
    return Event(stage=stage, name=name, detail=detail_of(stage, content))


def detail_of(stage: str, content: object) -> Any:
    """Return whether a batch tells of order or content; None for other stages."""
    return None if stage != "batch" else "order" if isinstance(content, tuple) else "content"


def values_of(place: int, stage: str, _name: str, content: Any) -> bytes:
    """Return the numbers of a word: indices of a batch, the value of a loss."""
    if stage == "batch" and isinstance(content, tuple):
        return pack(place, "exact", "q", content)
    return pack(place, "exact", "d", (content,)) if isinstance(content, float) else b""


def pack(place: int, kind: str, typecode: str, values: tuple[float, ...]) -> bytes:
    """Return one entry of the values file."""
    data = struct.pack(f"<{len(values)}{typecode}", *values)
    return fmt.VALUE.pack(place, fmt.KINDS[kind], typecode.encode(), 0, len(data)) + data


def first(weight: object, **more: object) -> list[Word]:
    """Return the initial state of a model."""
    return [("init", "Net.weight", weight), *(("init", f"Net.{name}", value) for name, value in more.items())]


def step(weight: object, *, gradient: object = "g", output: object = "o", loss: float = 1.0) -> list[Word]:
    """Return a step that leaves this weight."""
    return [
        ("forward", "Net output", output),
        ("loss", "loss", loss),
        ("gradient", "Net.weight", gradient),
        ("update", "Net.weight", weight),
    ]


def given(loader: str, indices: tuple[int, ...], content: str) -> list[Word]:
    """Return a batch: its indices, and what they brought."""
    return [("batch", f"{loader} indices", indices), ("batch", f"{loader}[0]", content)]


def reader(trace: Trace) -> StepReader:
    """Return what reads the steps of a trace."""
    return StepReader(trace.ranks[0])


class TestContinuation:
    """Where a resumed run goes on is told by its initial parameters."""

    def test_the_step_of_the_checkpoint(self, write: Any) -> None:
        """It goes on before the step whose state it begins with, not where the first part was interrupted."""
        whole = write("a", first(0) + step(1), step(2), step(3), step(4))
        resumed = write("b", first(2) + step(3), step(4))
        found = find_continuation(reader(whole), reader(resumed), 3)
        assert found is not None
        assert (found.step, found.restored, found.differing) == (2, ("Net.weight",), ())

    @pytest.mark.parametrize("last", [0, 1])
    def test_a_checkpoint_is_no_newer_than_the_interruption(self, write: Any, last: int) -> None:
        """State that the uninterrupted run reached later is no checkpoint of the first part."""
        whole = write("a", first(0) + step(1), step(2), step(3))
        resumed = write("b", first(2) + step(3))
        assert find_continuation(reader(whole), reader(resumed), last) is None

    def test_a_start_from_scratch(self, write: Any) -> None:
        """The state of step 0 is where a run starts anew."""
        whole = write("a", first(0) + step(1), step(2), step(3))
        found = find_continuation(reader(whole), reader(write("b", first(0) + step(1))), 2)
        assert found is not None
        assert found.step == 0

    def test_frozen_parameters_tell_nothing(self, write: Any) -> None:
        """What never changes is equal everywhere: with that alone, nothing is known to be restored."""
        frozen = [("update", "Net.frozen", "f")]
        whole = write("a", first(0, frozen="f") + step(1) + frozen, step(2) + frozen)
        resumed = write("b", first("x", frozen="f") + step("y"))
        assert find_continuation(reader(whole), reader(resumed), 1) is None

    def test_most_tensors_decide(self, write: Any) -> None:
        """One layer that was not restored does not hide where the others come from."""
        layers = ("b", "c")
        whole = write("a", *(
            (first(0, b=0, c=0) if n == 0 else []) + step(n + 1) + [("update", f"Net.{x}", n + 1) for x in layers]
            for n in range(4)
        ))  # fmt: skip
        found = find_continuation(reader(whole), reader(write("b", first(0, b=3, c=3) + step(9))), 3)
        assert found is not None
        assert (found.step, found.restored, found.differing) == (3, ("Net.b", "Net.c"), ("Net.weight",))

    def test_an_update_without_effect(self, write: Any) -> None:
        """Where two steps begin with the same state, the one is taken whose events are more alike."""
        whole = write("a", first(0) + step(0, gradient="g0"), step(1, gradient="g1"), step(2, gradient="g2"))
        for gradient, expected in (("g0", 0), ("g1", 1)):
            resumed = write(f"b{expected}", first(0) + step(1, gradient=gradient))
            restored = find_continuation(reader(whole), reader(resumed), 2)
            assert restored is not None
            assert restored.step == expected


class TestShiftedComparison:
    """What a start brings along is no difference; everything else is."""

    def test_initial_state_against_the_state_before(self, write: Any) -> None:
        """The initial state is compared, and a buffer that is not as it was is the first difference."""
        buffer = [("update", "Net.mean", "m1")]
        whole = write("a", first(0, mean="m0") + step(1) + buffer, step(2) + buffer)
        resumed = write("b", first(1, mean="m0") + step(2) + buffer)
        tally = compare_shifted(reader(whole), reader(resumed), 1, 1)
        assert [(pair.event.stage, pair.event.name, pair.step) for pair in tally.pairs] == [("init", "Net.mean", 1)]
        assert tally.compared["init"] == 2
        assert tally.extras == []

    def test_batches_passed_over(self, write: Any) -> None:
        """Batches are counted from the end of the first step: those before are passed over."""
        name = "loader0(6) indices"
        whole = write("a", *([("batch", name, batch), *step(n)] for n, batch in enumerate([(3, 1), (0, 5), (2, 4)])))
        resumed = write("b", [("batch", name, (3, 1)), ("batch", name, (0, 5)), ("batch", name, (2, 4)), *step(2)])
        tally = compare_shifted(reader(whole), reader(resumed), 2, 1)
        assert (tally.pairs, tally.extras) == ([], [])
        assert tally.compared["batch"] == 1

    def test_a_loader_of_its_own(self, write: Any) -> None:
        """The rest of a pass may come from another loader, whose indices count anew: what is given decides."""
        old, new = ("loader0(6)", "loader1(3)")
        whole = write("a", *([*given(old, (n,), f"x{n}"), *step(n)] for n in range(3)))
        right = write("b", *([*given(new, (n - 1,), f"x{n}"), *step(n)] for n in (1, 2)))
        wrong = write("c", *([*given(new, (n - 1,), "x0"), *step(n)] for n in (1, 2)))
        tally = compare_shifted(reader(whole), reader(right), 1, 2)
        assert (tally.pairs, tally.extras) == ([], [])
        found = compare_shifted(reader(whole), reader(wrong), 1, 2).first
        assert found is not None
        assert (found.step, found.event.stage) == (1, "batch")

    def test_batches_of_an_evaluation_at_the_start(self, write: Any) -> None:
        """They are left out with the evaluation that only one run makes there."""
        seen = [*given("loader1(9)", (7,), "e"), ("metric", "Net output", "e")]
        whole = write("a", [*given("loader0(6)", (0,), "x0"), *step(0)], [*given("loader0(6)", (1,), "x1"), *step(1)])
        resumed = write("b", [*seen, *seen, *given("loader0(6)", (1,), "x1"), *step(1)])
        tally = compare_shifted(reader(whole), reader(resumed), 1, 1)
        assert (tally.pairs, tally.extras) == ([], [])

    @pytest.mark.parametrize("evaluated", ["Net output", "Teacher output"])
    def test_a_teacher_is_no_evaluation(self, write: Any, evaluated: str) -> None:
        """What is called without gradients in every step keeps its batch, whatever was evaluated at the start."""
        seen = [*given("loader1(9)", (7,), "e"), ("metric", evaluated, "e")]

        def train(n: int, content: str) -> list[Word]:
            return [*given("loader0(6)", (n,), content), ("metric", "Teacher output", content), *step(n)]

        whole = write("a", train(0, "x0"), [*seen, *seen, *train(1, "x1")], train(2, "x2"))
        right = write("b", train(1, "x1"), train(2, "x2"))
        wrong = write("c", train(1, "x9"), train(2, "x2"))
        tally = compare_shifted(reader(whole), reader(right), 1, 2)
        assert (tally.pairs, tally.extras) == ([], [])
        found = compare_shifted(reader(whole), reader(wrong), 1, 2).first
        assert found is not None
        assert (found.step, found.event.stage) == (1, "batch")

    @pytest.mark.parametrize(
        ("left", "differs"),
        [([("Net.w", "w")], False), ([("Net.w", "v")], True), ([("Net.w", "w"), ("other Net.w [1]", "start")], False)],
    )
    def test_what_is_left_at_the_end(self, write: Any, left: list[Any], *, differs: bool) -> None:
        """What both runs have left at one place must agree; what only a start has made is no difference."""
        whole = write("a", first(0) + step(1), step(2), [("final", "Net.w", "w")])
        resumed = write("b", first(1) + step(2), [("final", name, content) for name, content in left])
        tally = compare_shifted(reader(whole), reader(resumed), 1, 2)
        assert [pair.event.stage for pair in tally.pairs] == ["final"] * differs
        assert tally.extras == []

    def test_an_evaluation_at_the_start(self, write: Any) -> None:
        """Evaluations that only one run makes in its first step are left out; a later one counts."""
        metric = ("metric", "Net output", "e")
        whole = write("a", first(0) + step(1), [metric, metric, *step(2)], step(3))
        resumed = write("b", [*first(1), ("metric", "Net output", "x"), *step(2)], [metric, *step(3)])
        tally = compare_shifted(reader(whole), reader(resumed), 1, 2)
        assert tally.pairs == []
        assert [(extra.step, extra.event.stage, extra.is_in_baseline) for extra in tally.extras] == [
            (2, "metric", False)
        ]

    def test_a_model_that_is_called_later(self, write: Any) -> None:
        """State of a model that a run has not called yet is not missing; once it is called, it is compared."""
        average = [("update", "Average.weight", value) for value in ("a0", "a1", "a2", "a3")]
        begin = ("init", "Average.weight", "a0")
        whole = write("a", *([*first(0), begin] * (n == 0) + [*step(n + 1), average[n]] for n in range(4)))
        right = write("b", first(1) + step(2), [("init", "Average.weight", "a2"), *step(3), average[2]])
        wrong = write("c", first(1) + step(2), [("init", "Average.weight", "xx"), *step(3), average[2]])
        tally = compare_shifted(reader(whole), reader(right), 1, 2)
        assert (tally.first, tally.extras) == (None, [])
        found = compare_shifted(reader(whole), reader(wrong), 1, 2).first
        assert found is not None
        assert (found.step, found.event.name) == (2, "Average.weight")

    def test_the_beginning_of_a_run(self, write: Any) -> None:
        """From step 0 on, nothing is left out: a first part must be the same in everything."""
        metric = ("metric", "Net output", "e")
        whole, part = write("a", first(0) + step(1)), write("b", [metric, *first(0), *step(1)])
        assert [extra.event.stage for extra in compare_shifted(reader(whole), reader(part), 0, 1).extras] == ["metric"]


class TestPosition:
    """Where a pass over the data begins is where a sample comes for the second time."""

    @pytest.mark.parametrize(
        ("taken", "expected"),
        [
            ([(1, 2)], (0, set())),
            ([(1, 2), (3, 4)], (1, {1, 2})),
            ([(1, 2), (3, 4), (2, 3)], (0, set())),
            ([(1, 2), (3, 4), (2, 3), (1, 4)], (1, {2, 3})),
            ([(1, 2), None], (None, set())),
            ([(1, 1), (2, 3)], (None, set())),
        ],
    )
    def test_batches_of_the_pass(self, taken: list[Any], expected: Any) -> None:
        """Batches before the last one in its pass, and their samples; unknown without indices or with repetition."""
        assert measure_pass(taken) == expected


class TestMissingPieces:
    """What is named without any note of what the script saved and loaded: the traces alone."""

    def pieces(self, whole: Trace, resumed: Trace, notes: Any = (None, None)) -> list[str]:
        """Return the names of the missing pieces."""
        _, finding = compare_resumed(whole, resumed, 1, 5, notes)
        return [piece.piece for piece in finding.missing]

    def test_a_loss_scaled_by_a_power_of_two(self, write: Any) -> None:
        """With equal outputs that is a scaler; any other factor is a weight in the loss."""
        whole = write("a", first(0) + step(1), step(2, loss=8.0))
        assert self.pieces(whole, write("b", first(1) + step(2, loss=2.0))) == ["scaler"]
        assert self.pieces(whole, write("c", first(1) + step(2, loss=3.0))) == ["counter"]

    def test_a_generator_that_is_used_later(self, write: Any) -> None:
        """A random state is missing if the training draws from it; not if it stays where it is."""
        whole = write("a", first(0) + step(1), step(2, output="p"), step(3, output="q"), rng=[5, 6, 7])
        resumed = write("b", first(1) + step(2, output="r"), step(3, output="s"), rng=[1, 2])
        assert self.pieces(whole, resumed) == ["rng"]
        still = write("c", first(0) + step(1), step(2, output="p"), step(3, output="q"), rng=[5, 5, 5])
        assert self.pieces(still, resumed) == ["other"]

    def test_a_loss_into_which_drawn_numbers_enter(self, write: Any) -> None:
        """With equal outputs it is the missing generator that makes it another, and no weight."""
        whole = write("a", first(0) + step(1), step(2, loss=8.0), step(3), rng=[5, 6, 7])
        assert self.pieces(whole, write("b", first(1) + step(2, loss=3.0), step(3), rng=[1, 2])) == ["rng"]

    @pytest.mark.parametrize("notes", [(None, None), ((), ())])
    @pytest.mark.parametrize(("losses", "expected"), [((2.4, 1.5, 3.0), "scaler"), ((2.4, 1.6, 3.1), "counter")])
    def test_a_loss_scaled_by_hand(self, write: Any, notes: Any, losses: tuple[float, ...], expected: str) -> None:
        """The loss keeps the ratio, whatever the factor: the training learns the same but for rounding."""
        whole = write("a", first(0) + step(1), step(2, loss=8.0), step(3, loss=5.0), step(4, loss=10.0))
        steps = [step(f"{n} rounded", loss=loss) for n, loss in enumerate(losses)]
        assert self.pieces(whole, write("b", first(1) + steps[0], *steps[1:]), notes) == [expected]

    def test_a_generator_that_only_a_new_pass_draws_from(self, write: Any) -> None:
        """A loader draws a number for its workers even if it has none: that explains other batches first of all."""
        orders = [(0, 1), (2, 3), (1, 3), (0, 2), (3, 0), (1, 2)]

        def steps(begin: int, *, shift: int = 0, **other: Any) -> list[list[Word]]:
            words = [
                [("batch", "loader0(4) indices", orders[n - shift]), *step(n + 1, **(other if n == begin else {}))]
                for n in range(begin, 6)
            ]
            return [[*first(begin), *words[0]], *words[1:]]

        whole = write("a", *steps(0), rng=[5, 5, 6, 6, 7, 7])
        fresh = [1, 1, 2, 2]
        for number, (other, expected) in enumerate(
            [({"loss": 3.0}, "counter"), ({"gradient": "h"}, "other"), ({"output": "p"}, "rng")]
        ):
            resumed = write(f"b{number}", *steps(2, **other), rng=fresh)
            assert compare_resumed(whole, resumed, 2, 5, (None, None))[1].missing[0].piece == expected
        earlier = write("c", *steps(2, shift=2), rng=fresh)
        assert [p.piece for p in compare_resumed(whole, earlier, 2, 5, (None, None))[1].missing] == ["counter"]
        seeded = write("e", *steps(2, shift=2), rng=[5, 5, 6, 6])  # as the script does at its start
        assert compare_resumed(whole, seeded, 2, 5, (None, None))[1].missing[0].piece == "rng"
        orders[2:] = [(3, 1), (2, 0), (0, 1), (3, 2)]
        assert compare_resumed(whole, write("d", *steps(2), rng=fresh), 2, 5, (None, None))[1].missing[0].piece == "rng"

    def test_what_an_iterable_dataset_yields(self, write: Any) -> None:
        """Nothing that is recorded tells of its place, so it is named where only its batches are others."""

        def brought(content: str, number: int) -> list[Word]:
            return [("batch", "loader0(iterable)[0]", content), *step(number)]

        whole = write("a", first(0) + brought("a", 1), brought("b", 2), brought("c", 3))
        resumed = write("b", first(1) + brought("x", 8), brought("y", 9))
        assert self.pieces(whole, resumed) == ["sampler-position"]

    def test_models_that_are_called_in_another_order(self, write: Any) -> None:
        """A model is known by its state, and by whether it is trained, not by which of its class is called first."""

        def start(net: object, target: object, names: tuple[str, str]) -> list[Word]:
            return [("init", f"{names[0]}.weight", net), ("init", f"{names[1]}.weight", target)]

        def one(weight: int, name: str, **more: Any) -> list[Word]:
            return [(stage, word.replace("Net", name, 1), content) for stage, word, content in step(weight, **more)]

        ways = ("Net#2", "Net"), ("Net", "Net#2")
        sync: Word = ("update", "Net.weight", 2)
        whole = write("a", start(0, 0, ways[0]) + one(1, "Net#2"), [*one(2, "Net#2"), sync], one(3, "Net#2"))
        for number, (target, expected) in enumerate([(2, []), (9, ["ema"])]):
            resumed = write(f"b{number}", start(2, target, ways[1]) + one(3, "Net"))
            comparison, finding = compare_resumed(whole, resumed, 2, 5, (None, None))
            assert [piece.piece for piece in finding.missing] == expected, comparison.first

    def test_the_second_of_two_optimizers(self, write: Any) -> None:
        """Its first step comes later, and its counts begin anew there."""

        def both(n: int, count: float, weight: object) -> list[list[Word]]:
            other = [("gradient", "Other.w", f"g{n}"), ("update", "Other.w", weight)]
            return [step(n + 1), [*other, ("update", "Other.w.step", count)]]

        start = [*first(0), ("init", "Other.w", "o")]
        one, two, three = both(0, 1.0, "o1"), both(1, 2.0, "o2"), both(2, 3.0, "o3")
        whole = write("a", [*start, *one[0]], one[1], *two, *three)
        resumed = [
            [*first(1), ("init", "Other.w", "o1"), *two[0]],
            both(1, 1.0, "x")[1],
            three[0],
            both(2, 2.0, "y")[1],
        ]
        _, finding = compare_resumed(whole, write("b", *resumed), 2, 5, (None, None))
        assert [(piece.piece, piece.names) for piece in finding.missing] == [("optimizer", ("Other.w.step",))]

    @pytest.mark.parametrize(("output", "expected"), [("o", []), ("x", ["other"])])
    def test_fewer_models_of_a_class(self, write: Any, output: str, expected: list[str]) -> None:
        """A fresh start tries two and keeps the second: the one of the resumed run is that one, and still judged."""

        def kept(words: list[Word]) -> list[Word]:
            return [(stage, name.replace("Net", "Net#2"), content) for stage, name, content in words]

        tried = [*first("r"), ("metric", "Net output", "r")]
        whole = write("a", [*tried, *kept(first(0) + step(1))], kept(step(2)), kept(step(3)))
        resumed = write("b", first(1) + step(2, output=output), step(3))
        assert self.pieces(whole, resumed) == expected
        _, finding = compare_resumed(whole, resumed, 1, 5, (None, None))
        assert (finding.continues_at, finding.num_restored) == (1, 1)

    @pytest.mark.parametrize(("seen", "expected"), [("e2", []), ("e9", ["ema"])])
    def test_a_copy_for_each_evaluation(self, write: Any, seen: str, expected: list[str]) -> None:
        """The first copy of the resumed run is a later one of the other run, and still judged."""

        def evaluate(number: int, content: str) -> list[Word]:
            return [("init", f"Net#{number}.weight", content), ("metric", f"Net#{number} output", content)]

        whole = write("a", first(0) + step(1), [*evaluate(2, "e1"), *step(2)], [*evaluate(3, "e2"), *step(3)], step(4))
        resumed = write("b", first(1) + step(2), [*evaluate(2, seen), *step(3)], step(4))
        assert self.pieces(whole, resumed) == expected

    @pytest.mark.parametrize(("seen", "expected"), [("e3", []), ("e9", ["ema"])])
    def test_an_average_that_is_called_at_the_end_of_an_epoch(self, write: Any, seen: str, expected: list[str]) -> None:
        """The resumed run calls it in a later step than its first: it is the one that is left, no further copy."""

        def evaluate(content: str) -> list[Word]:
            return [("metric", "Net#2 output", content)]

        def average(content: str) -> list[Word]:
            return [("update", "Net#2.weight", content)]

        begun = [("init", "Net#2.weight", "e1"), *evaluate("e1"), *step(2), *average("e2")]
        end = [*evaluate("e3"), *step(4), *average("e4")]
        whole = write("a", first(0) + step(1), begun, [*step(3), *average("e3")], end)
        later = [("init", "Net#2.weight", seen), *evaluate(seen), *step(4), *average("e4" if seen == "e3" else "e8")]
        comparison, finding = compare_resumed(
            whole, write("b", first(2) + step(3), later), interrupted_at=2, limit=5, notes=(None, None)
        )
        assert [piece.piece for piece in finding.missing] == expected
        assert comparison.verdict == ("diverged" if expected else "identical")

    def test_a_memory_that_decides_how_often_a_model_is_called(self, write: Any) -> None:
        """Fewer calls with dropout draw less: that the generator is elsewhere afterwards follows from it."""
        states = {"whole": [1, 2, 3, 5, 7], "lost": [4, 6, 8], "drawn": [4, 6, 8]}
        more = [("forward", "Net output", "replayed")]
        whole = write("a", first(0) + step(1), *(more + step(n) for n in (2, 3, 4, 5)), rng=states["whole"])
        note = Restoration(action="loaded", piece="rng", name="torch")
        for name, extra, expected in (("lost", [], "other"), ("drawn", more, "rng")):
            steps = [extra + step(n, output=f"x{n}", gradient=f"x{n}") for n in (13, 14, 15)]
            resumed = write(name, first(2) + steps[0], *steps[1:], rng=states[name])
            _, finding = compare_resumed(whole, resumed, 2, 5, ((note,), (note,)))
            assert [piece.piece for piece in finding.missing] == [expected]

    def test_gradients_of_before_the_checkpoint(self, write: Any) -> None:
        """A step that sums more losses than are left after resuming has lost accumulated gradients."""
        more = [("forward", "Net output", "early"), ("loss", "loss", 3.0)]
        whole = write("a", first(0) + step(1), more + step(2, gradient="sum"))
        assert self.pieces(whole, write("b", first(1) + step(9, gradient="part"))) == ["accumulated-gradients"]
        assert self.pieces(whole, write("c", first(1) + more + step(9, gradient="part"))) == ["other"]

    def test_a_model_that_is_not_loaded(self, write: Any) -> None:
        """If other state was loaded, a fresh model is a missing piece and no start from scratch."""
        whole = write("a", first(0) + step(1), step(2), step(3))
        fresh = write("b", first(0) + step(7), step(8))
        comparison, finding = compare_resumed(whole, fresh, 1, 5, (None, None))
        assert (comparison.verdict, finding.continues_at, finding.missing) == ("inconclusive", None, ())
        note = Restoration(action="loaded", piece="optimizer", name="Adam")
        comparison, finding = compare_resumed(whole, fresh, 1, 5, (None, (note,)))
        assert (comparison.verdict, finding.continues_at) == ("diverged", 1)
        assert [piece.piece for piece in finding.missing] == ["model"]

    def test_what_follows_from_a_teacher_is_not_named(self, write: Any) -> None:
        """Its outputs enter the loss, which is then no sign of a lost counter; with other inputs it is not to blame."""

        def taught(weight: int, content: str, output: str, loss: float) -> list[Word]:
            call = [("metric", "Teacher input[0]", content), ("metric", "Teacher output", output)]
            return [*call, *step(weight, loss=loss)]

        whole = write("a", first(0) + taught(1, "x", "t1", 1.0), taught(2, "x", "t2", 2.0), taught(3, "x", "t3", 3.0))
        for name, content, expected in (("b", "x", "ema"), ("c", "y", "other")):
            later = (taught(2, content, "t9", 2.5), taught(3, content, "t9", 2.5))
            assert self.pieces(whole, write(name, first(1) + later[0], later[1])) == [expected]

    @pytest.mark.parametrize("first_batch", [(5, 4), (1, 2)])
    def test_a_pass_that_begins_anew_in_another_order(self, write: Any, first_batch: tuple[int, ...]) -> None:
        """As many steps more as were done of the pass: its place is lost, whether or not a sample comes again."""
        orders = [(0, 1), (2, 3), (4, 5), (5, 0), (3, 4), (1, 2)]
        steps = [[("batch", "loader0(6) indices", order), *step(n + 1)] for n, order in enumerate(orders)]
        others = [
            [("batch", "loader0(6) indices", order), *step(f"y{n}")] for n, order in enumerate([(3, 0), (2, 5), (4, 1)])
        ]
        whole = write("a", [*first(0), *steps[0]], *steps[1:])
        resumed = [[*first(2), ("batch", "loader0(6) indices", first_batch), *step("y")], *others, *others[:2]]
        _, finding = compare_resumed(whole, write("b", *resumed), 2, 5, (None, None))
        assert [piece.piece for piece in finding.missing] == ["sampler-position"]

    @pytest.mark.parametrize(("begins", "expected"), [(0, "counter"), (2, "sampler-position")])
    def test_a_pass_that_begins_anew(self, write: Any, begins: int, expected: str) -> None:
        """The first of all is a lost count of steps, and that of this pass a lost place: by what the batches bring."""

        def steps(start: int) -> list[list[Word]]:
            pairs = [(n, [*given("loader0(2)", (n % 2,), f"x{n}"), *step(n + 1)]) for n in range(start, 5)]
            return [words for _, words in pairs]

        whole = write("a", *([*first(0), *words] if n == 0 else words for n, words in enumerate(steps(0))))
        resumed = [*first(3), *given("loader0(2)", (begins % 2,), f"x{begins}"), *step("y")]
        more = steps(begins + 1)
        _, finding = compare_resumed(whole, write("b", resumed, *more), 3, 5, (None, None))
        names = [piece.piece for piece in finding.missing]
        assert (names[0], names.count("counter") <= 1) == (expected, True)

    @pytest.mark.parametrize(("name", "expected"), [("Net input[0]", "other"), ("loader0(9)[0]", "sampler-position")])
    def test_a_model_that_is_called_more_often_in_the_first_step(self, write: Any, name: str, expected: str) -> None:
        """Calls that fill a memory pass over nothing: only a loader has a pass over the data."""
        whole = write("a", *([*(first(0) * (n == 0)), ("batch", name, f"x{n}"), *step(n + 1)] for n in range(4)))
        passed = [("batch", name, f"y{n}") for n in range(3)]
        resumed = write("b", [*first(2), *passed, *step("y")], [("batch", name, "z"), *step("z")])
        _, finding = compare_resumed(whole, resumed, 2, 5, (None, None))
        assert [piece.piece for piece in finding.missing] == [expected]

    def test_a_run_that_goes_on_too_long(self, write: Any) -> None:
        """Steps beyond the end of the uninterrupted run are a divergence, unless a run was stopped."""
        whole = write("a", first(0) + step(1), step(2))
        longer = (first(1) + step(2), step(3), step(4))
        comparison, finding = compare_resumed(whole, write("b", *longer), 1, 5, (None, None))
        assert [piece.piece for piece in finding.missing] == ["counter"]
        assert "early stopping" in finding.missing[0].fix
        assert comparison.first is not None
        assert comparison.first.step == 2
        assert comparison.first.explanation == "the uninterrupted run ends after 2 steps, the resumed one after 4"
        stopped, _ = compare_resumed(whole, write("c", *longer, num_steps=3), 1, 5, (None, None))
        assert stopped.verdict == "identical"
