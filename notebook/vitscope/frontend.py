"""What runs the kernel's front end, as far as it matters to messages."""

from __future__ import annotations

import inspect
import os
import sys
import threading

JUPYTER_RATE = 900_000
"""Bytes a second: jupyter_server drops messages beyond 1,000,000 (`iopub_data_rate_limit`)."""

_apart = threading.Event()
"""Set once a message was heard in another thread than cells run in: in a subshell."""


def pace() -> float | None:
    """Bytes a second that the page should ask for; None: as fast as they are answered."""
    own = getattr(sys.modules["vitscope"], "rate", "auto")
    if own != "auto":
        return own
    code = "VSCODE_PID" in os.environ and "JPY_SESSION_NAME" not in os.environ  # (not JupyterLab out of its terminal)
    return None if code or "google.colab" in sys.modules or "marimo" in sys.modules else JUPYTER_RATE


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
