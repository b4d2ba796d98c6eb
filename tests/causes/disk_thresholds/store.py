import json
import pickle
from pathlib import Path


class Store:
    """What a run keeps for the next one."""

    def __init__(self, root):
        self.root = Path(root)
        self.root.mkdir(exist_ok=True)

    def cached(self, name, build):
        path = self.root / f"{name}.pkl"
        if path.is_file():
            return pickle.loads(path.read_bytes())
        value = build()
        path.write_bytes(pickle.dumps(value))
        return value

    def next_number(self):
        path = self.root / "runs.txt"
        number = int(path.read_text()) + 1 if path.exists() else 0
        path.write_text(str(number))
        return number

    def margins(self, default):
        path = self.root / "margins.json"
        return json.loads(path.read_text()) if path.exists() else default

    def keep_margins(self, values):
        (self.root / "margins.json").write_text(json.dumps(values))
