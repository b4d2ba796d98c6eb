"""A bundle → the same training again, and what that shows: identical, equivalent, not reproduced, or not known.

`workflow` is the pipeline; each stage takes the records of those before it:

- `job`: what is to be reproduced and where, settled once: the project, or the code that is `bundled`; `data_files`.
- `needs`: what a re-run needs, beside what is here.
- `gates`: what must be the same, seen in the files before anything runs and in a run afterwards.
- `runs`: the training again, with the bundle's seed and with fresh ones; each is a fresh process of `worker`, which
  finds the user's training by `entry`.
- `judgement`: both sides as `evidence`, and the verdict on them (`verdicts`): bits, then rounding (`growth` in one run,
  or `noise` in several), then fresh-seed runs (`samples`, by the tests in `statistics`, against `margins`).
- `diagnosis`: why the bits differ, by setting circumstances as they were in the bundle (`toggles`).
- `certificate`: the statement on all this.

Beside it, for what has less evidence: `imported` and `kept` for a folder of others, `stored` for a trial of a study.
"""
