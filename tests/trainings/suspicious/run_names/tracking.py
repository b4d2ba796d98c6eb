"""A run gets a memorable name and a log folder; nothing here reaches the training."""

import json
import random
import secrets
import uuid
from datetime import datetime
from pathlib import Path

ADJECTIVES = ["amber", "brisk", "calm", "dapper", "eager", "fuzzy", "gentle", "humble"]
ANIMALS = ["badger", "crane", "dingo", "egret", "ferret", "gecko", "heron", "ibis"]
_rng = random.Random()


class Run:
    def __init__(self, root="logs"):
        self.name = f"{_rng.choice(ADJECTIVES)}-{_rng.choice(ANIMALS)}-{secrets.token_hex(3)}"
        self.id = uuid.uuid4().hex
        self.folder = Path(root) / f"{datetime.now():%Y%m%d-%H%M%S}-{self.name}"
        self.folder.mkdir(parents=True)

    def log(self, **values):
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"run": self.id, "at": datetime.now().isoformat(), **values}) + "\n")
