"""Views of one trace, as plain records for whoever shows them.

- `summary`: sizes, counts per stage, what was skipped, losses and metrics
- `curves`: losses and metrics over the steps, sampled
- `columns`: losses and metrics of a whole run, every number
- `steps`: one step in full
- `salvage`: what is left of a damaged trace, and where the damage is
- `export`: every event as a row, in JSON lines or Parquet
"""
