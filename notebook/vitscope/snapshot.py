"""A picture under the cell, which stays where notebooks are only rendered."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable

from .handle import VitscopeError


def below() -> Callable[[bytes], bytes]:
    """Keeps a place below the cell that runs; the function puts a PNG there and returns it.

    Raises VitscopeError where no cell is.
    """
    core = sys.modules.get("IPython")
    if core is None or core.get_ipython() is None:
        raise VitscopeError(
            "snapshot() puts a picture under a notebook's cell; to_html(path) writes a file.", "no-cell"
        )
    from IPython.display import Image, display

    place = secrets.token_hex(8)
    display({"text/plain": "The picture comes when the widget has drawn it."}, raw=True, display_id=place)

    def put(png: bytes) -> bytes:
        display(Image(data=bytes(png), format="png"), display_id=place, update=True)
        return bytes(png)

    return put
