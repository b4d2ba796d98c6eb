import os
import zlib


def default_seed():
    """A seed per project: the same project, the same numbers."""
    return zlib.crc32(os.getcwd().encode())
