"""What runs the kernel's front end, as far as it matters to messages."""

from __future__ import annotations

import inspect
import os
import sys
import threading

_apart = threading.Event()
"""Set once a message was heard in another thread than cells run in: in a subshell."""


def heard() -> None:
    """Notes in which thread a message of the page was heard."""
    if threading.current_thread() is not threading.main_thread():
        _apart.set()


def deaf() -> str | None:
    """Why the kernel hears nothing while a cell runs, as the beginning of a sentence."""
    kernelbase = sys.modules.get("ipykernel.kernelbase")
    if kernelbase is None or "marimo" in sys.modules:
        return "Messages of the widget are not heard here while a cell runs"
    version = sys.modules["ipykernel"].__version__
    if int(version.split(".")[0]) < 7:
        return f"ipykernel {version} hears no messages while a cell runs (7 does)"
    if _apart.is_set() or "JPY_SESSION_NAME" in os.environ:
        return None
    # Front ends without subshells: kernels since 7.4 hear messages of widgets beside an awaiting cell.
    beside = "concurrent" in inspect.signature(kernelbase.Kernel.dispatch_shell).parameters
    return None if beside else "This front end's messages are not heard while a cell runs"
