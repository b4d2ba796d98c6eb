"""What two runs have put out, compared as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from reproof.outputs.comparison import OutputComparison, compare_outputs
from reproof.outputs.formats.parts import PartCollector
from reproof.outputs.lines import make_line
from reproof.outputs.records import LATE, FileOutput, Part, RunOutput, SavedTensor, UnkeptLines, digest_text
from reproof.outputs.surroundings import Surroundings

KNOWN: Final = Surroundings(began_at=1_795_983_060, ended_at=1_795_983_120)


def save(value: str, step: int = 0, path: str = "['w']", masked: str | None = None, file: str = "a.pt") -> SavedTensor:
    """Return a saved value."""
    digest = digest_text(value)
    return SavedTensor(step=step, file=file, path=path, digest=digest, masked=masked or digest, text=value)


def file(name: str, *values: str, form: str = "JSON", masked: str | None = None) -> FileOutput:
    """Return a file of values."""
    parts = (
        Part(name=f"[{n}]", digest=digest_text(value), masked=masked or digest_text(value), text=value)
        for n, value in enumerate(values)
    )
    return FileOutput(name=name, format=form, parts=tuple(parts))


def compare(baseline: RunOutput, candidate: RunOutput, ignored: tuple[str, ...] = ()) -> OutputComparison:
    """Compare two outputs of runs of the same minute."""
    return compare_outputs(replace(baseline, surroundings=KNOWN), replace(candidate, surroundings=KNOWN), ignored)


def of(*, saved: tuple[SavedTensor, ...] = (), text: str = "", files: tuple[FileOutput, ...] = ()) -> RunOutput:
    """Return an output."""
    lines = tuple(make_line(line) for line in text.split("\n") if line)
    return RunOutput(surroundings=None, saved=saved, lines=lines, files=files)


def test_equal_outputs_have_no_difference() -> None:
    """All that was compared is counted."""
    output = of(saved=(save("1"),), text="a\nb", files=(file("x", "1"),))
    found = compare(output, output)
    assert (found.first, found.noise, found.notes, found.not_compared) == (None, (), (), ())
    assert (found.num_saved, found.num_lines, found.num_files) == (1, 2, 1)


def test_differences_come_in_order() -> None:
    """What was saved first by step, then printed lines, then files."""
    baseline = of(saved=(save("1", 5), save("1", 2, "['b']")), text="a", files=(file("x", "1"),))
    candidate = of(saved=(save("2", 5), save("2", 2, "['b']")), text="b", files=(file("x", "2"),))
    found = compare(baseline, candidate)
    assert [(one.kind, one.step) for one in found.differences] == [
        ("saved", 2),
        ("saved", 5),
        ("line", None),
        ("file", None),
    ]
    assert [one.name for one in found.differences] == ["saved a.pt['b']", "saved a.pt['w']", "stdout line 1", "x[0]"]
    assert found.first is not None
    assert found.first.baseline is not None
    assert found.first.baseline.startswith("1, digest ")


def test_a_name_that_was_drawn_is_known_after_saving() -> None:
    """A checkpoint states the random digits of its run; they are known when the run ends."""
    for value, other, path, is_noise in (
        ("3fa9c1d2", "77be01aa", "['run_id']", True),
        ("3fa9c1d2 at 0.91", "77be01aa at 0.93", "['run_id']", False),
        ("3fa9c1d2", "77be01ab", "['run_id']", False),
        ("float32 [2, 3]", "float32 [2, 3]", "['w']", False),
    ):
        runs = [
            RunOutput(
                surroundings=replace(KNOWN, identifiers=(drawn,)),
                saved=(replace(save(text, path=path, masked=digest), digest=digest),),
            )
            for digest, text, drawn in (("1", value, "3fa9c1d2"), ("2", other, "77be01aa"))
        ]
        found = compare_outputs(*runs)
        assert (found.first is None, len(found.noise)) == (is_noise, int(is_noise))


def test_noise_is_told_apart() -> None:
    """What differs in known noise only is no difference."""
    masked = digest_text("<date>")
    baseline = of(saved=(save("1", masked=masked),), text="took 3.2 s", files=(file("x", "1", masked=masked),))
    candidate = of(saved=(save("2", masked=masked),), text="took 4.1 s", files=(file("x", "2", masked=masked),))
    found = compare(baseline, candidate)
    assert found.first is None
    assert [one.kind for one in found.noise] == ["saved", "file"]
    assert found.num_masked_lines == 1


def test_a_value_that_one_run_alone_saved_is_a_difference() -> None:
    """So is a file that one run alone has."""
    found = compare(of(saved=(save("1"),), files=(file("x", "1"),)), of())
    assert [(one.kind, one.candidate) for one in found.differences] == [("saved", None), ("file", None)]


def test_the_same_file_saved_twice_is_compared_twice() -> None:
    """Occurrences are counted."""
    found = compare(of(saved=(save("1"), save("2"))), of(saved=(save("1"), save("3"))))
    assert len(found.differences) == 1


def test_saved_files_are_paired_by_masked_names() -> None:
    """A checkpoint in a folder named after the time."""
    first = of(saved=(save("1", file="20261129-201101/a.pt"),))
    second = of(saved=(save("1", file="20261129-201151/a.pt"),))
    assert compare(first, second).first is None


def test_text_files_are_compared_like_lines() -> None:
    """An inserted line is one difference, and a printed set in another order is told."""
    found = compare(of(files=(file("x", "a", "b", form="lines"),)), of(files=(file("x", "n", "a", "b", form="lines"),)))
    assert [(one.baseline, one.candidate) for one in found.differences] == [(None, "n")]
    found = compare(of(files=(file("x", "{1, 2}", form="lines"),)), of(files=(file("x", "{2, 1}", form="lines"),)))
    assert found.first is None
    assert found.notes == ("x [0]: only the order of the elements of a set or dict differs: {1, 2}",)


def test_parts_in_another_order_are_told() -> None:
    """The keys of a dict whose order is that of a set."""
    first = file("x", "1", "2")
    found = compare(of(files=(first,)), of(files=(replace(first, parts=first.parts[::-1]),)))
    assert found.first is None
    assert found.notes == ("x: the same parts come in another order",)


def test_another_format_is_a_difference() -> None:
    """A damaged file against a sound one."""
    found = compare(of(files=(file("x", "1"),)), of(files=(file("x", "1", form="bytes"),)))
    assert [(one.baseline, one.candidate) for one in found.differences] == [("JSON", "bytes")]


def test_what_is_not_compared_is_named() -> None:
    """A tracker's own file, and lines that were turned off."""
    unread = FileOutput(name="r.wandb", format="unread", not_compared="full of times")
    output = replace(of(files=(unread,)), notes=("lines: --no-output",))
    found = compare(output, replace(output, is_complete=False))
    assert [(one.what, one.why) for one in found.not_compared] == [
        ("output", "lines: --no-output"),
        ("printed lines and files", "the candidate has not written it to its end"),
        ("r.wandb", "full of times"),
    ]


