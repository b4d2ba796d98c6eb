"""Reports of runs that are made with the real writer, and pages in a real browser.

The browser is Debian's chromium, driven by Playwright; where one of them is missing, the tests that want it skip:

    apt-get install chromium; pip install playwright
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.report.records import CauseRow, Excerpt
from reproof.report.rows import build_report
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.report.records import Report


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """Return the function that compares two runs and returns their rows."""

    def make(a: Path, b: Path, *, tolerance: float | None = None, **settings: Any) -> Report:
        comparison = compare(a, b, maps_steps=True, tolerance=tolerance)
        return build_report(comparison, open_trace(a), open_trace(b), **settings)

    return make


@pytest.fixture
def parted(run: Any, say: Any) -> tuple[Path, Path]:
    """Return two runs of twelve steps that part in step 5, in the order of a batch, and then in the loss."""

    def tell(*, is_candidate: bool) -> list[Any]:
        steps = []
        for step in range(12):
            is_other = is_candidate and step >= 5
            order = (4, 3, 2) if is_other else (2, 3, 4)
            content = f"{step}{is_other}"
            steps.append([say.order("", *order), say.data(content, *order), say.loss(1 / (step + 1 + is_other / 100))])
        return steps

    return run("a", *tell(is_candidate=False), level="steps", command=("train.py",)), run(
        "b", *tell(is_candidate=True), level="steps", command=("train.py",)
    )


@pytest.fixture
def cause() -> CauseRow:
    """Return a cause that an experiment has shown, with its line."""
    return CauseRow(
        kind="unseeded-rng",
        words="a random number generator without a seed",
        text="",
        where="train.py:3",
        source="numpy.random.rand",
        confirmed=True,
        reason="it is seeded by the system",
        evidence="replayed, the runs agree (experiment 1)",
        line_text="x = rand()",
        fix=None,
        fix_text="call numpy.random.seed(0)",
        link="",
        excerpt=Excerpt(file="train.py", line=3, function="", first=3, lines=("x = rand()",)),
    )


@pytest.fixture
def found() -> dict[str, Any]:
    """Return what a reproduction tells as JSON: one metric the same, one shifted, one that is no number."""

    def row(metric: str, original: Any, reproduced: Any, finding: str, margin: float | None) -> dict[str, Any]:
        values = {"original": original, "reproduced": reproduced, "finding": finding, "margin": margin}
        return {"target": "yield", "metric": metric, **values}

    return {
        "verdict": "equivalent",
        "tier": "numerical",
        "reasons": ["the losses stay <within> rounding"],
        "per_target": [
            row("r2", 0.8, 0.8, "same", 0.01),
            row("rmse", 1.5, 1.5000001, "within noise", None),
            row("mape", "nan", "nan", "undecided", None),
        ],
        "gates": [{"name": "code", "state": "same", "detail": ""}],
        "bundle": "optuna_best",
        "trial": {"study": "demo", "number": 3},
        "environment": {
            "num_same": 12,
            "differing": [{"name": "threads", "original": "1", "here": "2", "grade": "bits"}],
        },
        "diagnosis": {"confirmed": ["1 thread restores the bits"]},
        "kept": [{"name": "weights/best", "state": "different", "detail": "3 of 4 tensors"}],
        "never_kept": ["MAE: 0.3"],
    }


SHOTS = "REPROOF_SCREENSHOTS"
"""Variable that names a folder for the screenshots; without it they go where pytest keeps temporary files."""


@dataclass(slots=True)
class Opened:
    """A page that was opened, and what the browser complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a headless browser without a network."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs a browser: apt-get install chromium")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Return the function that opens a file and waits until it is drawn."""
    contexts = []

    def open_file(path: Path, *, width: int = 1280, height: int = 800, scheme: str = "light") -> Opened:
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True, bypass_csp=False)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("dialog", lambda dialog: opened.complaints.append(f"dialog: {dialog.message}"))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(path.as_uri())
        opened.page.wait_for_selector("html[data-ready]", timeout=30_000)
        return opened

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for screenshots."""
    folder = Path(os.environ[SHOTS]) if os.environ.get(SHOTS) else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
