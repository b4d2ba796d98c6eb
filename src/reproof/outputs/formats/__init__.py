"""Readers of file formats, each of which tells what is in a file as parts: a name, a digest, and a digest without noise.

A reader takes an open file and a `PartCollector`, executes nothing, imports no library beyond the standard one (but
pyarrow, if it is there) and raises whatever a damaged file makes it raise; `reproof.outputs.contents` then falls back to
the bytes.
"""
