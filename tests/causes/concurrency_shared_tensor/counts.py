import threading

import torch


def count_pairs(corpus, words, window):
    """How often words occur near each other, weighted by distance; one thread per part of the corpus."""
    counts = torch.zeros(words, words)

    def count(part):
        for i in range(len(part)):
            for distance in range(1, window + 1):
                if i >= distance:
                    counts[part[i], part[i - distance]] += 1 / distance
                    counts[part[i - distance], part[i]] += 1 / distance

    threads = [threading.Thread(target=count, args=(part,)) for part in corpus.tensor_split(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts
