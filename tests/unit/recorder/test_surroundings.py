"""Which process of a training this is."""

from __future__ import annotations

import pytest

from reproof.recorder.surroundings import rank_of_process, world_size


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, (2, 4)),
        ({"RANK": "2"}, (0, 1)),
        ({"RANK": "first", "WORLD_SIZE": "4"}, (0, 4)),
        ({"RANK": "1", "WORLD_SIZE": "many"}, (0, 1)),
    ],
    ids=str,
)
def test_the_rank_is_that_of_the_launcher(
    variables: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables tell it, as torchrun and its like set them; without them a process is alone."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (rank_of_process(), world_size()) == expected
