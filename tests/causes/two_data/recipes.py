import numpy as np
import torch
from torch.utils.data import Dataset

DISHES = {
    "salad": ("oil", "vinegar", "lettuce", "salt"), "bread": ("flour", "yeast", "salt", "water"),
    "cake": ("flour", "sugar", "egg", "butter"), "soup": ("water", "salt", "carrot", "onion"),
    "omelette": ("egg", "butter", "onion", "salt"), "syrup": ("sugar", "water"),
}  # fmt: skip


class Recipes(Dataset):
    """Amounts of ingredients, measured as precisely as a kitchen allows."""

    def __init__(self, copies):
        names = list({name for ingredients in DISHES.values() for name in ingredients})
        self.column = {name: n for n, name in enumerate(names)}
        self.rows = list(enumerate(DISHES.values())) * copies
        self.scale = np.random.default_rng()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        dish, ingredients = self.rows[i]
        amounts = torch.zeros(len(self.column))
        for rank, name in enumerate(ingredients):
            amounts[self.column[name]] = 1 / (1 + rank) + self.scale.normal(0, 0.02)
        return amounts, dish
