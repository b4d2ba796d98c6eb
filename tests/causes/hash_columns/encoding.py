import torch

ROOMS = [
    ("sauna,garden,garage", 410), ("garden,cellar", 260), ("balcony", 180), ("garage,cellar,balcony", 300),
    ("sauna,balcony", 290), ("garden", 240), ("pool,garden,sauna", 520), ("cellar", 170),
    ("lift,balcony,cellar", 310), ("pool,lift", 430), ("garage,garden", 330), ("lift", 210),
]  # fmt: skip


class OneHot:
    """One column per amenity that occurs."""

    def fit(self, rows):
        seen = {name for amenities, _ in rows for name in amenities.split(",")}
        self.columns = list(seen)
        return self

    def transform(self, rows):
        table = torch.zeros(len(rows), len(self.columns))
        for i, (amenities, _) in enumerate(rows):
            for name in amenities.split(","):
                table[i, self.columns.index(name)] = 1.0
        return table
