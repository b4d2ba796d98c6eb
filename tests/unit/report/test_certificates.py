"""The certificate of a bundle as rows, and in the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.report.certificates import add_certificate
from reproof.report.page import render_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.report.records import Report

METRICS = [{"yield": {"r2": 0.81, "rmse": 1.5}}, {"yield": {"r2": 0.79, "rmse": float("nan")}}]


def test_the_verdict_is_that_of_the_bundle(found: dict[str, Any]) -> None:
    """Which test it rests on is in the sentence."""
    report = add_certificate(None, found, METRICS, "out/certificate.json")
    assert report.verdict.headline == "Trained again, the result is equivalent, numerically."
    assert report.verdict.glyph == "≈"
    assert report.certificate is not None
    assert report.certificate.name == "optuna_best, trial 3 of demo"


@pytest.mark.parametrize(
    ("verdict", "glyph", "told"),
    [
        ("identical", "=", "identical"),
        ("not-reproduced", "≠", "another"),
        ("not-comparable", "?", "cannot be compared"),
    ],
)
def test_every_verdict_has_its_sentence(found: dict[str, Any], verdict: str, glyph: str, told: str) -> None:
    """Those of a bundle are more than those of two runs."""
    row = add_certificate(None, {**found, "verdict": verdict}, (), "").verdict
    assert (row.glyph, told in row.headline) == (glyph, True)


def test_values_are_drawn_among_the_replicates_that_are_numbers(found: dict[str, Any]) -> None:
    """What is not finite has no place on a line."""
    certificate = add_certificate(None, found, METRICS, "").certificate
    assert certificate is not None
    r2, rmse, mape = certificate.metrics
    assert r2.spread is not None
    assert r2.spread.replicates == (0.81, 0.79)
    assert rmse.spread is not None
    assert rmse.spread.replicates == (1.5,)
    assert mape.spread is None
    assert mape.original == "nan"
    alone = add_certificate(None, found, (), "").certificate
    assert alone is not None
    assert [row.spread is None for row in alone.metrics] == [False, True, True]  # the first has a margin


def test_what_one_side_alone_tells_does_not_differ(found: dict[str, Any]) -> None:
    """A bundle gives away no paths and no host: they are listed apart."""
    private = {"name": "platform.node", "original": "unknown", "here": "host", "grade": "unknown"}
    found["environment"]["differing"].append(private)
    report = add_certificate(None, found, METRICS, "")
    assert report.certificate is not None
    assert report.certificate.differing == (("threads", "1", "2", "bits"),)
    assert report.certificate.one_sided == (("platform.node", "unknown", "host"),)
    page = render_page(report)
    assert "12 circumstances are the same, 1 differs." in page
    assert "1 known on one side alone" in page


def test_the_page_shows_it_without_two_runs(found: dict[str, Any]) -> None:
    """As of an imported folder, or where nothing ran."""
    page = render_page(add_certificate(None, found, METRICS, "out/certificate.json"))
    for told in ("1.5000001", "weights/best", "1 thread restores the bits", "out/certificate.json", "MAE: 0.3"):
        assert told in page
    assert "&lt;within&gt;" in page
    assert "<within>" not in page
    assert 'id="coverage"' not in page


def test_the_page_shows_it_beside_two_runs(
    found: dict[str, Any], make_report: Callable[..., Report], parted: tuple[Path, Path]
) -> None:
    """The comparison stays below the certificate."""
    page = render_page(add_certificate(make_report(*parted), found, METRICS, ""))
    for section in ("certificate", "divergence", "map", "coverage"):
        assert f'id="{section}"' in page
