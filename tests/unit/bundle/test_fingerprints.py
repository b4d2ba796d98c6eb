"""Fingerprints of data and code: what differs is told, and what does not matter is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from reproof.bundle.code import compare_code, describe_source, digest_syntax
from reproof.bundle.config import plain_config, refuse_code, with_seed
from reproof.bundle.data import compare_data, describe_array, describe_difference
from reproof.bundle.numbers import check_metrics
from reproof.bundle.surroundings import grade_environment
from reproof.errors import BundleError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = np.arange(600.0).reshape(200, 3)


def difference(other: np.ndarray) -> str | None:
    """Return in words how an array differs from `ROWS`."""
    return describe_difference("x", describe_array(ROWS), describe_array(other))


def test_the_same_array_is_the_same_in_any_container() -> None:
    """A tensor, a Fortran-ordered and a big-endian array of the same numbers have the digests of the plain one."""
    plain = describe_array(ROWS)
    assert describe_array(np.asfortranarray(ROWS)) == plain
    assert describe_array(torch.from_numpy(ROWS))["unordered"] != ""
    assert describe_array([1, 2, 3]) == describe_array(np.array([1, 2, 3]))


def test_a_cell_is_placed() -> None:
    """A change of 1e-3 in one cell is found, and the rows around it are named."""
    other = ROWS.copy()
    other[101, 1] += 1e-3
    assert difference(other) == "x has other content, within rows 100 to 101"


def test_an_order_is_told_from_a_content() -> None:
    """The same rows in another order have the same unordered digest; with one changed they have not."""
    assert difference(ROWS[::-1]) == "x has the same rows in another order"
    assert "other content" in str(difference(np.vstack([ROWS[1:], ROWS[1:2]])))


def test_another_shape_or_type_is_told() -> None:
    """Fewer rows or another precision are named as such."""
    assert "shape [199, 3]" in str(difference(ROWS[:199]))
    assert "f4" in str(difference(ROWS.astype("f4")))
    assert difference(ROWS.copy()) is None


def test_minus_zero_is_other_data() -> None:
    """Bits decide, not values."""
    other = ROWS.copy()
    other[0, 0] = -0.0
    assert difference(other) is not None


def test_data_that_one_side_lacks_are_named() -> None:
    """A file or an array that only one side used is a difference."""
    entry = describe_array(ROWS)
    original = {"files": {"a.csv": {"sha256": "1"}}, "arrays": {"x": entry}}
    assert compare_data(original, {"files": {}, "arrays": {"y": entry}}) == [
        "the file a.csv was not read here",
        "x was not used here",
        "y is used here alone",
    ]


@pytest.mark.parametrize("data", [object(), [[1, 2]], np.array([object()])])
def test_data_without_a_known_content_are_refused(data: object) -> None:
    """What has no bytes of its own cannot be vouched for."""
    with pytest.raises(UsageError):
        describe_array(data)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("def f(x):\n    return x + 1  # comment\n", True),
        ('def f(x):\n    """What it does."""\n\n    return (x + 1)\n', True),
        ("def f(x):\n    return x + 2\n", False),
        ("def f(x):\n    return x - 1\n", False),
        ("def f(y):\n    return y + 1\n", False),
        ("def f(x):\n    return x + 1.0\n", False),
    ],
)
def test_code_counts_and_comments_do_not(other: str, is_same: bool) -> None:  # noqa: FBT001  # a parameter
    """Comments, docstrings and parentheses leave the digest of the syntax; a number, a sign, a name change it."""
    assert (digest_syntax(other.encode()) == digest_syntax(b"def f(x):\n    return x + 1\n")) is is_same


def test_changed_code_is_told_from_changed_text(tmp_path: Path) -> None:
    """Files with other code are named apart from files with other comments."""
    (tmp_path / "a.py").write_text("x = 1\n")
    before = describe_source(tmp_path / "a.py")
    (tmp_path / "a.py").write_text("x = 1  # one\n")
    after = describe_source(tmp_path / "a.py")
    assert compare_code({"files": {"a.py": before}}, {"files": {"a.py": after}}) == ([], ["a.py"])
    assert compare_code({"files": {}}, {"files": {"a.py": after}}) == (["a.py is not in the bundle"], [])


def test_surroundings_are_graded_by_what_can_change_numbers() -> None:
    """Threads and imported packages matter; the kernel's release, the zone and other packages do not."""
    original = {
        "torch": {"threads": {"intraop": 2}},
        "packages": {"numpy": "2.0", "black": "24"},
        "imported": ["numpy"],
        "platform": {"release": "6.1"},
        "variables": {},
        "locale": {"ctype": "C"},
    }
    here = {
        "torch": {"threads": {"intraop": 1}},
        "packages": {"numpy": "2.1", "black": "25"},
        "imported": ["numpy"],
        "platform": {"release": "6.2"},
        "variables": {"MKL_CBWR": "COMPATIBLE", "TZ": "UTC"},
        "locale": {"ctype": "de_DE"},
    }
    grades = {row.name: row.grade for row in grade_environment(original, here)}
    assert grades == {
        "torch.threads.intraop": "matters",
        "packages.numpy": "matters",
        "variables.MKL_CBWR": "matters",
        "packages.black": "harmless",
        "platform.release": "harmless",
        "variables.TZ": "harmless",
        "locale.ctype": "harmless",
    }


def test_a_configuration_becomes_plain() -> None:
    """Numbers of numpy become Python's, tuples lists; an OmegaConf configuration is resolved."""
    omegaconf = pytest.importorskip("omegaconf")
    assert plain_config({"a": np.float64(0.1), "b": (1, np.int64(2))}) == {"a": 0.1, "b": [1, 2]}
    config = omegaconf.OmegaConf.create({"a": 1, "b": "${a}", "c": [1e-5]})
    assert plain_config(config) == {"a": 1, "b": 1, "c": [1e-5]}
    with pytest.raises(BundleError, match="is a object"):
        plain_config({"a": object()})


def test_a_configuration_that_names_code_is_refused() -> None:
    """What a library would build objects from is refused by its key."""
    with pytest.raises(BundleError, match=r"model\._target_"):
        refuse_code({"model": {"_target_": "os.system"}}, "config.yaml")


def test_a_seed_is_replaced_in_a_copy() -> None:
    """The original configuration stays as it was."""
    config = {"training": {"seed": 1, "lr": 0.1}, "x": 2}
    assert with_seed(config, "training.seed", 5) == {"training": {"seed": 5, "lr": 0.1}, "x": 2}
    assert config["training"] == {"seed": 1, "lr": 0.1}


def test_metrics_are_numbers_per_target() -> None:
    """Scalars of numpy and tensors become floats; anything else is an error that shows it."""
    assert check_metrics({"a": {"r2": np.float32(0.5), "mse": torch.tensor(2.0)}}) == {"a": {"r2": 0.5, "mse": 2.0}}
    for wrong in ({"a": 0.5}, {"a": {"r2": "x"}}, {}, None):
        with pytest.raises(ValueError, match=r"metrics|target"):
            check_metrics(wrong)  # type: ignore[arg-type]
