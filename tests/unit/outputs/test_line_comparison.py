"""How the lines of two runs are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reproof.outputs.line_comparison import LineComparison, compare_in_order, compare_lines, mask_parts, sort_braces
from reproof.outputs.lines import make_line
from reproof.outputs.masks import mask_line
from reproof.outputs.records import Part, digest_text
from reproof.outputs.surroundings import Surroundings

KNOWN: Final = Surroundings(began_at=1_795_983_060, ended_at=1_795_983_120)


def compare(baseline: str, candidate: str, worker: str = "") -> LineComparison:
    """Compare two texts that one thread has printed."""
    sides = ([make_line(line, "stdout", worker) for line in text.split("\n")] for text in (baseline, candidate))
    return compare_lines(*sides, (KNOWN, KNOWN))


def test_times_only_are_counted_as_masked() -> None:
    """A line that differs in a duration alone is no difference."""
    found = compare("loss 0.31, time 3.2s\nb", "loss 0.31, time 4.1s\nb")
    assert (found.num_compared, found.num_masked, found.differing) == (2, 1, ())


def test_a_result_beside_a_time_is_a_difference() -> None:
    """The line is shown as it was printed in both runs."""
    (difference,) = compare("a\nloss 0.31, time 3.2s", "a\nloss 0.32, time 4.1s").differing
    assert difference.place == "stdout line 2"
    assert (difference.baseline, difference.candidate) == ("loss 0.31, time 3.2s", "loss 0.32, time 4.1s")


def test_an_inserted_line_is_found_alone() -> None:
    """What comes after it is compared with its own counterpart."""
    (difference,) = compare("a\nb\nc", "a\nnew\nb\nc").differing
    assert (difference.baseline, difference.candidate) == (None, "new")


def test_the_order_counts_for_one_thread() -> None:
    """The main thread's lines in another order differ, those of workers do not."""
    assert compare("a\nb", "b\na").differing
    assert not compare("a\nb", "b\na", worker="pool-1").differing


def test_workers_may_share_their_work_in_another_way() -> None:
    """Which thread of a pool prints a line is a race; a line that none prints is a difference."""
    known = (KNOWN, KNOWN)
    baseline = [make_line("a", "stdout", "w1"), make_line("b", "stdout", "w2")]
    candidate = [make_line("b", "stdout", "w1"), make_line("a", "stdout", "w1")]
    assert not compare_lines(baseline, candidate, known).differing
    (difference,) = compare_lines(baseline, candidate[:1], known).differing
    assert (difference.baseline, difference.candidate) == ("a", None)


def test_a_printed_set_in_another_order_is_told() -> None:
    """Neither a difference nor silence."""
    found = compare("{'a', 'b'} 0.5", "{'b', 'a'} 0.5")
    assert not found.differing
    assert len(found.told) == 1


def test_another_drawing_is_told() -> None:
    """Which picture a preview shows is no result; a few signs may be one, and so is what stands in words beside it."""
    found = compare("digit 3\n++==\n==**\n++++\n**++\nloss 0.5", "digit 3\n====\n==**\n++++\n++++\nloss 0.5")
    assert (found.differing, len(found.drawn)) == ((), 2)
    assert compare("seen\n++==\n==**\n++++\n**++", "seen").drawn
    assert len(compare("digit 3\n+\n+\n+\n+", "digit 4\n=\n=\n=\n=").differing) == 1
    assert compare("+-+-\n-+-+\n++--", "+-+-\n-++-\n++--").differing
    assert compare("\n".join("+-+-"), "\n".join("+-+b")).differing
    assert len(compare("###\n##\n####\n#", "###\n#\n####\n##").differing) == 2
    long = f"{'+' * 5000}1\n" + "+\n" * 4
    assert compare(long, long.replace("1", "2")).differing


def test_results_in_another_order_are_a_difference() -> None:
    """The same words are not the same line: in a list, or beside other names."""
    assert compare("a 0.1 b 0.2", "a 0.2 b 0.1").differing
    assert compare("['a', 'b']", "['b', 'a']").differing
    assert compare("{'a': 0.1, 'b': 0.2}", "{'a': 0.2, 'b': 0.1}").differing


def test_sets_within_dicts_are_sorted() -> None:
    """Nested braces are sorted from within; brackets that do not match leave the text as it is."""
    assert sort_braces("{'x': {2, 1}, 'a': (3, 2)}") == sort_braces("{'a': (3, 2), 'x': {1, 2}}")
    assert sort_braces("{2, 1]") == "{2, 1]"
    assert sort_braces("""it's {1: "a's, }", 2: 'c\\', d'}""") == sort_braces("""it's {2: 'c\\', d', 1: "a's, }"}""")
    assert sort_braces("{1: 'a, b', 2: 'c, d'}") != sort_braces("{1: 'a, d', 2: 'c, b'}")


def test_equal_lines_are_equal_though_one_run_alone_knows_a_number_as_its_own() -> None:
    """What is the number of a process in one run is a step in the other."""
    line = "epoch-4242 loss 0.5"
    of_process = replace(KNOWN, process_ids=(4242,))
    parts = [
        Part(name="line 1", digest=digest_text(line), masked=digest_text(mask_line(line, known)[0]), text=line)
        for known in (KNOWN, of_process)
    ]
    assert parts[0].masked != parts[1].masked
    other = replace(parts[1], digest=digest_text("epoch-4242 loss 0.6"))
    assert not compare_in_order(mask_parts(parts[:1]), mask_parts(parts[1:])).differing
    assert len(compare_in_order(mask_parts(parts[:1]), mask_parts([other])).differing) == 1
