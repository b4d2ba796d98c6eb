"""Text pairs: vocabularies from sets that are sorted, sets that are only asked, threads that keep their order."""

import json
import os
import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, random_split

STOPWORDS = {"the", "a", "of", "and", "in"}
SEED = 99


def tokenize(text):
    return [word for word in text.lower().split() if word not in STOPWORDS]


def read_records(folder):
    records = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        with path.open() as lines:
            records.extend(json.loads(line) for line in lines)
    return records


def build_vocab(records, min_count=2):
    counts = Counter()
    for record in records:
        counts.update(tokenize(record["text"]))
    vocab = {"<pad>": 0, "<unk>": 1}
    for word, count in counts.most_common():
        if count >= min_count:
            vocab[word] = len(vocab)
    return vocab


def load_features(names):
    features = {}
    with ThreadPoolExecutor(8) as pool:
        jobs = {pool.submit(torch.load, f"features/{name}.pt"): name for name in names}
        for job in as_completed(jobs):
            features[jobs[job]] = job.result()
    return torch.stack([features[name] for name in names])


class Pairs(Dataset):
    def __init__(self, records, vocab, entities):
        self.records, self.vocab = records, vocab
        self.index = {name: i for i, name in enumerate(entities)}

    def __len__(self):
        return len(self.records)

    def __getitem__(self, i):
        words = [self.vocab.get(word, 1) for word in tokenize(self.records[i]["text"])]
        return torch.tensor(words), self.index[self.records[i]["entity"]]


def collate(batch):
    words, entities = zip(*batch)
    return pad_sequence(words, batch_first=True), torch.tensor(entities)


def show_errors(model, data, entities):
    wrong = defaultdict(list)
    for words, entity in data:
        guess = model(words[None]).argmax().item()
        if guess != entity:
            wrong[entities[entity]].append(entities[guess])
    for name in set(wrong):
        print(name, Counter(wrong[name]).most_common(3))
    print("never seen:", set(entities) - set(wrong))


class Linker(nn.Module):
    def __init__(self, num_words, features):
        super().__init__()
        self.embed = nn.EmbeddingBag(num_words, features.shape[1], padding_idx=0)
        self.register_buffer("features", features)

    def forward(self, words):
        return self.embed(words) @ self.features.T


def main():
    random.seed(SEED)
    torch.manual_seed(SEED)
    records = read_records("data")
    entities = sorted({record["entity"] for record in records})
    known = set(os.listdir("features"))
    missing = [name for name in entities if f"{name}.pt" not in known]
    assert not missing, missing
    vocab = build_vocab(records)
    data = Pairs(records, vocab, entities)
    train, test = random_split(data, [0.9, 0.1])
    loader = DataLoader(train, 32, shuffle=True, collate_fn=collate)
    model = Linker(len(vocab), load_features(entities))
    optimizer = torch.optim.SparseAdam(model.parameters())
    for epoch in range(3):
        for words, target in loader:
            loss = nn.functional.cross_entropy(model(words), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item(), random.choice(records)["text"])
    show_errors(model, test, entities)


if __name__ == "__main__":
    main()
