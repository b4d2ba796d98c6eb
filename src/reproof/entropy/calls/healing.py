"""Put the result of an earlier run in the place of one that differs.

What was returned is replaced; what was changed in place (an array that was filled, a generator that went on) is changed
again. Names of something outside (paths, ports, numbers of processes, open files) are never replaced: the run would go
on with something that is not there.
"""

from __future__ import annotations

import os
import pickle
import sys
import types
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.entropy.calls.contents import SIMPLE, digest_content, find_reader, read_buffer, read_name

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTSIDE: Final = frozenset(
    {"getpid", "getppid", "get_ident", "get_native_id", "getpgrp", "fileno", "fork", "getsockname", "getpeername"}
    | {"bind", "accept", "connect", "create_connection", "create_server", "socket", "socketpair", "pipe", "open"}
    | {"Popen", "mkdtemp", "mkstemp", "mktemp", "gettempdir", "getcwd", "TemporaryDirectory", "NamedTemporaryFile"}
)
"""Last names of calls that return names or handles of what is outside of the process."""

MAX_PATH: Final = 4096


class Memory(NamedTuple):
    """The memory of something that shows it, as of `ctypes`, which cannot be saved otherwise."""

    data: bytes


class Result(NamedTuple):
    """What a call has left.

    Attributes:
        returned: What it returned; None if that is one of its arguments.
        changed: Positions of the arguments that it changed (the object of a method first), and what they hold since.
        is_argument: Position of the argument that it returned, or None.
    """

    returned: Any
    changed: tuple[tuple[int, Any], ...] = ()
    is_argument: int | None = None


def save_result(result: Result, max_bytes: int) -> bytes | None:
    """Return a result in a form for `load_result`; None if it has none, or a larger one."""
    values = (result.returned, *(value for _, value in result.changed))
    if any(getattr(value, "nbytes", 0) > max_bytes for value in values):
        return None
    if any(find_reader(type(value)) is read_name for value in values):
        return None
    packed = Result(
        _pack(result.returned), tuple((number, _pack(value)) for number, value in result.changed), result.is_argument
    )
    try:
        data = pickle.dumps(packed, 4)
    except Exception:  # noqa: BLE001  # of whatever a value is made of
        return None
    return data if len(data) <= max_bytes else None


def load_result(data: bytes) -> Result:
    """Return what `save_result` has saved, in an experiment right before this one.

    Raises whatever a library raises that cannot make its own object again.
    """
    result: Result = pickle.loads(data)  # noqa: S301  # of a run of the same code, for this one alone
    return result


def _pack(value: Any) -> Any:
    is_memory = type(value) not in SIMPLE and find_reader(type(value)) is read_buffer
    return Memory(memoryview(value).tobytes()) if is_memory else value


def names_outside(name: str, result: Result) -> bool:
    """Whether a call returned the name of something outside."""
    return name.rpartition(".")[2] in OUTSIDE or any(
        is_path(value) for value in (result.returned, *(value for _, value in result.changed))
    )


def is_path(value: Any) -> bool:
    """Whether a value is the path of something that is there, or of something in a folder that is."""
    if isinstance(value, os.PathLike):
        return True
    if not isinstance(value, str) or os.sep not in value or len(value) > MAX_PATH or "\0" in value:
        return False
    return value.startswith(os.sep) and os.path.isdir(os.path.dirname(value))  # noqa: PTH112, PTH120  # text, and quick


def apply_result(earlier: Result, returned: Any, arguments: Sequence[Any]) -> tuple[Any, bool]:
    """Put an earlier result in the place of another.

    `arguments` has the object of a method first. Returns what the call returns now, and whether all of it is as in the
    earlier run.
    """
    is_whole = all(
        number < len(arguments) and change_into(arguments[number], value) for number, value in earlier.changed
    )
    if earlier.is_argument is not None:
        return returned, is_whole and any(returned is one for one in arguments)
    if digest_content(earlier.returned).digest == digest_content(returned).digest:
        return returned, is_whole
    if isinstance(earlier.returned, Memory):
        return returned, is_whole and change_into(returned, earlier.returned)
    return earlier.returned, is_whole


def change_into(value: Any, wanted: Any) -> bool:
    """Have an object hold what another one does; return whether it does."""
    if isinstance(wanted, Memory):
        with memoryview(value) as view:
            if view.readonly or view.nbytes != len(wanted.data):
                return False
            view.cast("B")[:] = wanted.data
        return True
    if type(value) is not type(wanted):
        return False
    for kinds, change in CHANGES:
        if any(f"{known.__module__}.{known.__qualname__}" in kinds for known in type(value).__mro__):
            change(value, wanted)
            return True
    attributes = getattr(value, "__dict__", None)
    if not isinstance(attributes, dict) or isinstance(value, types.ModuleType | type):
        return False
    attributes.clear()
    attributes.update(wanted.__dict__)
    return True


def _change_list(value: Any, wanted: Any) -> None:
    list.__setitem__(value, slice(None), list(wanted))


def _change_dict(value: Any, wanted: Any) -> None:
    dict.clear(value)
    dict.update(value, wanted)


def _change_set(value: Any, wanted: Any) -> None:
    set.clear(value)
    set.update(value, wanted)


def _change_array(value: Any, wanted: Any) -> None:
    sys.modules["numpy"].copyto(value, wanted)


def _change_tensor(value: Any, wanted: Any) -> None:
    with sys.modules["torch"].no_grad():
        value.copy_(wanted)


def _change_bit_generator(value: Any, wanted: Any) -> None:
    value.bit_generator.state = wanted.bit_generator.state


def _change_state(value: Any, wanted: Any) -> None:
    value.set_state(wanted.get_state())


def _change_python_generator(value: Any, wanted: Any) -> None:
    value.setstate(wanted.getstate())


CHANGES: Final = (
    ({"builtins.list"}, _change_list),
    ({"builtins.dict"}, _change_dict),
    ({"builtins.set"}, _change_set),
    ({"numpy.ndarray"}, _change_array),
    ({"torch.Tensor"}, _change_tensor),
    ({"numpy.random._generator.Generator"}, _change_bit_generator),
    ({"numpy.random.mtrand.RandomState", "torch._C.Generator"}, _change_state),
    ({"random.Random"}, _change_python_generator),
)
"""How objects of these types are changed in place."""
