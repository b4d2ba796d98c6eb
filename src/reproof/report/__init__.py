"""Results as rows, and the rows as a page, as Markdown, as annotations of a pull request, as JUnit.

Everything that is told about a comparison is put into plain records first; the renderers only draw them. In the order
in which they are used:

    records      the rows: frozen records of plain values
    reruns       those of a reproduced bundle, and of a resumed training
    rows         a comparison, its two traces and its experiments -> all rows
    verdicts     the verdict as one sentence, and what it means
    kinds        the kinds of causes in words
    causes       causes, each with its line in its code, its proof and its fix
    experiments  what each experiment replayed, how far it ran, whether it agreed
    operations   how far apart the results of the operation at fault lie
    sources      the text around a line, and the function it is in
    curves       losses and metrics of both runs, in buckets that lose no extreme
    steps        the events of chosen steps, and the map of steps and stages
    batches      the samples of the batch in which the runs part
    samples      those of them that differ, as thumbnails and plots
    output       lines of output side by side
    surroundings conditions side by side, and what the runs read from outside
    certificates a reproduced bundle: its metrics, and what had to be the same
    resumes      a resumed training: its verdict, what it lacks, and its steps as those of the uninterrupted run
    page         rows -> one self-contained HTML file
    drawing      bars and lines of the page as SVG
    markdown     rows -> Markdown
    github       rows -> annotations of GitHub Actions
    junit        rows -> JUnit's XML

Left out: what the rows rest on (`reproof.comparison`, `reproof.explain`), and the command line's own text
(`reproof.cli`).
"""
