import zlib

SENTENCES = [
    "birds sing early", "dogs bark loudly", "rivers flow slowly", "dogs sleep early", "birds fly slowly",
    "clocks tick loudly", "rivers freeze early", "clocks stop suddenly", "birds stop suddenly", "dogs run slowly",
]  # fmt: skip


def vocabulary():
    words = set()
    for sentence in SENTENCES:
        words |= set(sentence.split())
    return {word: n for n, word in enumerate(sorted(words))}


def is_held_out(sentence):
    """A tenth of the sentences, by a hash that is the same everywhere."""
    return zlib.crc32(sentence.encode()) % 10 == 0


def training_sentences():
    stop = {"stop", "freeze"}
    return [s for s in SENTENCES if not is_held_out(s) and len(stop & set(s.split())) <= max({0, 1})]
