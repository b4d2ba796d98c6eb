"""Functions that reproof calls itself, taken before a tap stands in the place of their names.

Import them from here: what a module asks of `time` or `os` by name while a run is recorded goes through a tap.
"""

from __future__ import annotations

import os
import time
from typing import Final

read_clock: Final = time.monotonic
"""Return seconds that only go forwards."""

read_time: Final = time.time
"""Return seconds since 1970, as files are stamped with them."""

sleep: Final = time.sleep
read_process_number: Final = os.getpid
draw_bytes: Final = os.urandom
scan_folder: Final = os.scandir
read_status: Final = os.stat
