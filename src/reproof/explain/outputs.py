"""Decide what a difference in the output of two equal trainings comes from, by experiment.

The candidate is run again with the clocks, process numbers, host and temporary names of the baseline. If its output is
then the baseline's, the difference was one of the surroundings and is harmless. Seeds are not: where the two runs gave
different ones to a generator, as the clock's, this run gives yet others, and what is made of them differs still.
Results that the clock has decided are not, either (`timed_results`), nor those that follow from how much memory is
free: the candidate then measures for itself once more. Where the candidate read files that the baseline had left, such
as data that it had downloaded, a further run without them tells whether it is only said once that they are made. Where
threads print beside the training, what still differs may be theirs: a further run tells counts and times from results
(`racy_lines`). Whatever else differs is a divergence, and its cause is searched for as that of any other event.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from reproof.comparison.calls import THREAD
from reproof.comparison.outputs import compare_output, describe_output, find_again, lacks_end
from reproof.entropy.ledger import OF_TASK, read_ledgers, read_seeds
from reproof.entropy.plan import Plan
from reproof.errors import TraceError
from reproof.explain.failures import choose_remedy
from reproof.explain.laboratory import has_failed
from reproof.explain.leftovers import collect_leftovers
from reproof.explain.racy_lines import WORKER, Given, Roles, are_explained
from reproof.explain.suspects import find_unused
from reproof.explain.timed_results import find_results, states_result
from reproof.outputs.found import FoundFiles
from reproof.outputs.sidecar import read_output
from reproof.outputs.surroundings import NAME_DIGITS
from reproof.schema import PROCESSES, Probes
from reproof.schema.output import WHOLE_FILE
from reproof.trace import open_trace
from reproof.trace.probes import read_given
from reproof.trace.reader import list_processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reproof.entropy.ledger import Source
    from reproof.explain.laboratory import Laboratory, Trial
    from reproof.outputs.records import RunOutput
    from reproof.schema import Comparison, OutputDifference, Verdict

HARMLESS_KINDS: Final = frozenset({"wall-clock", "process-identity"})
CHANCE: Final = frozenset({"unseeded-rng", "unseeded-generator", "random.SystemRandom"})
"""Kinds of sources, and a source, of numbers that decide something. Those of `os.urandom` do unless they are a name."""
RACES: Final = frozenset({"concurrency"})
HARMLESS: Final = (
    "with the clocks, process numbers, host and temporary names of the baseline the output of the candidate is the "
    "baseline's"
)
NUMBER: Final = re.compile(r"\d")
FINDING: Final = re.compile(
    r"\b(?:already|cached?|exists?|found|load(?:ed|ing)?|reus(?:ed?|ing)|skip(?:ped|ping)?)\b", re.IGNORECASE
)
"""What a program says that has found a file which it would have made."""
WARNED: Final = re.compile(r"\A\S{1,400}\.py:\d{1,9}: (?=\D)")
"""Where a warning comes from, before what it says: the file and line in which it is written."""
MEASURES: Final = ("psutil.", "shutil.disk_usage")
"""How sources begin that tell how much of the machine is free or taken: shown like a time, and no result."""
TEMPORARY: Final = "tempfile"
"""Part of the name of a source from which temporary names come."""


def settle_output(laboratory: Laboratory, comparison: Comparison, candidate: Path) -> tuple[Comparison, str | None]:
    """Decide what the open differences in output come from, with one experiment.

    Args:
        laboratory: Where the experiment is made; what is then searched for is set in it.
        comparison: Of runs whose events agree and whose outputs differ; nothing is judged if one alone has
            failed, or both because a process was killed.
        candidate: Trace of the candidate.

    Returns:
        The comparison with its verdict: *identical* if the differences are harmless, *diverged* if not, and as it was
        if the experiment could not tell; and why it could not.

    Raises:
        BudgetSpentError: If no more experiments may be made.
    """
    told = None if comparison.output is None else tell_failure(laboratory.setting.request.trace, candidate)
    if comparison.output is None or told is not None:
        return comparison, told
    trial = repeat_candidate(laboratory, candidate)
    if (why := tell_unfit(trial)) is not None:
        return comparison, why
    left = find_left(laboratory, trial)
    if not left:
        told = f"{HARMLESS} (experiment {trial.number})"
        return judge_surroundings(laboratory, comparison, comparison.output.differences, trial, told)
    confirmed = tuple(difference for difference in comparison.output.differences if find_again([difference], left))
    others = [one for one in comparison.output.differences if confirmed and one not in confirmed]
    if (told := explain_threads(laboratory, comparison, confirmed)) is not None:
        others = [one for one in others if one.kind == "saved"]  # what was printed may be the threads'
    else:
        told = explain_leftovers(laboratory, confirmed, candidate)
    if told is not None:
        return judge_surroundings(laboratory, comparison, others, trial, told)
    if not confirmed:
        return comparison, f"the output of each run differs in other places (experiment {trial.number})"
    return reject(laboratory, comparison, confirmed), None


def tell_unfit(trial: Trial) -> str | None:
    """Return why an experiment tells nothing of what the output differs by; None if it does."""
    if trial.problem is None and trial.first is None:
        return None
    why = trial.problem or "it diverged from the baseline"
    if trial.failure is not None:
        why = f"{trial.failure}; {choose_remedy(trial.failure)}"
    return f"experiment {trial.number}, which was to tell what the output differs by, failed: {why}"


def find_left(laboratory: Laboratory, trial: Trial) -> tuple[OutputDifference, ...]:
    """Return in what the output of an experiment differs from the baseline's; that is then told of it, too."""
    baseline = open_trace(laboratory.setting.request.trace)
    found = compare_output(baseline, open_trace(trial.trace), laboratory.setting.ignored)
    left = () if found is None else found.differences
    if left:
        laboratory.trials[trial.number - 1] = replace(trial, first=describe_output(left[0], baseline.num_steps))
    return left


