"""Whether outputs that differ are a divergence, and what the experiment is given that decides it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain import outputs
from reproof.explain.laboratory import Trial
from reproof.explain.outputs import find_chance, may_tell_of_files, repeat_candidate, settle_output, tell_failure
from reproof.outputs.lines import make_line
from reproof.outputs.sidecar import OutputWriter
from reproof.schema import Comparison, Origin, OutputDifference, OutputResult, RunHeader
from reproof.trace.writer import TraceWriter

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.entropy.plan import Plan

LINE = OutputDifference(kind="line", name="stderr line 7", baseline="Traceback", candidate=None)
OPEN = Comparison(
    verdict="inconclusive",
    runs=("a", "b"),
    num_events=0,
    num_tensors=0,
    num_steps=0,
    output=OutputResult(differences=(LINE,)),
)
HEADER = RunHeader(
    run_id="0" * 32,
    status="complete",
    level="steps",
    command=("train.py",),
    num_batches=None,
    statistics=False,
    created="2026-01-01T00:00:00+00:00",
)


@pytest.mark.parametrize("failed", ["a", "b"])
def test_a_run_that_alone_has_failed_is_not_judged_by_its_output(tmp_path: Path, failed: str) -> None:
    """A launcher whose ranks could not connect prints other lines than one whose ranks did: no experiment is made."""
    for name in "ab":
        header = replace(HEADER, status="failed" if name == failed else "complete")
        TraceWriter(tmp_path / name, header, rank=0).close()
    laboratory: Any = SimpleNamespace(setting=SimpleNamespace(request=SimpleNamespace(trace=tmp_path / "a")))
    told = f"what the runs put out was not judged: {failed} alone ended by an error"
    assert settle_output(laboratory, OPEN, tmp_path / "b") == (OPEN, told)


@pytest.mark.parametrize("killed", ["ab", "a"])
def test_runs_that_failed_with_a_killed_process_are_not_judged_by_their_output(tmp_path: Path, killed: str) -> None:
    """What other ranks print of it depends on when they are ended, too; where one run alone has it, they are judged."""
    for name in "ab":
        TraceWriter(tmp_path / name, replace(HEADER, status="failed"), rank=0).close()
        status, origin = "running" if name in killed else "failed", Origin(label="0.1")
        TraceWriter(tmp_path / name / "processes/0.1", replace(HEADER, status=status, origin=origin), rank=0).close()
    told = tell_failure(tmp_path / "a", tmp_path / "b")
    assert (told is not None and "after a process was killed (0.1)" in told) == (killed == "ab")


@pytest.mark.parametrize(
    ("baseline", "candidate", "is_told"),
    [
        ("Downloading 60 rows", None, True),
        ("epoch 1 loss 0.5", None, True),  # the experiment compares it
        ("building the cache", "Cache found, skipping", True),
        (None, "loading cached features", True),
        (None, "/env/python3.11/site-packages/x/checkpoint.py:881: Directory /run7/out exists and is not empty.", True),
        (None, "checkpoint.py:881: the best that exists has 0.91", False),
        ("improved", "not improved", False),
        (None, "found an earlier best of 0.91", False),
        (None, "downloaded", False),
        (None, "unexisting", False),
    ],
)
def test_what_may_only_tell_of_files(baseline: str | None, candidate: str | None, *, is_told: bool) -> None:
    """The candidate may say that it found them, and nothing that it has from an earlier run."""
    line = replace(LINE, baseline=baseline, candidate=candidate)
    assert may_tell_of_files(line, place="/run7") == is_told
    assert not may_tell_of_files(replace(line, kind="file"))


def test_a_file_may_belong_to_a_cache() -> None:
    """One that the baseline alone has, in a folder of which the candidate has found other files."""
    file = OutputDifference(kind="file", name="cache/info.json", baseline="a file", candidate=None)
    assert may_tell_of_files(file, frozenset({"cache"}))
    others = {"baseline": None, "candidate": "a file"}, {"name": "info.json"}, {"baseline": "0.9"}
    assert not any(may_tell_of_files(replace(file, **other), frozenset({"cache"})) for other in others)


def write_ledger(trace: Path, *seeds: str) -> Path:
    """Write the ledger of a run that gave some seeds to generators, and read the clock."""
    trace.mkdir()
    clock = {"place": 0, "key": "time.time@train.py:3", "kind": "wall-clock", "source": "time.time"}
    entries: list[Any] = [{"process": 1}, {**clock, "file": "train.py", "line": 3}, [[0, 1.5]]]
    entries += [{"note": "seed", "value": seed} for seed in seeds]
    lines = [json.dumps(entry, separators=(",", ":")) for entry in entries]
    (trace / "rank0.entropy").write_text("\n".join(lines), encoding="utf-8")
    return trace


@pytest.mark.parametrize(
    ("kind", "source", "is_unused", "is_chance"),
    [
        ("unseeded-rng", "random", False, True),
        ("unseeded-rng", "random", True, False),
        ("unseeded-generator", "numpy.random.default_rng", False, True),
        ("os-entropy", "random.SystemRandom", False, True),
        ("os-entropy", "tempfile", False, False),
        ("os-entropy", "os.urandom", False, True),
        ("wall-clock", "time.time", False, False),
    ],
)
def test_who_draws_by_chance_may_draw_the_same(
    tmp_path: Path, kind: str, source: str, *, is_unused: bool, is_chance: bool
) -> None:
    """So that one experiment proves nothing: a generator that nobody seeded, unless nothing was drawn from it."""
    trace = write_ledger(tmp_path / "a")
    place = {"place": 1, "key": f"{source}@start", "kind": kind, "source": source}
    entries: list[Any] = [place, [[1, 2]], *([{"note": "unused", "key": f"{source}@start"}] * is_unused)]
    with (trace / "rank0.entropy").open("a", encoding="utf-8") as ledger:
        ledger.writelines(f"\n{json.dumps(entry, separators=(',', ':'))}" for entry in entries)
    assert bool(find_chance(trace)) == is_chance


@pytest.mark.parametrize(
    ("drawing", "is_told"), [("ab", True), ("b", True), ("abb", True), ("a", False), ("aab", False)]
)
def test_who_draws_by_chance_may_have_found_files_all_the_same(
    drawing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    """The run without the files draws what the candidate drew; not where the baseline has drawn more often."""
    for name in "ab":
        trace = write_ledger(tmp_path / name)
        if name in drawing:
            values = [[1, value] for value in range(drawing.count(name))]
            with (trace / "rank0.entropy").open("a", encoding="utf-8") as ledger:
                ledger.write('\n{"place":1,"key":"random@start","kind":"unseeded-rng","source":"random"}')
                ledger.write(f"\n{json.dumps(values)}")
    monkeypatch.setattr(outputs, "has_read_leftovers", lambda *_: True)
    monkeypatch.setattr(outputs, "open_trace", lambda path: path)
    monkeypatch.setattr(outputs, "compare_output", lambda *_: OutputResult())
    plans: list[Plan] = []

    def run(_told: str, plan: Plan, **_: Any) -> Any:
        plans.append(plan)
        return SimpleNamespace(problem=None, first=None, trace=tmp_path, number=3)

    setting = SimpleNamespace(request=SimpleNamespace(trace=tmp_path / "a"), since=0.0, ignored=())
    laboratory: Any = SimpleNamespace(setting=setting, run=run)
    told = outputs.explain_leftovers(laboratory, (replace(LINE, candidate=None),), tmp_path / "b")
    assert (told is not None, [plan.candidate for plan in plans]) == (is_told, [str(tmp_path / "b")] * is_told)


@pytest.mark.parametrize(
    ("source", "value", "printed", "is_chance"),
    [
        ("os.urandom", "3fa9c1d2e4", "run 3FA9C1D2", False),
        ("os.urandom", "3fa9c1d2e4", "run 7", True),
        ("os.urandom", "07", "run 07", True),
        ("tempfile", "abcd1234", "run 7", False),
        ("os.urandom#main.0.0", "3fa9c1d2e4", "run 7", False),  # how a queue of a loader proves who it is
    ],
)
def test_random_bytes_that_are_no_name_may_have_decided(
    tmp_path: Path, source: str, value: str, printed: str, *, is_chance: bool
) -> None:
    """`os.urandom(1)[0] % 2`: the experiment gets the candidate's, or the clock is blamed for what chance does."""
    baseline, candidate = (write_ledger(tmp_path / name) for name in "ab")
    entry = {"place": 1, "key": f"{source}@train.py:4", "kind": "os-entropy", "source": source}
    with (candidate / "rank0.entropy").open("a", encoding="utf-8") as ledger:
        ledger.write(f'\n{json.dumps(entry, separators=(",", ":"))}\n[[1,"{value}"]]')
    OutputWriter(candidate, 0).finish(None, lines=[make_line(printed)])
    assert [plan.candidate for plan in repeat(baseline, candidate)] == [str(candidate) if is_chance else None]


