"""Readers of file formats: what is in a file as parts, each with a name, a digest, and a digest without known noise.

A reader takes an open file and a `PartCollector`, executes nothing, imports no library beyond the standard one (but
pyarrow, if it is there) and raises whatever a damaged file makes it raise; `reproof.outputs.contents` then goes by the
bytes.
"""
