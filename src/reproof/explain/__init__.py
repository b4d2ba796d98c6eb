"""From a divergence to its causes: suspects from the ledgers, experiments that replay them, and what to write instead.

Nothing here looks into a training: each experiment is a run in a fresh process, and the traces are compared. In the
order of the way from a suspect to a printed cause:

    search        explain one divergence, or all until the runs are identical: the entrance
    outputs       whether a difference in output is harmless: what becomes of it with the surroundings of the baseline
    timed_results what of it the clock has decided, and is a result
    racy_lines    what of it threads have printed by chance
    edits         one more draw from a global generator, by which an edit has changed a training
    inquiry       one divergence: what was read differently, the run with everything replayed, what was found before
    suspects      the sources of which two runs read other values, and how likely each is
    doors         what one argument seeds, and that argument
    leftovers     the files that an earlier run left, by the lines that read them
    appearance    whether a line seems only to name, tell or sort what it reads
    hypotheses/   the ways in which two runs may have come to differ, each with its experiments
    laboratory    make one experiment: a run in a copy of the folder, compared with the baseline
    replays       experiments in which chosen sources have the values of the baseline
    samples       one more run of each, which keeps the samples of the divergent batch
    minimize      the smallest set of suspects that explains, in few experiments
    lines         the line that draws from a global generator
    kinds         the table of the kinds of causes
    naming        a suspect as a cause: with its line, the fix and the reason
    remedies      what to write instead: a rule of the kind, otherwise its instruction
    rewriting     the rules that write a line otherwise
    syntax        one line of a script, and itself with one part replaced
    script        the names that a script has where a line is
"""