def test_seeds_that_the_runs_do_not_share_are_others_still(tmp_path: Path) -> None:
    """With the clock of the baseline its seeds would come, too, and whatever is drawn with them would look harmless."""
    shared, own = "torch.manual_seed@train.py:9=17", "random.seed@train.py:12=4"
    baseline = write_ledger(tmp_path / "a", shared, f"{own}2")
    candidate = write_ledger(tmp_path / "b", shared, f"{own}3")
    (plan,) = repeat(baseline, candidate)
    assert (plan.keys, plan.candidate, plan.reseeds) == (("time.time@train.py:3",), None, (f"{own}2",))


def test_what_is_free_of_the_machine_is_told_as_the_baseline_told_it(tmp_path: Path) -> None:
    """As a time is: `psutil.Process().memory_info()` is printed beside the loss; other reads of it stay."""
    baseline, candidate = (write_ledger(tmp_path / name) for name in "ab")
    keys = ("psutil.memory_info@train.py:7", "shutil.disk_usage@train.py:8", "os.environ@train.py:9")
    with (baseline / "rank0.entropy").open("a", encoding="utf-8") as ledger:
        for place, key in enumerate(keys, 1):
            entry = {"place": place, "key": key, "kind": "environment", "source": key.partition("@")[0]}
            ledger.write(f"\n{json.dumps(entry, separators=(',', ':'))}\n[[{place},1]]")
    assert [plan.keys for plan in repeat(baseline, candidate)] == [("time.time@train.py:3", *keys[:2])]


