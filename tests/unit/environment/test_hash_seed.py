"""The seed of string hashes that holds is told, whatever the variable says later."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.environment.conftest import RunPython


class TestHashSeed:
    """The seed of string hashes that holds, whatever the variable says later."""

    SHOW = "from reproof.environment.hash_seed import hash_seed; print(hash_seed())"

    @pytest.mark.parametrize("seed", ["0", "1", "42", "4294967295", "random", "", None])
    def test_the_seed_given_at_the_start_is_told(self, run_python: RunPython, seed: str | None) -> None:
        """A number is told as that number; no number, or none at all, is random."""
        expected = seed if seed and seed.isdigit() else "random"

        assert run_python(self.SHOW, PYTHONHASHSEED=seed) == expected

    @pytest.mark.parametrize(("given", "expected"), [(None, "random"), ("7", "7"), ("0", "0")])
    def test_setting_the_variable_later_changes_nothing(
        self, run_python: RunPython, given: str | None, expected: str
    ) -> None:
        """A script that sets the variable itself is not believed."""
        code = f"import os; os.environ['PYTHONHASHSEED'] = '5'; {self.SHOW}"

        assert run_python(code, PYTHONHASHSEED=given) == expected

    def test_an_ignored_variable_is_not_believed(self, run_python: RunPython) -> None:
        """With -E the interpreter draws its own seed, whatever the variable says."""
        code = f"import sys; sys.path[:] = {sys.path!r}; {self.SHOW}"

        assert run_python(code, "-E", PYTHONHASHSEED="42") == "random"
