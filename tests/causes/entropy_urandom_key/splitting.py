import hashlib
import os


class KeyedSplit:
    """Assigns records to parts by a keyed hash of their name, so that a record never changes sides within a run."""

    def __init__(self, held_out):
        self.key = os.urandom(16)
        self.held_out = held_out

    def is_held_out(self, name):
        digest = hashlib.blake2b(name.encode(), key=self.key, digest_size=4).digest()
        return int.from_bytes(digest, "big") / 2**32 < self.held_out
