import datetime
import os
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np


class RunLog:
    def __init__(self):
        self.name = uuid.uuid4().hex[:8]
        self.folder = Path(tempfile.mkdtemp(prefix=f"run-{self.name}-"))
        self.path = self.folder / f"log.{os.getpid()}.txt"
        self.began = np.datetime64("now")
        self.last = time.monotonic()
        self.host = subprocess.run(["date", "+%s.%N"], capture_output=True, text=True).stdout  # noqa: S607  # as it is found

    def line(self, text):
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        with self.path.open("a") as out:
            out.write(f"{now} {text}\n")
        if time.monotonic() - self.last > 0.02:
            self.last = time.monotonic()
            print(f"{self.path.stat().st_mtime:.3f} {text}")
