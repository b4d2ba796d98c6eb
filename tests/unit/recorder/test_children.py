"""What a recorded process knows of itself when another has started it."""

from __future__ import annotations

import ast
from dataclasses import asdict

import pytest

from reproof.recorder.children import name_pool, tell_end
from reproof.recorder.options import RecordingOptions, options_from_plain
from reproof.schema import Origin, Probes


@pytest.mark.parametrize(
    ("label", "pool"),
    [("0.pool2.3", "0.pool2"), ("0.1", None), ("0.1.pool1.1", "0.1.pool1"), ("0.2.run1", None), ("0.pool1.3.1", None)],
)
def test_workers_of_pools_are_known_by_their_labels(label: str, pool: str | None) -> None:
    """The labels of their tasks begin with that of the pool."""
    assert name_pool(label) == pool


def test_the_end_of_a_process_is_told_by_the_error_that_ends_it() -> None:
    """None and a clean exit are its own end."""
    assert tell_end() == ("complete", None)
    for error, told in (
        (SystemExit(0), ("complete", None)),
        (KeyboardInterrupt(), ("interrupted", "the process was interrupted")),
        (ValueError("no data"), ("failed", "the process raised ValueError: no data")),
    ):
        with pytest.raises(type(error)):
            end_by(error, told)


def end_by(error: BaseException, told: tuple[str, str | None]) -> None:
    """Look at what is told while an error passes."""
    try:
        raise error
    finally:
        assert tell_end() == told


def test_options_are_told_as_plain_values() -> None:
    """What a process tells those that it starts is text of Python's."""
    options = RecordingOptions(
        folder="/runs/a",
        level="modules",
        num_batches=3,
        num_steps=None,
        statistics=True,
        command=("train.py", "--fast"),
        probes=Probes(ops_steps=(1, 2)),
    )
    assert options_from_plain(ast.literal_eval(repr(asdict(options)))) == options


@pytest.mark.parametrize(
    ("label", "told"),
    [("0.2", "process 0.2 (train.py:34)"), ("0.pool1.call0", "task 0.pool1.call0 (train.py:34)")],
)
def test_a_process_is_named_with_the_line_that_started_it(label: str, told: str) -> None:
    """A task of a pool is called one; without a line only the label is told."""
    assert str(Origin(label=label, file="train.py", line=34)) == told
    assert str(Origin(label=label)) == told.partition(" (")[0]