def test_an_object_that_is_saved_is_collected_like_a_file() -> None:
    """A date in it is noise, a number is not."""
    outputs = []
    for number, loss in ((0, 0.5), (1, 0.25)):
        parts = PartCollector(KNOWN)
        parts.add_value("['saved_at']", KNOWN.began_at + number, ("saved_at",))
        parts.add_value("['loss']", loss, ("loss",))
        saved = (
            SavedTensor(step=7, file="a.pt", path=part.name, digest=part.digest, masked=part.masked, text=part.text)
            for part in parts.finish()
        )
        outputs.append(of(saved=tuple(saved)))
    found = compare(*outputs)
    assert [(one.name, one.step) for one in found.differences] == [("saved a.pt['loss']", 7)]
    assert [one.name for one in found.noise] == ["saved a.pt['saved_at']"]


def test_paths_of_a_dated_folder_within_a_checkpoint_are_noise() -> None:
    """As values beside a metric, and as keys: Lightning keeps the scores of its best checkpoints by path."""
    monitor = "ModelCheckpoint{'monitor': 'val/acc'}"

    def build(second: int, score: str, name: str) -> RunOutput:
        path = f"/data/runs/2026-11-29_20-11-{second}/{name}"
        parts = PartCollector(KNOWN)
        parts.add_value(f"[\"{monitor}\"]['best']", path, (monitor, "best"))
        parts.add_value(f"['scores']['{path}']", score, ("scores", path))
        saved = (
            SavedTensor(step=7, file="a.pt", path=part.name, digest=part.digest, masked=part.masked, text=part.text)
            for part in parts.finish()
        )
        return of(saved=tuple(saved), files=(FileOutput(name="b.pt", format="zip", parts=parts.finish()),))

    first = build(10, "0.5", "e0.ckpt")
    assert compare(first, build(51, "0.5", "e0.ckpt")).first is None
    assert len(compare(first, build(51, "0.6", "e0.ckpt")).differences) == 2
    assert len(compare(first, build(51, "0.5", "e1.ckpt")).differences) == 6


