"""The conditions of one run that matter most, out of its environment."""

from __future__ import annotations

from typing import Any

from reproof.environment import collect_environment, collect_torch_environment, compare_environments
from reproof.environment.highlights import HIGHLIGHTS, VARIABLES, RunCondition, select_conditions


def values_of(environment: dict[str, Any]) -> dict[str, Any]:
    """Return the selected conditions by name."""
    return {condition.name: condition.value for condition in select_conditions(environment)}


def test_what_a_recording_keeps_is_found() -> None:
    """Every highlight is where the collectors put it: a key that is renamed would be missed here."""
    import torch  # noqa: F401  # so that its settings are there to be collected

    environment = {**collect_environment(), **collect_torch_environment()}
    of_gpus = {name for _, name, _ in HIGHLIGHTS if name.startswith(("torch.cuda.", "torch.flags.tf32."))}
    of_old_versions = {name for _, name, _ in HIGHLIGHTS if name.startswith("torch.flags.fp32.")}
    assert {name for _, name, _ in HIGHLIGHTS} - of_gpus - of_old_versions <= values_of(environment).keys()


def test_names_are_those_of_comparisons() -> None:
    """A condition that differs between two runs is found by the same name in each; `version` is left to its topic."""
    first = {"torch": {"threads": {"intraop": 1}}, "variables": {"OMP_NUM_THREADS": "1"}}
    second = {"torch": {"threads": {"intraop": 2}}, "variables": {"OMP_NUM_THREADS": "2"}}
    differing = {condition.name for condition in compare_environments(first, second)}
    assert differing == {"torch.threads.intraop", "variables.OMP_NUM_THREADS"}
    assert differing <= values_of(first).keys()


def test_what_is_not_known_is_left_out() -> None:
    """Nothing is filled in; what the run itself could not find out stays as None."""
    assert select_conditions({}) == ()
    assert select_conditions({"python": "3.11", "cpu": {"model": None}}) == (
        RunCondition(topic="cpu", name="cpu.model", label="", value=None),
    )


def test_without_settings_the_installed_version_is_told() -> None:
    """Of a killed run; where the settings are known, it is theirs that counts."""
    installed = {"packages": {"torch": "2.1"}}
    assert values_of(installed) == {"packages.torch": "2.1"}
    assert values_of({**installed, "torch": {"version": "2.2"}})["torch.version"] == "2.2"


def test_devices_are_named() -> None:
    """The models of a build for GPUs; that another build has none is said; no device is `none`."""
    gpu = {"torch": {"cuda": {"devices": ["NVIDIA H100", "NVIDIA H100"], "version": "12.8"}}}
    assert values_of(gpu) == {"torch.cuda.devices": "NVIDIA H100, NVIDIA H100", "torch.cuda.version": "12.8"}
    assert values_of({"torch": {"cuda": None}}) == {"torch.cuda": "PyTorch built without CUDA"}
    assert values_of({"torch": {"cuda": {"devices": []}}}) == {"torch.cuda.devices": "none"}


def test_variables_are_told_where_they_are_set() -> None:
    """Those that change numbers, and no others."""
    variables = {"LANG": "C", "PYTHONHASHSEED": "0"}
    assert values_of({"variables": variables}) == {"variables.PYTHONHASHSEED": "0"}
    assert "LANG" not in VARIABLES
