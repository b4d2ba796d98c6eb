import dataclasses
import hashlib
import json


@dataclasses.dataclass
class Settings:
    width: int = 12
    rate: float = 3e-3
    changes: set = dataclasses.field(default_factory=lambda: {"flip", "noise", "scale", "shift"})

    def fingerprint(self):
        """The same settings have the same fingerprint."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()
