"""Write rows as one self-contained HTML file: no network, no script but its own, every text of a run escaped.

The policy of the page allows exactly the style and the scripts that are in it, by their digests. Texts go through
Jinja2's escaping; the rows that the scripts draw are JSON in which nothing can end the element that holds it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from reproof._version import __version__
from reproof.report.drawing import draw_bar, draw_batch, draw_spread, draw_timeline
from reproof.report.experiments import order_as_tree
from reproof.report.output import mark_changes
from reproof.report.samples import draw_sample
from reproof.schema.telling import as_sentence, capitalize, plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.report.records import Report

ASSETS: Final = files("reproof.report") / "assets"
MAX_SHOWN: Final = 4000
"""Characters of a single text in the page."""

DIGEST: Final = re.compile("[0-9a-f]{32}")
SCRIPT_ENDS: Final = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def render_page(report: Report) -> str:
    """Return the page as text; this takes Jinja2."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=show
    )
    environment.filters.update(
        thousands=lambda number: f"{number:,}",
        bar=draw_bar,
        batch=draw_batch,
        capital=capitalize,
        changed=mark_changes,
        plural=plural,
        sample=draw_sample,
        sentence=as_sentence,
        spread=draw_spread,
        timeline=draw_timeline,
        tree=order_as_tree,
    )
    environment.tests["digest"] = DIGEST.fullmatch
    style = read_asset("uPlot.min.css") + read_asset("page.css")
    scripts = [read_asset("uPlot.iife.min.js"), read_asset("page.js")]
    return environment.from_string(read_asset("page.html")).render(
        report=report,
        policy=make_policy(style, scripts),
        style=as_markup(style),
        scripts=[as_markup(script) for script in scripts],
        rows=as_markup(spell_json(asdict(report))),
        licence=as_markup(f"uPlot {UPLOT}, https://github.com/leeoniya/uPlot, MIT License"),
        version=__version__,
        has_runs=report.runs != ("", ""),
        num_steps=max([one.num_steps for one in report.maps if one.is_main] + [report.coverage.num_steps]),
        num_differing=sum(row.differs for row in report.conditions),
        alone=[(row.name, row.baseline, row.candidate) for row in report.conditions if not row.is_known],
    )


UPLOT: Final = "1.6.32"


def show(value: Any) -> Any:
    """Return a value as it is put into the page: control characters visible, nothing longer than is read."""
    return printable(value[:MAX_SHOWN], keeps="\n\t") if type(value) is str else value


def as_markup(text: str) -> Any:
    """Return a text of our own that is put into the page as it is."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704  # assets of this package, and JSON without any markup


def spell_json(rows: Any) -> str:
    """Return rows as JSON that stands safely within a script element: it has no ``<`` and ends no line."""
    return json.dumps(rows, separators=(",", ":"), allow_nan=False, ensure_ascii=True).translate(SCRIPT_ENDS)


def make_policy(style: str, scripts: Iterable[str]) -> str:
    """Return the Content-Security-Policy that allows this style and these scripts, and nothing else."""
    allowed = " ".join(digest_source(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {digest_source(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def digest_source(text: str) -> str:
    """Return what a policy calls a text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def read_asset(name: str) -> str:
    """Return one of the files of the page, as the browser sees it between its tags."""
    return (ASSETS / name).read_text(encoding="utf-8")
