"""The records of the hand-made batch check: a pickled list of dicts, read without running anything that it names.

- `records`: the record itself, its files, reading and writing
- `restricted_pickle`: a pickle of plain values, taken apart without unpickling
- `pickled_array`: numpy arrays and scalars as they stand in a pickle, without numpy
- `comparison`: two records, field by field
"""