def test_ignored_files_are_left_out() -> None:
    """Of what was saved too."""
    baseline = of(saved=(save("1", file="a.log"),), files=(file("b.log", "1"),))
    assert compare(baseline, of(), ("*.log",)).first is None


def test_lines_beyond_those_kept_are_compared_by_their_digest() -> None:
    """Of several workers the sums are compared."""
    unkept = [UnkeptLines(stream="stdout", worker=w, count=1, digest=f"{n:032x}") for w, n in (("a", 1), ("b", 2))]
    swapped = [UnkeptLines(stream="stdout", worker=w, count=1, digest=f"{n:032x}") for w, n in (("a", 2), ("b", 1))]
    output = of()
    assert compare(replace(output, unkept=tuple(unkept)), replace(output, unkept=tuple(swapped))).first is None
    assert compare(replace(output, unkept=tuple(unkept)), replace(output, unkept=tuple(swapped[:1]))).first is not None


def test_lines_printed_as_the_interpreter_ends_are_not_judged() -> None:
    """By an experiment they cannot be: it keeps them as lines, and gives them no clock of the baseline."""
    first, second = ((UnkeptLines(stream="stdout", worker="", count=1, digest=f"{n:032x}"),) for n in (1, 2))
    found = [compare(replace(of(), late=first), replace(of(), late=late)) for late in (first, second, ())]
    assert [[one.why for one in run.not_compared] for run in found] == [[], [LATE], [LATE]]
    assert not any(run.differences for run in found)


@pytest.mark.parametrize("name", ["x.txt", "../out/x.txt", "/data/x.txt"])
def test_a_file_that_one_run_alone_wrote(name: str) -> None:
    """A difference, wherever it is, unless it looked for it in vain and the other found it: it is a cache then."""
    known = replace(KNOWN, folder="/work")
    missed, left = (FileOutput(name=name.replace("..", ""), format=how) for how in ("missed", "untouched"))
    cached, wrote = (replace(of(files=(file(name, "1"), *looks)), surroundings=known) for looks in ((missed,), ()))
    found = replace(of(files=(left,)), surroundings=known)
    for order in (1, -1):
        both = compare_outputs(*(cached, found)[::order])
        assert not both.differences
        assert [note.split(":")[0] for note in both.notes] == [name]
        for lone in ((cached, of()), (wrote, found)):
            assert [difference.name for difference in compare_outputs(*lone[::order]).differences] == [name]


@pytest.mark.parametrize(
    ("missed", "other", "is_cache"),
    [
        pytest.param("data/proc", (), True, id="the folder was moved to its place"),
        pytest.param("data", ("log.txt",), True, id="the other run writes elsewhere"),
        pytest.param("data", ("data/log.txt",), False, id="the other run writes there as well"),
        pytest.param("data/proc/b", (), False, id="looked for another file"),
        pytest.param("data/proc/.done", (), True, id="looked for a marker that the other run has found"),
        pytest.param("data/proc/.done", ("data/proc/log.txt",), False, id="a marker in a folder of results"),
        pytest.param(".done", (), False, id="a marker in the working folder"),
    ],
)
def test_a_folder_that_was_looked_for(missed: str, other: tuple[str, ...], *, is_cache: bool) -> None:
    """It is a cache as a whole, or one of results, into which the other run may have decided not to write the file."""
    log = [file(name, "2") for name in other]
    wrote = of(files=(file("data/proc/a", "1"), FileOutput(name=missed, format="missed"), *log))
    left = ("data/proc/a", *(name for name in (missed,) if name.endswith(".done")))
    found = of(files=(*(FileOutput(name=name, format="untouched") for name in left), *log))
    assert (compare(wrote, found).first is None) is is_cache


def test_what_one_run_alone_saved_to_a_cache() -> None:
    """The other has found the file; if it saved there itself, what both saved is compared."""
    found = FileOutput(name="a.pt", format="untouched")
    missed = (FileOutput(name="a.pt", format="missed"),)
    assert compare(of(files=missed, saved=(save("1"),)), of(files=(found,))).first is None
    assert compare(of(files=missed, saved=(save("1"),)), of(files=(found,), saved=(save("2"),))).first is not None


