"""A configuration as a bundle holds it: plain values with every reference resolved, and nothing that names code.

Libraries that build objects from a configuration (``_target_``) or look into the environment (``${...}``) would turn a
bundle's data into code, so neither is kept nor read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reproof.credentials import is_credential
from reproof.errors import BundleError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_SEED_KEY: Final = "training.seed"

_CODE_KEY: Final = re.compile(r"_\w+_|__\w+|class_path|init_args")
_REFERENCE: Final = re.compile(r"\$\{|\{\{|!!python")


def plain_config(config: Any) -> dict[str, Any]:
    """Return a configuration as plain values; one of OmegaConf is resolved, numbers of numpy become Python's.

    Raises BundleError if it holds a value that is not plain, or names code.
    """
    value = _plain(config, "")
    if not isinstance(value, dict):
        raise BundleError(f"the configuration is a {type(config).__name__}", "give a mapping")
    refuse_code(value, "the configuration")
    return value


def refuse_code(config: Mapping[str, Any], source: str) -> None:
    """Refuse a configuration that a library would build objects from, or that refers to what is not in it.

    Raises BundleError naming the key.
    """
    for path, key, value in _walk(config, ""):
        if isinstance(key, str) and _CODE_KEY.fullmatch(key):
            raise BundleError(
                f"{source} is refused: the key {path!r:.80} names code to run",
                "write values, and choose the code in the training",
                slug="bundle-config",
            )
        if isinstance(value, str) and _REFERENCE.search(value):
            raise BundleError(
                f"{source} is refused: {path!r:.80} holds the reference {value!r:.60}",
                "resolve it before it is written",
                slug="bundle-config",
            )


def tell_credentials(config: Mapping[str, Any]) -> str:
    """Say which values of a configuration look like credentials; empty if none does."""
    found = [path for path, key, value in _walk(config, "") if is_credential(str(key), value)]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    told = f"config.yaml holds what looks like a credential, {found[0]:.80}{more}" if found else ""
    return told and f"{told}: read it in the training from elsewhere before the bundle is shared"


def read_seed(config: Mapping[str, Any], seed_key: str) -> int:
    """Return the seed of a configuration. Raises UsageError if there is none."""
    value: Any = config
    for key in seed_key.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise UsageError(
            f"the configuration has {value!r:.40} as {seed_key}",
            "give a seed from 0 to 2**32 - 1, or name its seed_key",
        )
    return value


def with_seed(config: Mapping[str, Any], seed_key: str, seed: int) -> dict[str, Any]:
    """Return a copy of a configuration with another seed."""
    head, _, rest = seed_key.partition(".")
    return {**config, head: with_seed(config[head], rest, seed) if rest else seed}


def _plain(value: Any, path: str) -> Any:
    if type(value).__module__.startswith("omegaconf"):
        from omegaconf import OmegaConf  # installed, as the user has made a value of it

        value = OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
    if isinstance(value, dict):
        return {key: _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if type(value).__module__ in {"numpy", "torch"} and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    raise BundleError(
        f"{path.lstrip('.')} of the configuration is a {type(value).__name__}", "give numbers, text, lists, mappings"
    )


def _walk(value: Any, path: str) -> Iterator[tuple[str, object, object]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        name = f"{path}.{key}" if path else str(key)
        yield name, key, item
        yield from _walk(item, name)