def test_what_was_drawn_by_chance_is_not_drawn_again(tmp_path: Path) -> None:
    """With the clock of the baseline and other numbers a run may do what the baseline did, and the clock be blamed."""
    baseline, candidate = (write_ledger(tmp_path / name) for name in "ab")
    with (candidate / "rank0.entropy").open("a", encoding="utf-8") as ledger:
        ledger.write('\n{"place":1,"key":"random@start","kind":"unseeded-rng","source":"random"}\n[[1,2]]')
    for runs in ((baseline, candidate), (candidate, baseline)):
        assert [plan.candidate for plan in repeat(*runs)] == [str(runs[1])]


def test_the_experiment_that_decides_has_the_difference_that_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events are equal: without that it would be told as one that takes the difference away."""
    baseline, candidate = (tmp_path / name for name in "ab")
    for trace in (baseline, candidate):
        TraceWriter(trace, HEADER).close()
    made = Trial(number=1, purpose="", run=SimpleNamespace(trace=candidate), first=None)  # type: ignore[arg-type]
    setting = SimpleNamespace(request=SimpleNamespace(trace=baseline), ignored=())
    laboratory: Any = SimpleNamespace(setting=setting, trials=[made])
    monkeypatch.setattr("reproof.explain.outputs.repeat_candidate", lambda *_: made)
    monkeypatch.setattr("reproof.explain.outputs.compare_output", lambda *_: OPEN.output)
    monkeypatch.setattr("reproof.explain.outputs.explain_leftovers", lambda *_: None)
    settle_output(laboratory, OPEN, candidate)
    (trial,) = laboratory.trials
    assert (trial.first.stage, trial.first.name) == ("output", LINE.name)


@pytest.mark.parametrize("harmless", ["explain_leftovers", "explain_threads"])
def test_what_the_clock_decided_is_a_result_beside_what_is_harmless(
    harmless: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that were trained for as long as there was time: lines on files, or of threads, alone are harmless."""
    baseline, candidate = (tmp_path / name for name in "ab")
    for trace in (baseline, candidate):
        TraceWriter(trace, HEADER).close()
    made = Trial(number=1, purpose="", run=SimpleNamespace(trace=candidate), first=None)  # type: ignore[arg-type]
    laboratory: Any = SimpleNamespace(
        setting=SimpleNamespace(request=SimpleNamespace(trace=baseline), ignored=()), trials=[made]
    )
    weights = OutputDifference(kind="saved", name="w", baseline="float32 [2, 2] a", candidate="float32 [2, 2] b")
    monkeypatch.setattr(outputs, "repeat_candidate", lambda *_: made)
    monkeypatch.setattr(outputs, "compare_output", lambda *_: OPEN.output)
    monkeypatch.setattr(outputs, harmless, lambda *_: "told")
    settled, _ = settle_output(laboratory, replace(OPEN, output=OutputResult(differences=(LINE, weights))), candidate)
    assert (settled.verdict, [one.name for one in settled.differences]) == ("diverged", ["w"])
    settled, _ = settle_output(laboratory, OPEN, candidate)
    assert settled.verdict == "identical"


