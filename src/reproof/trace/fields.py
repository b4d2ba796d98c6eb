"""Take values out of parsed JSON by name and type: what another program wrote need not have the right form."""

from __future__ import annotations

import reprlib
from typing import Any


class Fields:
    """The fields of a JSON object. Each method raises ValueError, naming the field and what it holds."""

    def __init__(self, data: Any) -> None:  # whatever was parsed
        """Read from parsed JSON, which must be an object."""
        if not isinstance(data, dict):
            raise ValueError(f"{reprlib.repr(data)} is no object")  # noqa: TRY004  # one exception for all that is wrong
        self._data = data

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a field of this name."""
        return name in self._data

    def wrong(self, name: str) -> ValueError:
        """Return the error that says what a field holds."""
        return ValueError(f"{name} is {reprlib.repr(self._data[name])}" if name in self._data else f"{name} is missing")

    def take(self, name: str, kind: type) -> Any:  # of the kind asked for
        """Return a field of exactly this type: True is no int, and 1.0 none either."""
        value = self._data.get(name)
        if type(value) is not kind:
            raise self.wrong(name)
        return value

    def text(self, name: str) -> str:
        """Return a string."""
        value: str = self.take(name, str)
        return value

    def number(self, name: str, minimum: int = 0, maximum: int = 2**63 - 1) -> int:
        """Return an integer within bounds."""
        value: int = self.take(name, int)
        if not minimum <= value <= maximum:
            raise self.wrong(name)
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> Any:  # one of the choices
        """Return a string that is one of these."""
        value = self.text(name)
        if value not in choices:
            raise self.wrong(name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self.take(name, list)
        if not all(type(value) is str for value in values):
            raise self.wrong(name)
        return tuple(values)

    def plain(self, *, texts: tuple[str, ...], numbers: tuple[str, ...]) -> dict[str, Any]:
        """Return several strings and non-negative integers by their names, as a record with such fields takes them."""
        return {name: self.text(name) for name in texts} | {name: self.number(name) for name in numbers}

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        value: bool = self.take(name, bool)
        return value

    def is_null(self, name: str) -> bool:
        """Tell whether a field is there and holds null."""
        return name in self._data and self._data[name] is None
