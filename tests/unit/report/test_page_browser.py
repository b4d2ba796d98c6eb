"""The page in a real browser: opened from disk without a network, by mouse, by keyboard, in the dark, on a phone."""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.report.certificates import add_certificate
from reproof.report.experiments import Experiment
from reproof.report.page import render_page
from reproof.report.records import SampleRow, SourceRow
from reproof.report.resumes import add_resume
from reproof.report.rows import build_report
from reproof.schema import Cause, Difference, Fix
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    Pages = Callable[[str], Path]

AXE = Path(__file__).with_name("axe.min.js")
HOSTILE = "</script><img src=x onerror=alert(1)><svg/onload=alert(2)>"
KINDS = ("diverged", "identical", "inconclusive", "hostile", "first step", "bundle", "resumed")
OTHER_LOOKS = [pytest.param(look, marks=pytest.mark.thorough) for look in ((1280, "dark"), (360, "light"))]
NUM_STEPS = 60
PART = 29

pytestmark = pytest.mark.slow(30)
pytest.importorskip("jinja2", reason="a page needs Jinja2: pip install 'reproof[report]'")


def tell_steps(say: Any, name: str, *, part: int | None, extra: int = 0) -> list[Any]:
    """Return the steps of a run that differs from `part` on, and has `extra` steps at its end."""
    steps = []
    for step in range(NUM_STEPS + extra):
        is_other = part is not None and step >= part
        samples = tuple((step * 7 + place * 3) % 100 for place in range(32))
        order = (*reversed(samples[:6]), *samples[6:]) if is_other else samples
        loss = 2 / (step + 1) + (1e-5 * (step % 5) if is_other else 0)
        events = [say.order("", *order), say.data(f"{step}{is_other}", *order), say.loss(loss, name=name)]
        steps.append([*events, *(say.loss(loss / 2, name="accuracy", stage="metric") for _ in range(step % 10 == 0))])
    return steps


def make_cause(text: str) -> Cause:
    """Return a cause that two experiments prove."""
    return Cause(
        kind="hash-order",
        source="set",
        file="train.py",
        line=3,
        text="head = [int(name[3:7]) for name in names]",
        confirmed=True,
        step=PART,
        evidence="identical (experiment 1); with the candidate's it diverges (experiment 2)",
        fix=f"head = sorted(names)    # {text}",
        reason="Hashes of strings follow a key that each process draws anew.",
        link=f"https://example.org/{'docs/causes/' * 6}hash-order.md",
        change=Fix(
            action="replace", file="train.py", line=3, old="head = [int(n) for n in names]", new="head = sorted(names)"
        ),
    )


def make_experiments(folder: Path) -> list[Experiment]:
    """Return one that agrees, and one that does not."""
    apart = Difference(rank=0, step=PART, stage="batch", detail="order", name="x", baseline="a", candidate="b")
    return [
        Experiment(
            number=number,
            purpose="only set at train.py:3 replayed from the baseline",
            seconds=9.0,
            trace=folder / f"e{number}",
            window=PART + 1,
            first=first,
            problem=None,
        )
        for number, first in ((1, None), (2, apart))
    ]


def make_sources(text: str) -> tuple[SourceRow, ...]:
    """Return a place that was read in each step, and one that was read by workers."""
    place = SourceRow(
        where="train.py:3", source=text, function=text, first_step=0, num_baseline=60, num_candidate=60, differs=True
    )
    bins = tuple((number, 1 + number % 3, int(number > PART)) for number in range(60))
    return replace(place, bins=bins), replace(place, differs=False, num_processes=4)


