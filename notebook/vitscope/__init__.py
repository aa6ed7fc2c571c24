"""See every attention head of a Vision Transformer under the notebook's cell."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from .explorer import Explorer, explore
from .handle import Handle, VitscopeError

try:
    __version__ = version("vitscope")
except PackageNotFoundError:  # run from a checkout
    __version__ = "0.0.0"

rate: float | None = None
"""Bytes a second that the page may ask for, where a server drops what comes faster; None: as fast as they come."""

__all__ = ["Explorer", "Handle", "VitscopeError", "__version__", "explore", "rate"]
