import json
import os
import socket
import threading
import time
import uuid
from datetime import datetime, timezone


class Journal:
    """One line of JSON per step, with everything that is worth knowing later and nothing that anyone reads back."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.run = uuid.uuid4().hex
        self.file = open(os.path.join(folder, f"{datetime.now():%H%M%S}-{self.run[:6]}.jsonl"), "w")
        self.write(pid=os.getpid(), parent=os.getppid(), host=socket.gethostname(), thread=threading.get_ident())
        self.last = time.perf_counter()

    def write(self, **values):
        stamp = datetime.now(timezone.utc).isoformat()
        self.file.write(json.dumps({"run": self.run, "at": stamp, **values}) + "\n")

    def step(self, number, loss):
        now = time.perf_counter()
        self.write(step=number, loss=loss, steps_per_second=1 / (now - self.last))
        self.last = now