def find_measured(
    laboratory: Laboratory, differences: Iterable[OutputDifference], candidate: Path
) -> tuple[tuple[OutputDifference, ...], str | None]:
    """Return the results that follow from how much of the machine is free: they differ if only that is the candidate's.

    Where there may be any, one more experiment is made. If it cannot tell, why is returned, too.
    """
    stated = tuple(filter(states_result, differences))
    keys = find_surroundings(laboratory)
    if not stated or not any(key.startswith(MEASURES) for key in keys):
        return (), None
    trial = _repeat(laboratory, candidate, is_clean=False, measures=True)
    if (why := tell_unfit(trial)) is not None:
        return (), why
    left = find_left(laboratory, trial)
    return tuple(one for one in stated if find_again([one], left)), None


def judge_surroundings(
    laboratory: Laboratory, comparison: Comparison, differences: Sequence[OutputDifference], trial: Trial, told: str
) -> tuple[Comparison, str | None]:
    """Return the comparison of runs that differ in this by their clocks, process numbers and names alone.

    `told` says how it was shown that all else is harmless. What it returns is as for `settle_output`.
    """
    results, why = find_results(differences, read_roles(trial.trace)), None
    if not results:
        results, why = find_measured(laboratory, differences, Path(comparison.runs[1]))
    if why is not None:
        return comparison, why
    return (reject(laboratory, comparison, results) if results else accept(comparison, told)), None


def tell_failure(*runs: Path) -> str | None:
    """Return why what runs printed tells nothing of results: one alone failed, or in each a process was killed.

    How far the others came, and what they said of it, before they were ended as well is a race.
    """
    traces = [open_trace(folder) for folder in runs]
    failed = [trace.folder.name for trace in traces if has_failed(trace.header)]
    if len(failed) == 1:
        return f"what the runs put out was not judged: {failed[0]} alone ended by an error"
    killed = [[name for name, child in trace.children.items() if child.header.status == "running"] for trace in traces]
    if len(failed) == len(traces) and all(killed):
        return (
            f"what the runs put out was not judged: each run failed after a process was killed ({', '.join(killed[0])})"
        )
    return None


def repeat_candidate(laboratory: Laboratory, candidate: Path) -> Trial:
    """Run the candidate again, with what the baseline read of its surroundings, and other seeds if it gave others.

    Where numbers are drawn that nobody seeded, it gets the candidate's: with others it might do by chance what the
    baseline did. It takes place among the files that the baseline has left, as the candidate did. With the clock of the
    baseline it would make a folder of the same name again; if it fails for that, and has read none of the files, they
    are removed.
    """
    trial = _repeat(laboratory, candidate, is_clean=False)
    if trial.problem is None or has_read_leftovers(laboratory, candidate):
        return trial
    return _repeat(laboratory, candidate, is_clean=True)


def find_reseeds(laboratory: Laboratory, candidate: Path) -> tuple[str, ...]:
    """Return the seeds that the baseline alone has given to generators, which would come again with its clock."""
    seeds, others = (read_seeds(trace) for trace in (laboratory.setting.request.trace, candidate))
    return tuple(seed for seed in seeds if seed not in others)


def find_chance(trace: Path) -> Counter[str]:
    """Return how often a run has drawn what nobody seeded, and may have decided something, by the key of its source."""
    ledgers = read_ledgers(trace)
    unused = find_unused(ledgers)
    output = read_output(trace, 0)
    told = "" if output is None else "\n".join(_list_texts(output)).lower()
    counts: Counter[str] = Counter()
    for source in (source for ledger in ledgers.values() for source in ledger.values()):
        is_drawn = source.kind in CHANCE or source.source in CHANCE or has_bytes(source, told)
        if is_drawn and source.key not in unused:
            counts[source.key] += max(1, len(source.values))
    return counts


