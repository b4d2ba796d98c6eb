"""Next-word prediction on a nursery counting-out text with tied input and output embeddings."""

import hashlib

import torch
from model import TiedModel
from torch.utils.data import DataLoader, TensorDataset

TEXT = """one for the cat and two for the crow three for the seed that the farmer will sow
four for the frost and five for the rain six for the sun that comes round again seven for winter
eight for the spring nine for the song that the children will sing"""


def windows(text):
    words = text.split()
    vocabulary = sorted(set(words))
    ids = torch.tensor([vocabulary.index(w) for w in words])
    spans = ids.unfold(0, 4, 1)
    return TensorDataset(spans[:, :3], spans[:, 3]), vocabulary


def main(seed=1, epochs=4):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    data, vocabulary = windows(TEXT)
    loader = DataLoader(data, batch_size=12, shuffle=True, drop_last=True)
    model = TiedModel(len(vocabulary), 16)
    print(f"{sum(p.numel() for p in model.parameters())} weights, {len(list(model.named_parameters()))} tensors")
    optimizer = torch.optim.NAdam(model.parameters(), lr=1e-2)
    criterion = torch.nn.CrossEntropyLoss()
    for epoch in range(epochs):
        for context, word in loader:
            optimizer.zero_grad()
            loss = criterion(model(context), word)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: perplexity {loss.exp().item():.3f}")
    assert model.decode.weight is model.embed.weight
    blob = b"".join(value.detach().numpy().tobytes() for value in model.state_dict().values())
    print("final", hashlib.sha256(blob).hexdigest())


main()