@pytest.mark.parametrize(
    ("name", "problem", "verdict"),
    [("accuracy", None, "diverged"), ("accuracy", "it failed", "inconclusive"), ("memory", None, "identical")],
)
def test_a_result_that_follows_from_free_memory_is_no_noise(
    name: str, problem: str | None, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of so many samples as there was room for; what is shown of the memory itself is.

    Where the experiment that is to tell fails, nothing is called identical.
    """
    baseline, candidate = (write_ledger(tmp_path / name) for name in "ab")
    with (baseline / "rank0.entropy").open("a", encoding="utf-8") as ledger:
        ledger.write('\n{"place":1,"key":"psutil.virtual_memory@a.py:7","kind":"environment",')
        ledger.write('"source":"psutil.virtual_memory"}\n[[1,1]]')
    line = replace(LINE, baseline=f"{name} 0.91", candidate=f"{name} 0.93")
    differing = replace(OPEN, runs=(str(baseline), str(candidate)), output=OutputResult(differences=(line,)))
    plans: list[Plan] = []

    def run(_told: str, plan: Plan, **_: Any) -> Any:
        plans.append(plan)
        failed = problem if len(plans) > 1 else None
        ended: Any = SimpleNamespace(trace=tmp_path)
        laboratory.trials.append(Trial(number=len(plans), purpose="", run=ended, first=None, problem=failed))
        return laboratory.trials[-1]

    left = iter([OutputResult(), differing.output])
    monkeypatch.setattr(outputs, "tell_failure", lambda *_: None)
    monkeypatch.setattr(outputs, "open_trace", lambda path: SimpleNamespace(num_steps=0, path=path))
    monkeypatch.setattr(outputs, "compare_output", lambda *_: next(left))
    monkeypatch.setattr(outputs, "read_roles", lambda _: None)
    setting = SimpleNamespace(request=SimpleNamespace(trace=baseline), since=0.0, ignored=())
    laboratory: Any = SimpleNamespace(setting=setting, run=run, trials=[])
    settled, why = settle_output(laboratory, differing, candidate)
    assert (settled.verdict, why is None) == (verdict, problem is None)
    clock, memory = "time.time@train.py:3", "psutil.virtual_memory@a.py:7"
    assert [plan.keys for plan in plans] == [(clock, memory), *([(clock,)] * (name == "accuracy"))]


def repeat(baseline: Path, candidate: Path) -> list[Plan]:
    """Return the plans of the experiments that repeat a candidate."""
    plans: list[Plan] = []

    def run(_told: str, plan: Plan, **_: Any) -> Any:
        plans.append(plan)
        return SimpleNamespace(problem=None)

    setting = SimpleNamespace(request=SimpleNamespace(trace=baseline), since=0.0)
    laboratory: Any = SimpleNamespace(setting=setting, run=run)
    repeat_candidate(laboratory, candidate)
    return plans
