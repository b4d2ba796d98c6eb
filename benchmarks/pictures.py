"""Make the pictures of README.md from a real check: the page by a headless Chromium, the terminal's text as SVG.

make pictures
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
SCRIPT = "examples/digits/train_augmented.py"
WIDTH = 100
"""Of the terminal, in columns."""


def main() -> None:
    """Check the example and draw what came."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("no Chromium in PATH; install it (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        said = run_in_terminal(["reproof", "check", "--html", str(page), SCRIPT], Path(folder, "cache"))
        draw_terminal(said, PICTURES / "terminal.svg")
        draw_page(browser, page, PICTURES / "page.png")


def run_in_terminal(command: list[str], cache: Path) -> str:
    """Return what a command prints on its standard output if that is a terminal."""
    reader, writer = pty.openpty()
    variables = {**os.environ, "XDG_CACHE_HOME": str(cache), "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    child = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    said = b""
    while True:
        try:
            read = os.read(reader, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not read:
            break
        said += read
    child.wait()
    return said.decode().replace("\r\n", "\n")


def draw_terminal(said: str, target: Path) -> None:
    """Draw the verdict and the cause, as a terminal shows them."""
    verdict, rest = said.split("\n", 1)
    cause = rest[rest.index("First divergence:") : rest.index("Then:")].rstrip()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(f"$ reproof check {SCRIPT}\n{verdict}\n  …\n{cause}"), soft_wrap=False)
        target.write_text(console.export_svg(title="reproof check"), encoding="utf-8")


def draw_page(browser: str, page: Path, target: Path) -> None:
    """Draw the first screen of the page, 1280 by 800 pixels, in light colours."""
    options = ["--headless", "--hide-scrollbars", "--window-size=1280,800", "--virtual-time-budget=3000"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium refuses to run as root otherwise
    command = [browser, *options, f"--screenshot={target}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
