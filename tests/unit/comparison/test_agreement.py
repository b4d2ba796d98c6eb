"""Where processes of one run that train together do not agree, found from what each has recorded for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import agreement as module
from reproof.comparison import compare
from reproof.comparison.agreement import find_disagreements
from reproof.comparison.processes import join_agreement
from reproof.schema import Origin, Parallel
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def ranks(run: Any, say: Any) -> Callable[..., Path]:
    """Return what writes a run of two ranks: for each step of each rank, its samples, gradient, weights and buffer."""

    def write(name: str, *steps_of_ranks: list[str], apart: tuple[str, ...] = ("Net.mean",), **header: Any) -> Path:
        folder: Path = run(name, [say.named("loss", "x", "loss")])
        size = len(steps_of_ranks)
        for rank, steps in enumerate(steps_of_ranks):
            told = [
                [
                    say.named("loader0(8)[0]", step[0], "batch", detail="content"),
                    say.named("Net.fc.weight", step[1], "gradient"),
                    say.named("Net.fc.weight", step[2], "update"),
                    say.named("Net.mean", step[3], "update"),
                    say.named("Other.weight", str(rank), "update"),
                ]
                for step in steps
            ]
            everyone = tuple(range(size))
            parallel = Parallel(model="Net", rank=rank, ranks=everyone, replicas=everyone, apart=apart)
            origin = Origin(label=f"0.{rank + 1}", rank=rank)
            run(f"{name}/processes/0.{rank + 1}", *told, origin=origin, **{"parallel": (parallel,), **header})
        return folder

    return write


def find(folder: Path) -> list[str]:
    """Return what is found in a run."""
    return list(find_disagreements(open_trace(folder)))


def test_ranks_that_agree_have_nothing_to_tell(ranks: Any) -> None:
    """Their samples differ, and so may what each computes for itself until the first sends it to all."""
    assert find(ranks("a", ["1abm", "2cdn"], ["3abo", "4cdp"])) == []


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (["3abm", "4cXm"], "replicas drifted apart at step 1: rank 1, Net.fc.weight is not that of rank 0"),
        (["3Xbm", "4cdm"], "replicas drifted apart at step 0: rank 1, the gradient of Net.fc.weight is not that of"),
        (["3abm"], "the ranks did not take the same number of steps: rank 0 took 2 steps, rank 1 took 1 steps"),
        (["1abm", "2cdm"], "ranks 0 and 1 read the same samples from step 0: give their loaders a DistributedSampler"),
    ],
)
def test_what_ranks_do_not_agree_in_is_told(ranks: Any, other: list[str], told: str) -> None:
    """With rank, step and name, in every comparison."""
    folder = ranks("a", ["1abm", "2cdm"], other)
    (found,) = find(folder)
    assert found.startswith(told)
    assert compare(folder, folder).agreement == (found,)


def test_buffers_that_nobody_sends_must_agree(ranks: Any) -> None:
    """Else the model that is saved is not the one that the other rank has trained."""
    (found,) = find(ranks("a", ["1abm"], ["3abn"], apart=()))
    assert found.startswith("replicas drifted apart at step 0: rank 1, Net.mean")


def test_equal_batches_in_every_step_tell_nothing(ranks: Any) -> None:
    """A training on one batch reads the same samples because there are no others."""
    assert find(ranks("a", ["1abm", "1cdm"], ["1abm", "1cdm"])) == []


def test_batches_without_digests_tell_nothing(ranks: Any) -> None:
    """Of what was skipped it is not known whether it is the same."""
    assert find(ranks("a", ["1abm", "2cdm", ["", *"cdm"]], ["1abm", "2cdm", ["", *"cdm"]])) == []


def test_those_that_read_the_same_are_told_together(ranks: Any) -> None:
    """Three ranks in one sentence, and a fourth of its own not."""
    steps = ["1abm", "2cdm"]
    (found,) = find(ranks("a", steps, steps, ["3abm", "4cdm"], steps))
    assert found.startswith("ranks 0, 1 and 3 read the same samples")


def test_the_step_is_found_among_many(ranks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each step is looked at: those that have drifted apart stay apart."""
    monkeypatch.setattr(module, "MAX_CHECKED", 3)
    steps = [f"{number % 7}abm" for number in range(40)]
    other = [f"x{'a'}{'b' if number < 17 else 'Y'}m" for number in range(40)]
    (found,) = find(ranks("a", steps, other))
    assert found.startswith("replicas drifted apart at step 17")


def test_remarks_are_told_once(ranks: Any) -> None:
    """Both ranks forget the same."""
    told = "loader0(8): every epoch in the same order: call sampler.set_epoch(epoch) before each"
    assert find(ranks("a", ["1abm"], ["2abm"], remarks=(told,))) == [told]


def test_what_one_run_has_is_told_with_the_run() -> None:
    """And what both have without."""
    assert join_agreement(("x", "y"), ("x", "z")) == ("x", "in the baseline alone: y", "in the candidate alone: z")