def test_what_was_written_over_is_no_cache() -> None:
    """Both runs have found it, as the best result so far, and one has decided not to write it."""
    found = of(files=(FileOutput(name="a.pt", format="untouched"),))
    saved, written = replace(save("1"), was_there=True), replace(file("a.pt", "1"), was_there=True)
    for wrote in (
        of(files=(written,)),
        of(saved=(saved,)),
        of(saved=(save("1"),), files=(replace(written, saved_as="a.pt"),)),
    ):
        assert compare(wrote, found).first is not None
        assert compare(found, wrote).first is not None


def test_what_was_saved_counts_by_the_place_that_it_was_moved_to() -> None:
    """What it was called before may be anything, such as the address of an object; also in a numbered folder."""
    runs = [
        of(
            saved=(save("1", file=f"runs/exp{number}/a.{name}"),),
            files=(
                replace(file(f"runs/exp{number}/a.pt", "1"), saved_as=f"runs/exp{number}/a.{name}"),
                FileOutput(name="runs/exp1/", format="untouched"),
            ),
        )
        for number, name in ((1, "tmp"), (2, "tmp"), (1, "139650724949648"))
    ]
    assert [compare(runs[0], run).differences for run in runs] == [(), (), ()]


def test_a_numbered_folder_is_compared_with_the_one_that_was_taken() -> None:
    """By content, of what was saved as well."""
    first = of(saved=(save("1", file="runs/exp1/a.pt"),), files=(file("runs/exp1/log", "1"),))
    second = of(
        saved=(save("1", file="runs/exp2/a.pt"),),
        files=(file("runs/exp2/log", "2"), FileOutput(name="runs/exp1/", format="untouched")),
    )
    assert [difference.name for difference in compare(first, second).differences] == ["runs/exp1/log[0]"]


def test_what_names_a_numbered_file_is_as_what_names_the_first() -> None:
    """As a checkpoint names itself, in files, saved values, keys and lines; another word is a difference."""

    def finish(name: str, loss: str = "0.5") -> RunOutput:
        path = f"/project/ckpt/{name}"
        taken = () if name == "a.pt" else (FileOutput(name="ckpt/a.pt", format="untouched"),)
        return of(
            saved=(save(path, file=f"ckpt/{name}"), save("1", path=f"['best_k']['{path}']")),
            text=f"loss {loss}: saved {path}",
            files=(
                file(f"ckpt/{name}", path),
                FileOutput(name="b", format="JSON", parts=(Part(name=f"['{path}']", digest="", masked="", text=""),)),
                *taken,
            ),
        )

    first, second = finish("a.pt"), finish("a-v1.pt")
    for runs in ((first, second), (second, first)):
        found = compare(*runs)
        assert found.differences == ()
        assert found.num_masked_lines == 1
    assert [one.kind for one in compare(first, finish("a-v1.pt", "0.6")).differences] == ["line"]


@pytest.mark.parametrize("told", ["x" * 3000, f"ghp_{'a' * 36}"], ids=["long", "secret"])
def test_what_is_not_shown_of_a_line_counts(told: str) -> None:
    """Lines that name numbered files, and differ in what is cut off or taken out of them as well."""
    first = of(text=f"saved r1.pt {told}1", files=(file("r1.pt", "1"),))
    second = of(text=f"saved r2.pt {told}2", files=(file("r2.pt", "1"), FileOutput(name="r1.pt", format="untouched")))
    assert [one.kind for one in compare(first, second).differences] == ["line"]


def test_a_folder_that_is_a_number_is_not_what_a_line_says() -> None:
    """The loss is another one, though with the number of the other folder it would be the same."""
    first = of(text="loss 1.5", files=(file("1/a.pt", "1"),))
    second = of(text="loss 2.5", files=(file("2/a.pt", "1"), FileOutput(name="1/", format="untouched")))
    assert [one.kind for one in compare(first, second).differences] == ["line"]


def test_a_progress_bar_that_shows_the_number_of_a_folder() -> None:
    """Lightning's show that of its logger; any other number there is a difference."""

    def show(text: str, version: int) -> RunOutput:
        listed = FileOutput(name="logs/*", format="untouched")
        return of(text=text, files=(file(f"logs/version_{version}/m.csv", "1"), listed))

    first = show("3/3 v_num: 0.000 loss: 0.5", 0)
    assert compare(first, show("3/3 v_num: 1.000 loss: 0.5", 1)).first is None
    for other in ("3/3 v_num: 2.000 loss: 0.5", "3/3 v_num: 1.000 loss: 1.5", "3/3 v_num: 1.500 loss: 0.5"):
        assert [one.kind for one in compare(first, show(other, 1)).differences] == ["line"]
