import uuid
from dataclasses import dataclass, field


@dataclass
class Experiment:
    """What is written down of a training; its identity is also the key to its random numbers."""

    title: str
    identity: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def seed(self):
        return self.identity.int % 2**63
