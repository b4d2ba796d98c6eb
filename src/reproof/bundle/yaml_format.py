"""YAML of plain values: no tags, anchors or aliases, so that no object is built and a small file cannot expand.

Numbers such as ``1e-5``, which YAML 1.1 takes for text, are numbers here, as in OmegaConf; dates stay text.
PyYAML is imported when it is needed, as an extra.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from reproof.errors import BundleError, DependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_YAML_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 48
MAX_NODES: Final = 100_000

REMEDY: Final = "write plain values alone: mappings with text keys, lists, numbers, text, true, false, null"

_FLOAT: Final = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|[0-9][0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)")
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,63})")


def dump_yaml(value: Mapping[str, Any]) -> str:
    """Return plain values as YAML that `parse_yaml` reads back to the bit.

    Raises BundleError if a value is not plain and DependencyError if PyYAML is not installed.
    """
    yaml = import_yaml()
    _check_plain(value, "", 0)
    text: str = yaml.dump(value, Dumper=_classes()[1], sort_keys=False, allow_unicode=True, width=120)
    return text


def parse_yaml(content: bytes, source: str) -> dict[str, Any]:
    """Return the mapping that a YAML file of plain values holds.

    `source` is its name, for error messages. Raises BundleError if it is damaged, too large or too deep, or has
    aliases, tags or duplicate keys; DependencyError if PyYAML is not installed.
    """
    yaml = import_yaml()
    if len(content) > MAX_YAML_BYTES:
        raise _refuse(source, f"it has {len(content)} bytes, more than {MAX_YAML_BYTES}")
    try:
        text = content.decode("utf-8")
        _check_events(yaml, text, source)
        loader = _classes()[0](text)
        value = _build(loader, loader.get_single_node(), source)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise BundleError(f"{source} is no readable YAML ({first_line(error)})", REMEDY) from None
    if not isinstance(value, dict):
        raise _refuse(source, "it is no mapping")
    return value


def first_line(error: Exception) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def import_yaml() -> Any:
    """Return the module of PyYAML. Raises DependencyError if it is not installed."""
    try:
        import yaml
    except ModuleNotFoundError:
        problem = "PyYAML, which reads bundles, is not installed"
        raise DependencyError(problem, "pip install 'reproof[search]'") from None
    return yaml


def _refuse(source: str, why: str) -> BundleError:
    return BundleError(f"{source} is refused: {why}", REMEDY, slug="bundle-yaml")


def _check_events(yaml: Any, text: str, source: str) -> None:
    """Check the events of a file before it is loaded."""
    depth = 0
    for num_nodes, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if num_nodes > MAX_NODES:
            raise _refuse(source, f"it has more than {MAX_NODES} values")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refuse(source, f"line {event.start_mark.line + 1} has an anchor or alias")
        if getattr(event, "tag", None) is not None:
            raise _refuse(source, f"line {event.start_mark.line + 1} has the tag {event.tag!r:.60}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _refuse(source, f"it is nested deeper than {MAX_DEPTH}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _build(loader: Any, node: Any, source: str) -> Any:
    yaml = import_yaml()
    if node is None:
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, source) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(loader, node, source)
    if node.tag == "tag:yaml.org,2002:float" and _FLOAT.fullmatch(node.value):
        return float(node.value.replace("_", ""))
    return loader.construct_object(node, deep=True)


def _build_mapping(loader: Any, node: Any, source: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _build(loader, key_node, source)
        line = key_node.start_mark.line + 1
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise _refuse(source, f"line {line} has a key that is no text")
        if key in found:
            raise _refuse(source, f"line {line} has the key {key!r:.60} a second time")
        found[key] = _build(loader, value_node, source)  # type: ignore[index]  # whole numbers stay what they are
    return found


@cache
def _classes() -> tuple[Any, Any]:
    """Return a loader and a dumper that agree on what a number is."""
    yaml = import_yaml()
    resolvers = {
        first: [
            (tag, pattern)
            for tag, pattern in found
            if not tag.endswith((":timestamp", ":merge", ":value", ":int"))  # also sexagesimal: 1:30 is text
        ]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for first in "-+0123456789.":
        integers = [("tag:yaml.org,2002:int", _INT), ("tag:yaml.org,2002:float", _FLOAT)]
        resolvers[first] = [
            *(_whole(integers)),
            *((tag, _no_colon(pattern)) for tag, pattern in resolvers.get(first, [])),
        ]
    loader = type("PlainLoader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": resolvers})
    dumper = type(
        "PlainDumper",
        (yaml.SafeDumper,),
        {"yaml_implicit_resolvers": resolvers, "ignore_aliases": lambda _self, _data: True},
    )
    dumper.add_representer(str, _represent_text)  # type: ignore[attr-defined]  # PyYAML has no types
    return loader, dumper


def _represent_text(dumper: Any, text: str) -> Any:
    """Write text that is not all printable in double quotes, the only form in which every character is escaped."""
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _whole(resolvers: list[tuple[str, re.Pattern[str]]]) -> list[tuple[str, re.Pattern[str]]]:
    return [(tag, re.compile(f"(?:{pattern.pattern})$")) for tag, pattern in resolvers]


def _no_colon(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"(?![^:]*:)(?:{pattern.pattern})", re.VERBOSE)


def _check_plain(value: object, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BundleError(f"{path} is nested deeper than {MAX_DEPTH}", REMEDY)
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str and type(key) is not int:
                raise BundleError(f"{path or 'the mapping'} has the key {key!r:.60}", REMEDY)
            _check_plain(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_plain(item, f"{path}[{index}]", depth + 1)
    elif value is not None and type(value) not in {bool, int, float, str}:
        raise BundleError(f"{path} is a {type(value).__module__}.{type(value).__name__}", REMEDY)