def has_bytes(source: Source, told: str) -> bool:
    """Whether this gave the user's code random bytes of the system of which no name was made that is told somewhere."""
    is_other = source.kind != "os-entropy" or TEMPORARY in source.source or OF_TASK in source.key
    values = [] if is_other else [str(value).lower() for value in source.values]
    return any(len(value) < NAME_DIGITS or value[:NAME_DIGITS] not in told for value in values)


def _list_texts(output: RunOutput) -> Iterator[str]:
    """Yield what may name a random number: names of files, lines, and what is in files."""
    for file in output.files:
        yield file.name
        yield from (part.text for part in file.parts)
    yield from (text for tensor in output.saved for text in (tensor.file, tensor.text))
    yield from (line.text for line in output.lines)


def _repeat(laboratory: Laboratory, candidate: Path, *, is_clean: bool, measures: bool = False) -> Trial:
    where = ", in the folder as the baseline found it" if is_clean else ", with measures of its own" if measures else ""
    trace = laboratory.setting.request.trace
    plan = Plan(
        baseline=str(trace),
        keys=tuple(key for key in find_surroundings(laboratory) if not (measures and key.startswith(MEASURES))),
        candidate=str(candidate) if any(map(find_chance, (trace, candidate))) else None,
        reseeds=find_reseeds(laboratory, candidate),
        since=laboratory.setting.since,
    )
    return laboratory.run(
        f"the candidate again, with the clocks, process numbers, host and temporary names of the baseline{where}",
        plan,
        num_steps=None,
        is_hash_seed_of_baseline=False,
        clean_files=None if is_clean else frozenset(),
        probes=Probes(notes_numbers=True),
    )


def explain_leftovers(laboratory: Laboratory, differences: tuple[OutputDifference, ...], candidate: Path) -> str | None:
    """Tell whether the baseline has only said that it makes files, which the candidate found, with one more experiment.

    In the folder as the baseline found it the candidate has to print the very same, to the last number. With the files
    there it trained as well as the baseline, so that they hold what is made without them. What the candidate prints in
    its place may only say that it found them: anything else may be what it makes of an earlier run's results.

    Args:
        laboratory: Where the experiment is made.
        differences: What differs with the baseline's surroundings.
        candidate: Trace of the candidate.

    Returns:
        How that was shown, in words; None if it was not.
    """
    folders = find_cache_folders(laboratory.setting.request.trace, candidate)
    output = read_output(candidate, 0)
    place = None if output is None or output.surroundings is None else output.surroundings.folder
    if not differences or not all(may_tell_of_files(one, folders, place or "/") for one in differences):
        return None
    if not has_read_leftovers(laboratory, candidate):
        return None
    if find_chance(laboratory.setting.request.trace) - find_chance(candidate):
        return None  # it might draw as often, and of what is beyond the candidate's draws nothing can be repeated
    trial = _repeat(laboratory, candidate, is_clean=True)
    if trial.problem is not None or trial.first is not None:
        return None
    traces = open_trace(laboratory.setting.request.trace), open_trace(trial.trace)
    left = compare_output(*traces, laboratory.setting.ignored)
    if left is None or left.differences:
        return None
    return (
        "what differs tells of files that the baseline made and the candidate found: without them the output of the "
        f"candidate is the baseline's (experiment {trial.number})"
    )


def find_cache_folders(baseline: Path, candidate: Path) -> frozenset[str]:
    """Return the folders, other than the working folder, in which the candidate found what the baseline had made."""
    outputs = [read_output(folder, 0) for folder in (baseline, candidate)]
    if outputs[0] is None or outputs[1] is None:
        return frozenset()
    made, found = map(FoundFiles, (outputs[0], outputs[1]))
    caches = (file for file in outputs[0].files if made.is_cache(file.name, found, was_there=file.was_there))
    return frozenset(PurePath(file.name).parent.as_posix() for file in caches) - {"."}


def may_tell_of_files(difference: OutputDifference, folders: frozenset[str] = frozenset(), place: str = "/") -> bool:
    """Whether a difference may only say that a file was made, or found: as to its words, not as to what is so.

    Args:
        difference: What differs.
        folders: Where a file that the baseline alone has may belong to others, which the candidate has found.
        place: The working folder, whose name may have a number in it that is no result.
    """
    if difference.kind == "file":
        is_lone = difference.baseline == WHOLE_FILE and difference.candidate is None
        return is_lone and PurePath(difference.name).parent.as_posix() in folders
    text = None if difference.candidate is None else WARNED.sub("", difference.candidate).replace(place, "")
    says_found = text is None or (FINDING.search(text) is not None and NUMBER.search(text) is None)
    return difference.kind == "line" and says_found


