"""Dispatch modes of PyTorch that leave compiled regions compiled: else PyTorch would compute other bits in them."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class ProbeMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that sees every operation of the thread that enters it, but for those of compiled regions."""

    supports_higher_order_operators = True

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Have compiled regions run as they are compiled."""
        return True


def enter_mode(mode: TorchDispatchMode) -> None:
    """Enter a dispatch mode that leaves compiled regions compiled.

    Before `ignore_compile_internals` existed (PyTorch 2.9) the flag that a mode sets when it is entered kept the
    compiler from compiling: there the mode is put on the stack without the flag.
    """
    if hasattr(TorchDispatchMode, "ignore_compile_internals"):
        mode.__enter__()  # type: ignore[no-untyped-call]
    else:
        torch._C._push_on_torch_dispatch_stack(mode)  # noqa: SLF001


def leave_mode(mode: Any) -> bool:
    """Leave a dispatch mode if no other was entered after it; return whether it was left."""
    count = torch._C._len_torch_dispatch_stack()  # noqa: SLF001  # no public test
    if not count or torch._C._get_dispatch_stack_at(count - 1) is not mode:  # noqa: SLF001
        return False
    if hasattr(TorchDispatchMode, "ignore_compile_internals"):
        mode.__exit__(None, None, None)
    else:
        torch._C._pop_torch_dispatch_stack(None)  # noqa: SLF001
    return True