def make_samples(text: str, *, height: int) -> tuple[SampleRow, ...]:
    """Return two samples, images or signals."""
    sides = [base64.b64encode(struct.pack("<8f", *range(first, first + 8))).decode() for first in (0, 1)]
    return tuple(
        SampleRow(place=place, name=text, height=height, width=8 // height, baseline=sides[0], candidate=sides[1])
        for place in (0, 1)
    )


@pytest.fixture
def pages(tmp_path: Path, run: Any, say: Any, found: dict[str, Any]) -> Pages:
    """Return the function that writes the page of one kind."""

    def write(kind: str) -> Path:
        text = HOSTILE if kind == "hostile" else "loss"
        part = {"identical": None, "inconclusive": None, "first step": 0}.get(kind, PART)
        settings = {"level": "steps", "command": ("train.py", text)}
        a = run("a", *tell_steps(say, text, part=None), **settings)
        b = run("b", *tell_steps(say, text, part=part, extra=3 * (kind == "inconclusive")), **settings)
        (tmp_path / "train.py").write_text(f"names = set()\n# {text}\nhead = [int(n) for n in names]\n")
        for name, number in (("a", 1), ("b", 2)):
            (tmp_path / f"{name}.output.txt").write_text(f"start\n{text} 0.{number}\n")
        comparison = compare(a, b, maps_steps=True)
        if part is not None:
            comparison = replace(comparison, causes=(make_cause(text), make_cause(text)))
        experiments = [] if part is None else make_experiments(tmp_path)
        report = build_report(
            comparison,
            *map(open_trace, (a, b)),
            experiments=experiments,
            was_explained=part is not None,
            folder=tmp_path,
        )
        height = 4 if kind == "hostile" else 1
        report = replace(report, sources=make_sources(text), samples=make_samples(text, height=height))
        if kind == "resumed":
            missing = [{"piece": "rng", "why": text, "fix": f"save {text}"}] * 2
            finding = {"interrupted_at": 30, "continues_at": PART, "restored": 4, "missing": missing}
            report = add_resume(replace(report, causes=()), comparison, finding)
        if kind == "bundle":
            report = add_certificate(report, found, [{"yield": {"r2": 0.81}}], "certificate.json")
        page = tmp_path / "report.html"
        page.write_text(render_page(report), encoding="utf-8")
        return page

    return write


def see_step(opened: Any) -> str:
    """Return the title of the step that is shown."""
    text = opened.page.inner_text("#step h3")
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("kind", KINDS)
class TestEachKind:
    """Whatever came of the comparison."""

    @pytest.mark.parametrize("look", [(1280, "light"), (360, "dark"), *OTHER_LOOKS])
    def test_it_fits_and_everyone_can_read_it(
        self, show: Any, pages: Pages, shots: Path, kind: str, look: tuple[int, str]
    ) -> None:
        """It reaches nothing, nothing scrolls sideways, and axe-core (WCAG 2.2 A and AA, best practices) finds nothing.

        No complaint in the console, no dialog, no request but for the file itself.
        """
        width, scheme = look
        path = pages(kind)
        opened = show(path, width=width, scheme=scheme)
        assert opened.complaints == []
        assert [url for url in opened.requests if not url.startswith("data:")] == [path.as_uri()]
        opened.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        opened.page.screenshot(path=shots / f"{kind.replace(' ', '-')}-{scheme}-{width}.png", full_page=True)
        opened.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = opened.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        told = [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found["violations"]]
        assert told == []


class TestFirstScreen:
    """Ten seconds: the answer is on the first screen."""

    def test_verdict_divergence_and_cause_at_1280_by_800(self, show: Any, pages: Pages) -> None:
        """The headline, the first divergence, the line that is to blame and its fix need no scrolling."""
        opened = show(pages("diverged"))
        assert opened.page.inner_text("h1") == "The runs part in step 29, in the order of a batch."
        for selector in ("h1", "#divergence .path", "#cause .path", "#cause .proof", "#cause .diff"):
            assert opened.page.locator(selector).first.bounding_box()["y"] < 800
        box = opened.page.locator("#cause .diff").first.bounding_box()
        assert box["y"] + box["height"] <= 800


class TestMap:
    """The map leads to a step."""

    def test_by_mouse(self, show: Any, pages: Pages) -> None:
        """A click on a column shows the events of its step."""
        opened = show(pages("diverged"))
        assert see_step(opened).startswith("Step 29: differs in batch, loss")
        canvas = opened.page.locator("#maps canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        opened.page.mouse.click(box["x"] + 76 + (box["width"] - 78) * (5.5 / NUM_STEPS), box["y"] + 30)
        assert see_step(opened) == "Step 5: no difference"

    def test_by_keyboard(self, show: Any, pages: Pages) -> None:
        """Arrows, ten steps, ends, and back to the first divergence, told to screen readers."""
        opened = show(pages("diverged"))
        slider = opened.page.locator("[role=slider]")
        slider.focus()
        for keys, step in (("ArrowRight", 30), ("Shift+ArrowRight", 40), ("Home", 0), ("End", 59), ("d", 29)):
            opened.page.keyboard.press(keys)
            assert re.match(rf"Step {step}\b", see_step(opened))
        opened.page.wait_for_function("document.querySelector('[role=slider]').getAttribute('aria-valuenow') === '29'")
        told = slider.get_attribute("aria-valuetext")
        assert told == "Step 29: batch differs, loss differs; the first divergence"

    def test_zoom_keeps_the_chosen_step(self, show: Any, pages: Pages) -> None:
        """Buttons and keys do the same, and all steps come back."""
        opened = show(pages("diverged"))
        opened.page.get_by_role("button", name="Zoom in").click()
        opened.page.get_by_role("button", name="All steps").click()
        assert see_step(opened).startswith("Step 29")


def test_no_text_of_a_run_is_an_element(show: Any, pages: Pages) -> None:
    """Names, source and output that are markup are shown as text, by the scripts too."""
    opened = show(pages("hostile"))
    assert opened.page.locator("img").count() == opened.page.locator('img[src^="data:image/png"]').count() == 4
    assert opened.page.locator("svg[onload]").count() == 0
    assert HOSTILE in opened.page.inner_text("#step")
    assert HOSTILE in opened.page.inner_text("#output")
    rows = json.loads(opened.page.locator("#rows").text_content())
    assert rows["curves"][0]["name"] == HOSTILE


def test_it_prints_light(show: Any, pages: Pages) -> None:
    """From a dark system, too: text, map and charts."""
    opened = show(pages("diverged"), scheme="dark")
    read = "document.querySelector('#maps canvas').getContext('2d').getImageData(200, 20, 1, 1).data[2]"
    dark = opened.page.evaluate(read)
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.evaluate(read) > 200 > dark
    opened.page.emulate_media(media="print", color_scheme="dark")
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    fits = "[...document.querySelectorAll('.chart')].map(c => { c.style.width = '400px'; return c.scrollWidth; })"
    assert set(opened.page.evaluate(fits)) == {400}  # paper is narrower than the screen for which it was drawn
