"""The words that decide whether a number of the output is a time or a result, and which number states a result.

"time 3.2 s" is noise and "MAE 3.2 s" a result; so is "predicted time 3.2 s". A word of a result either *labels* the
number that follows it ("loss 0.35") or is *open* ("predicted time 3.2 s"): an open one may speak of any number of the
line, and none of the line's durations is then taken for noise.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

OF_MACHINE: Final = frozenset(
    {
        *("date", "df", "free", "hostname", "lscpu", "nproc", "ps", "top", "uname", "uptime", "vmstat", "whoami"),
        *("nvidia-smi", "rocm-smi", "xpu-smi", "sensors", "lsmem", "lsblk"),
        *("cd", "chmod", "clear", "cp", "ln", "mkdir", "mv", "rm", "rmdir", "sleep", "sync", "touch", "true"),
    }
)
"""Programs that print what the machine does at the moment, or nothing: no results."""

RESULTS: Final = frozenset(
    """
    acc accs accuracies accuracy actual ap auc auprc auroc bias bleu brier cer chrf cindex coefficient
    confidence corr correlation cost delta deviation dice diff difference distance distortion eer elbo energy
    entropy err error errors estimate estimates expected f1 failure failures fid fitness fn forecast forecasts
    fp gain goal ground gt hazard hypothesis iou jaccard kappa kl label labels likelihood logits loglik logloss
    loss losses mad mae makespan map mape mare mase mcc metric metrics miou mse msle nll nmi norm objective
    observed outcome pearson perplexity ppl precision probability psnr quality quantile quantiles r2 rank
    ranking recall regression regret residual residuals result results return returns reward rewards rmse rmsle
    roc rouge score scores sensitivity significance similarity smape spearman specificity ssim survival target
    targets ter tn tp truth utility variance wer
    """.split()  # noqa: SIM905  # more than a hundred
)
"""Words that state a result; each is looked up in small letters."""
RESULT_STEMS: Final = ("pred", "forecast", "regress", "misclass", "error", "accura", "reward", "converge")

PHASES: Final = (
    r"backward|batch|bwd|checkpoint|compile|cpu|cuda|data|dataloader|elapsed|epoch|eval|evaluation|execution|fit|"
    r"fitting|forward|fwd|gpu|iter|iteration|load|loading|optimizer|preprocess|preprocessing|run|running|save|saving|"
    r"setup|startup|step|sys|test|testing|train|training|tuning|val|valid|validation|wall|warmup"
)
"""Parts of a training: a time of one of them is a duration, with or without a unit."""
ADJECTIVES: Final = (
    rf"{PHASES}|avg|average|compute|computation|cumulative|estimated|inference|last|overall|process|processing|"
    r"remaining|search|time|total|update"
)
"""Words that may stand before a word of time. Any other makes it a time of the world: "waiting time"."""

SURE_TIMES: Final = r"elapsed|runtime|run[_-]?time|wall[_ -]?time|wall[_ -]?clock"
"""Words of time after which a bare number is a duration."""
TIMES: Final = r"times?|took|taken|eta|duration|remaining|wall|uptime"
"""Words of time after which only a number with a unit, or a clock, is one: ``eta`` is a parameter too."""
MEASURES: Final = r"time|seconds|secs|sec|minutes|mins|hours|duration|ms"
"""What is a word of time together with a part of a training: ``train_seconds``, ``epoch time``."""

VERBS: Final = (
    r"built|cached|compiled|completed?|computed|created|done|downloaded|elapsed|ended|evaluated|exported|fetched|"
    r"finished|fitted|generated|initiali[sz]ed|loaded|merged|prepared|preprocessed|processed|ran|rendered|restored|"
    r"saved|started|tokeni[sz]ed|took|trained|wrote|written"
)
"""What a program says that it has done "in 3.2 s"."""
OBJECT: Final = (
    r"the|all|its?|training|train|epochs?|evaluation|eval|validation|validating|testing|tests?|models?|checkpoints?|"
    r"data|datasets?|setup|compilation|tokenizer|cache|shards?|files?|steps?|batch(?:es)?|samples|examples|items|run|"
    r"script|jobs?|iterations?|images|weights|trials?|folds?"
)
"""What it says that it has done it with. Of anything else it may be a result: "finished the maze in 3.2 s"."""

COUNTABLE: Final = (
    r"its?|iters?|iterations?|steps?|batch(?:es)?|samples?|examples?|ex|seqs?|sequences?|sents?|sentences?|imgs?|"
    r"images?|frames?|toks?|tokens?|words?|epochs?|updates?|rows|records|queries|calls|episodes?|trials?|files|"
    r"[kMGT]?i?B|bytes|[kMGTP]?FLOPS?"
)
"""What is counted per second. A rate of anything else may be a result: "rank 11/s"."""

WORD: Final = re.compile(r"[A-Za-z]{1,40}[0-9]{0,2}")
LABELLED: Final = re.compile(
    r"[\w@./%-]{0,24}[\"')\]]{0,2}\s{0,4}(?:\([\w@./% ]{0,12}\)\s{0,2})?(?:(?:is|of|was|at|to|from|so far)\b)?\s{0,2}"
    r"[:=|~>-]{0,3}\s{0,12}(?:\w{0,16}[\[({])?[\"'|]?\s{0,12}(?P<number>[-+]?\.?\d|[-+]?(?:nan|inf)\b)",
    re.IGNORECASE,
)
"""From the end of a word to the number that it labels."""


class ResultWords(NamedTuple):
    """Where a line states results.

    Attributes:
        labelled: Positions at which numbers begin that a word of a result labels.
        first_open: Position of the first word of a result that labels no number; -1 if there is none.
    """

    labelled: frozenset[int]
    first_open: int


def find_result_words(text: str) -> ResultWords:
    """Find what a line says of results, in time linear in its length."""
    labelled: set[int] = set()
    first_open = -1
    for match in WORD.finditer(text):
        if not is_result(match[0]):
            continue
        label = LABELLED.match(text, match.end())
        if label is not None:
            labelled.add(label.start("number"))
        elif first_open < 0 and not _is_numbered(match[0]) and not _leads_to_another(text, match.end()):
            first_open = match.start()
    return ResultWords(frozenset(labelled), first_open)


def is_result(word: str) -> bool:
    """Whether a single word states a result."""
    word = word.lower()
    return word in RESULTS or word.rstrip("0123456789") in RESULTS or word.startswith(RESULT_STEMS)


def _is_numbered(word: str) -> bool:
    """Whether a word is labelled by itself: "rank0", but not "R2"."""
    return word[-1].isdigit() and word.lower() not in RESULTS


def _leads_to_another(text: str, end: int) -> bool:
    """Whether another word of a result follows at once, which then speaks for both: "log loss 0.35"."""
    match = _NEXT_WORD.match(text, end)
    return match is not None and is_result(match[1])


_NEXT_WORD: Final = re.compile(r"[ _/.-]{1,2}([A-Za-z]{1,40})")
