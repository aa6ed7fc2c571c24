"""What runs the kernel's front end, as far as it matters to messages."""

from __future__ import annotations

import inspect
import os
import sys
import threading

_beside: set[bool] = set()
"""Whether messages were heard in another thread than cells run in, a subshell: True, False, or both by and by."""


def heard() -> None:
    """Notes in which thread a message of the page was heard."""
    _beside.add(threading.current_thread() is not threading.main_thread())


def deaf() -> str | None:
    """Why the kernel hears nothing while a cell runs, as the beginning of a sentence."""
    kernelbase = sys.modules.get("ipykernel.kernelbase")
    if kernelbase is None or "marimo" in sys.modules:
        return "Messages of the widget are not heard here while a cell runs"
    version = sys.modules["ipykernel"].__version__
    if int(version.split(".")[0]) < 7:
        return f"ipykernel {version} hears no messages while a cell runs (7 does)"
    # Since 7.4 messages of widgets are heard beside a cell that awaits; before, where the front end sends them to a
    # subshell, as JupyterLab does since 4.4: where nothing was heard yet, it is given the chance.
    awaiting = "concurrent" in inspect.signature(kernelbase.Kernel.dispatch_shell).parameters
    if awaiting or True in _beside or (not _beside and "JPY_SESSION_NAME" in os.environ):
        return None
    return "This front end's messages are not heard while a cell runs"