def read_roles(trace: Path) -> Roles | None:
    """Return what the numbers of a run's lines are; None if it is not known which of them tensors gave."""
    output = read_output(trace, 0)
    given: list[frozenset[int | float]] = []
    for folder in (trace, *(trace / PROCESSES / label for label in list_processes(trace))):
        with contextlib.suppress(TraceError):  # PyTorch was not imported there, or the process was killed
            given.append(read_given(folder, 0))
    return Roles(output.lines, Given(frozenset().union(*given))) if output is not None and given else None


def has_read_leftovers(laboratory: Laboratory, candidate: Path) -> bool:
    """Whether a line of the candidate has read a file that the baseline had left."""
    steps = open_trace(candidate).num_steps
    found = collect_leftovers(read_ledgers(candidate), laboratory.setting.overlay, steps)
    return any(suspect.file is not None for suspect in found)


def find_keys(trace: Path, but: frozenset[str]) -> list[str]:
    """Return the keys of all that a run read, but for some kinds."""
    ledgers = read_ledgers(trace).values()
    return list(dict.fromkeys(one.key for ledger in ledgers for one in ledger.values() if one.kind not in but))


def find_surroundings(laboratory: Laboratory) -> list[str]:
    """Return the keys of the baseline's reads of clocks, process numbers, its host and its use, and temporary names."""
    sources = [
        source
        for ledger in read_ledgers(laboratory.setting.request.trace).values()
        for source in ledger.values()
        if source.kind in HARMLESS_KINDS or TEMPORARY in source.source or source.source.startswith(MEASURES)
    ]
    return list(dict.fromkeys(source.key for source in sources))


def has_threads(comparison: Comparison) -> bool:
    """Whether what differs may have been printed by threads, or tell of what they did."""
    called = any(what.what.endswith(THREAD) for what in comparison.beside)
    output = comparison.output
    return called or (output is not None and any(WORKER.search(one.name) for one in output.differences))


def explain_threads(
    laboratory: Laboratory, comparison: Comparison, differences: tuple[OutputDifference, ...]
) -> str | None:
    """Tell whether outputs differ only by what threads had time for, with one more experiment if there are any.

    Everything but the outcomes of races is replayed in it. What then still differs is left to chance by the threads.

    Args:
        laboratory: Where the experiment is made.
        comparison: Of the two runs.
        differences: What differs with the baseline's surroundings; empty for all that differs.

    Returns:
        How that was shown, in words; None if it was not.
    """
    if not has_threads(comparison):
        return None
    trace = laboratory.setting.request.trace
    candidate = Path(comparison.runs[1])
    outputs = [read_output(folder, 0) for folder in (trace, candidate)]
    if outputs[0] is None or outputs[1] is None or len(open_trace(trace).ranks) > 1:
        return None
    trial = laboratory.run(
        "the candidate again, with all that the baseline read but the outcomes of races",
        Plan(baseline=str(trace), keys=tuple(find_keys(trace, but=RACES)), since=laboratory.setting.since),
        num_steps=None,
        is_hash_seed_of_baseline=True,
        probes=Probes(notes_numbers=True),
    )
    roles = None if trial.problem is not None else read_roles(trial.trace)
    if roles is None or trial.first is not None:
        return None
    again = compare_output(open_trace(trace), open_trace(trial.trace), laboratory.setting.ignored)
    if again is None or find_again(differences or again.differences, again.differences) is None:
        return None  # no race: what was replayed makes the difference
    judged = differences or (() if comparison.output is None else comparison.output.differences)
    if not are_explained(judged, outputs[0].lines, outputs[1].lines, roles):
        return None
    return f"threads printed what they had time for, and all results are equal (experiment {trial.number})"


def accept(comparison: Comparison, told: str) -> Comparison:
    """Return the comparison of runs whose outputs differ in no result; `told` says how that was shown."""
    output = comparison.output
    is_open = bool(comparison.skipped or comparison.structure) or (output is not None and lacks_end(output))
    verdict: Verdict = "equivalent" if comparison.num_within_tolerance else "identical"
    return replace(
        comparison,
        verdict="inconclusive" if is_open else verdict,
        output=None if output is None else replace(output, harmless=told),
    )


def reject(laboratory: Laboratory, comparison: Comparison, differences: tuple[OutputDifference, ...]) -> Comparison:
    """Return the comparison of runs whose outputs differ although they read the same of their surroundings.

    From then on the laboratory searches for these differences.
    """
    laboratory.wanted = differences
    num_steps = open_trace(laboratory.setting.request.trace).num_steps
    described = tuple(describe_output(difference, num_steps) for difference in differences[:5])
    return replace(comparison, verdict="diverged", first=described[0], differences=described)
