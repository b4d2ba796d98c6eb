"""The page is one file that reaches nothing, and no text of a run becomes a part of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.report.page import as_sentence, render_page
from reproof.report.rows import build_report
from reproof.schema import Cause, Condition, Fix, Skipped
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("jinja2", reason="a page needs Jinja2: pip install 'reproof[report]'")

HOSTILE = "</script><img src=x onerror=alert(1)>\"'`{{7*7}}<!--\x1b[31m\u2028\x00"


class Elements(HTMLParser):
    """Collects the elements of a page, and what is in its scripts and styles."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[tuple[str, dict[str, str | None], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self.blocks.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        """Note what is in the last script or style."""
        if self.cdata_elem and self.blocks:
            tag, attributes, text = self.blocks[-1]
            self.blocks[-1] = (tag, attributes, text + data)


def parse(page: str) -> Elements:
    """Return the elements of a page."""
    parser = Elements()
    parser.feed(page)
    return parser


def make_hostile(run: Any, say: Any, folder: Path) -> str:
    """Return a page in which every text that a run can choose is hostile."""
    sides = []
    for name, value in (("a", 1.0), ("b", 2.0)):
        events = [say.named(HOSTILE, str(value)), say.loss(value, name=HOSTILE), say.skipped(HOSTILE, why=HOSTILE)]
        sides.append(run(name, events, level="steps", command=("train.py", HOSTILE)))
        (folder / f"{name}.output.txt").write_text(f"{HOSTILE} {value}\n")
    (folder / "bad.py").write_text(f"x = 1\n# {HOSTILE!r} </script>\ny = 2\n")
    cause = Cause(
        kind="wall-clock",
        source=HOSTILE,
        file="bad.py",
        line=2,
        text=HOSTILE,
        confirmed=True,
        step=0,
        evidence=HOSTILE,
        fix=HOSTILE,
        reason=HOSTILE,
        link="javascript:alert(1)",
        change=Fix(action="replace", file=HOSTILE, line=2, old=HOSTILE, new=HOSTILE, remark=HOSTILE),
    )
    comparison = replace(
        compare(*sides, maps_steps=True),
        causes=(cause,),
        conditions=(Condition(name=HOSTILE, baseline=HOSTILE, candidate="x"),),
        skipped=(Skipped(what=HOSTILE, why=HOSTILE),),
        structure=(HOSTILE,),
        limits=(HOSTILE,),
        beside=(HOSTILE,),
    )
    report = build_report(comparison, *map(open_trace, sides), notes=[HOSTILE], folder=folder, was_explained=True)
    return render_page(report)


class TestHostileText:
    """Text from a run cannot become markup or leave the page."""

    def test_no_element_comes_from_a_run(self, run: Any, say: Any, tmp_path: Path) -> None:
        """No image, no handler, no link that is no address, no further script."""
        found = parse(make_hostile(run, say, tmp_path))
        assert "img" not in {tag for tag, _ in found.tags}
        assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
        assert [tag for tag, _, _ in found.blocks] == ["style", "script", "script", "script"]
        assert not [a["href"] for tag, a in found.tags if tag == "a" and not re.match(r"#|https://", a["href"] or "")]

    def test_no_template_and_no_control_character_of_a_run_is_carried_out(
        self, run: Any, say: Any, tmp_path: Path
    ) -> None:
        """Braces stay as they are; escapes are spelled out."""
        page = make_hostile(run, say, tmp_path)
        assert "{{7*7}}" in page
        assert "\x1b" not in page
        assert "\x00" not in page

    def test_the_rows_are_json_that_ends_no_element(self, run: Any, say: Any, tmp_path: Path) -> None:
        """The name comes back as it was, and the text between has no angle bracket."""
        found = parse(make_hostile(run, say, tmp_path))
        text = next(text for tag, attributes, text in found.blocks if attributes.get("id") == "rows")
        assert not set("<>&\u2028") & set(text)
        assert json.loads(text)["causes"][0]["source"] == HOSTILE

    def test_markup_characters_alone_are_escaped(self, make_report: Any, run: Any, say: Any) -> None:
        """A generic type in a name is shown as it is."""
        a, b = run("a", [say.named("List<int> & more", "1")]), run("b", [say.named("List<int> & more", "2")])
        assert "List&lt;int&gt; &amp; more" in render_page(make_report(a, b))


class TestOnePage:
    """No network: what the page needs is in it, and its policy allows nothing else."""

    def test_the_policy_allows_exactly_what_is_there(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """Each script and style by its digest, none by its place."""
        found = parse(render_page(make_report(*parted)))
        policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; ")
        for _, attributes, text in found.blocks:
            if attributes.get("type") != "application/json":
                digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
                assert f"'sha256-{digest}'" in policy

    def test_nothing_is_fetched(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """No element has a source, and no style reaches out or stands in an attribute."""
        page = render_page(make_report(*parted))
        found = parse(page)
        assert not [a for _, a in found.tags if {"src", "srcset", "style"} & a.keys()]
        assert [a["href"] for tag, a in found.tags if tag == "link"] == ["data:,"]
        assert not [text for tag, _, text in found.blocks if tag == "style" and re.search(r"url\(|@import", text)]

    def test_the_verdict_stands_in_text(self, make_report: Any, parted: tuple[Path, Path]) -> None:
        """Without a script the answer is there."""
        page = render_page(make_report(*parted))
        assert '<h1 id="headline">The runs part in step 5, in the order of a batch.</h1>' in page

    @pytest.mark.parametrize("num_steps", [10_000])
    def test_ten_thousand_steps_are_below_two_megabytes(
        self, make_report: Any, run: Any, say: Any, num_steps: int
    ) -> None:
        """With every step after the middle different, and a loss of noise."""
        a = run("a", *([say.data(str(i)), say.loss(i / 7)] for i in range(num_steps)))
        b = run("b", *([say.data(str(i)), say.loss(i / 7 + (i > num_steps // 2))] for i in range(num_steps)))
        page = render_page(make_report(a, b))
        assert len(page.encode()) < 2_000_000
        assert "The runs part in step 5,001, in the loss." in page


def test_a_name_at_the_start_of_a_sentence_stays_as_it_is() -> None:
    """An operation, a file and a function have no capital of ours."""
    told = [as_sentence(text) for text in ("a fixed seed", "aten::add (backward) differs", "x.py, once.", "")]
    assert told == ["A fixed seed.", "aten::add (backward) differs.", "x.py, once.", ""]
