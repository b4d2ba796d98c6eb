"""Be called when a module or an optimizer is destroyed, while its tensors are still there.

A function that trains returns, and its model is gone long before the process ends. ``__del__`` on the base classes
is called for each instance before its weak references and attributes are cleared. It keeps nothing alive, changes no
order of destruction, and is not called for objects that outlive the recording.

Left out: classes that define ``__del__`` and were made by a metaclass that hides it; modules that die in forked
children.
"""

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.optim.optimizer import Optimizer

from reproof.entropy.handled import is_by_handler
from reproof.recorder.final.relay import relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.recorder.final.relay import Token

    Observer = Callable[[Any], None]

OWN: Final = "__del__"

_observers: list[Observer] = []
_wrapped: list[tuple[type, Callable[[Any], Any]]] = []
_undo: list[Callable[[], None]] = []


def observe_deaths(observer: Observer) -> Callable[[], None]:
    """Have a function called with every `torch.nn.Module` and `Optimizer` that is about to be destroyed.

    Args:
        observer: Called in any thread, also within garbage collection and within code of ours: it must take no lock,
            touch no file and keep no reference. What it raises is printed by Python, unless it comes from a signal
            handler: then it reaches the program.

    Returns:
        What ends it.

    Effects: while anybody observes, the base classes have ``__del__``, and classes with a ``__del__`` of their own a
    wrapped one. Compiled graphs stay as they are: Dynamo is told to pass over our code.
    """
    if not _observers:
        _install()
    _observers.append(observer)
    return functools.partial(_end, observer)


def _end(observer: Observer) -> None:
    if observer in _observers:
        _observers.remove(observer)
        if not _observers:
            _remove()


def _finalize(dying: Any) -> Token | None:
    """Call the observers; stands for ``__del__``."""
    try:
        for observer in _observers:
            observer(dying)
    except BaseException as error:
        if is_by_handler(error) or not isinstance(error, Exception):
            return relay(error)
        raise
    return None


def _install() -> None:
    # A module that dies inside of a compiled function would have Dynamo trace our code, which breaks its graph.
    _pass_over(_finalize)
    for base in (torch.nn.Module, Optimizer):
        base.__del__ = _finalize  # type: ignore[union-attr]
        _undo.append(functools.partial(_delete, base, OWN))
        for derived in list_derived(base):
            _wrap(derived)
        _watch_new_classes(base)


def _remove() -> None:
    while _undo:
        _undo.pop()()
    while _wrapped:
        derived, original = _wrapped.pop()
        if getattr(derived.__dict__.get(OWN), "__wrapped__", None) is original:  # nobody has replaced it since
            setattr(derived, OWN, original)


def _delete(owner: type, name: str) -> None:
    with contextlib.suppress(AttributeError):
        delattr(owner, name)


def list_derived(base: type) -> Iterator[type]:
    """Yield the classes derived from a class, at any depth."""
    waiting: list[type] = list(type.__subclasses__(base))
    seen: set[type] = set()
    while waiting:
        derived = waiting.pop()
        if derived not in seen:
            seen.add(derived)
            yield derived
            waiting += type.__subclasses__(derived)


def _wrap(derived: type) -> None:
    """Have a ``__del__`` of a class's own call ours first; most of them do not call that of their base."""
    original = derived.__dict__.get(OWN)
    if original is None or not callable(original) or any(known is derived for known, _ in _wrapped):
        return

    @functools.wraps(original)
    def finalize_own(dying: Any) -> Any:
        token = _finalize(dying)
        result = original(dying)
        return result if token is None else token

    _pass_over(finalize_own, recursive=False)
    try:
        setattr(derived, OWN, finalize_own)
    except (AttributeError, TypeError):  # a class that lets nothing be set
        return
    _wrapped.append((derived, original))


def _watch_new_classes(base: type) -> None:
    """Wrap the ``__del__`` of classes that are defined from now on."""
    known = base.__dict__.get("__init_subclass__")

    def __init_subclass__(cls: type, **kwargs: Any) -> None:  # noqa: N807  # its name
        if known is None:
            super(base, cls).__init_subclass__(**kwargs)  # type: ignore[arg-type]
        else:
            known.__get__(None, cls)(**kwargs)
        if _observers:
            _wrap(cls)

    base.__init_subclass__ = classmethod(__init_subclass__)  # type: ignore[assignment,arg-type]
    restore = functools.partial(setattr, base, "__init_subclass__", known)
    _undo.append(functools.partial(_delete, base, "__init_subclass__") if known is None else restore)


def _pass_over(function: Callable[..., Any], *, recursive: bool = True) -> None:
    """Tell Dynamo to run a function as it is, without importing the compiler, which takes a second.

    `torch._C._dynamo.eval_frame.set_code_exec_strategy` is what `torch._dynamo.disable` ends in (PyTorch 2.13:
    torch/_dynamo/eval_frame.py); older versions lack it, and a module that dies within a compiled function breaks the
    graph there.
    """
    with contextlib.suppress(AttributeError, TypeError, RuntimeError):
        frames = torch._C._dynamo.eval_frame  # noqa: SLF001  # there is no public way that does not import it
        skip = frames._FrameAction.SKIP  # noqa: SLF001  # as above
        inner = skip if recursive else frames._FrameAction.DEFAULT  # noqa: SLF001  # as above
        strategy = frames._FrameExecStrategy(skip, inner)  # noqa: SLF001  # as above
        frames.set_code_exec_strategy(function.__code__, strategy)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_observers.clear)
