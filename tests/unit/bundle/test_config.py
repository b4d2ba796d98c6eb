"""Configurations become plain data, and those that name code are refused."""

from __future__ import annotations

import numpy as np
import pytest

from reproof.bundle.config import plain_config, refuse_code, tell_credentials, with_seed
from reproof.errors import BundleError


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


def test_what_looks_like_a_credential_is_told() -> None:
    """The configuration is kept as it is, so whoever shares the bundle has to know; the value is not repeated."""
    told = tell_credentials({"a": 1, "log": [{"api_key": "abcdef123456"}], "db": "mysql://me:hunter2@db/x"})
    assert told.startswith("config.yaml holds what looks like a credential, log.0.api_key and 1 more: ")
    assert "hunter2" not in told
    assert not tell_credentials({"model": {"pad_token": "<pad>"}, "key": "value"})
