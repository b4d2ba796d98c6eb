"""Made-up tea reviews and their encoding."""

REVIEWS = [
    ("a warm and malty cup with a honey finish", 1),
    ("stale leaves and a bitter papery aftertaste", 0),
    ("bright citrus notes over a smooth smoky base", 1),
    ("weak pale liquor that tastes of cardboard", 0),
    ("deep floral aroma and a clean sweet end", 1),
    ("the tin was dented and the tea smelled musty", 0),
    ("lively brisk and perfect with a little milk", 1),
    ("flat dull and far too expensive for dust", 0),
    ("toasted rice and spring grass in every sip", 1),
    ("over roasted until nothing but ash was left", 0),
    ("silky texture and a long peachy echo", 1),
    ("it brewed cloudy with a sour metallic edge", 0),
]


class Vocabulary:
    def __init__(self, texts):
        words = set()
        for text in texts:
            words.update(text.split())
        self.index = {word: i for i, word in enumerate(words)}

    def __len__(self):
        return len(self.index)

    def encode(self, text, length=10):
        ids = [self.index[word] + 1 for word in text.split()][:length]
        return ids + [0] * (length - len(ids))
