"""Blobs go to the page in parts that it asks for; answers come back in parts that are acknowledged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from .blobs import Blob, Bytes, Changed

PART = 500_000
"""Bytes of a message: half of what Jupyter forwards in a second."""


def answer_get(blobs: Mapping[str, Blob], content: Mapping[str, Any]) -> tuple[dict[str, Any], list[Bytes]]:
    """What to send for {kind: 'get', name, begin}: the part, or why there is none."""
    name, begin = content.get("name"), content.get("begin")
    blob = blobs.get(name) if isinstance(name, str) else None
    if blob is None or not isinstance(begin, int):
        text = "The kernel no longer has these bytes; run the cell again."
        return {"kind": "gone", "name": name, "text": text}, []
    try:
        part = blob.part(begin, PART)
    except (Changed, OSError) as error:
        return {"kind": "gone", "name": name, "text": str(error)}, []
    return {"kind": "part", "name": name, "begin": begin, "size": blob.size}, [part]


class Incoming:
    """An answer as its parts come: in order, each once, whatever comes twice.

    Another answer to the same question, of a page that was loaded anew, takes the place of what came of the first.
    """

    def __init__(self) -> None:
        self.meta: dict[str, Any] = {}
        self.data = bytearray()
        self.size: int | None = None

    def take(self, content: Mapping[str, Any], buffers: list[Bytes]) -> bool:
        """Whether the part may be acknowledged, which one that lies ahead may not."""
        begin = content["begin"]
        if begin > len(self.data) or (begin and self.size is None):
            return False
        if not begin and (self.size, self.meta) != (content["size"], meta := dict(content.get("meta") or {})):
            self.size, self.meta, self.data = content["size"], meta, bytearray()
        if begin == len(self.data) and buffers:
            self.data += buffers[0]
        return True

    @property
    def complete(self) -> bool:
        return self.size is not None and len(self.data) >= self.size

    @property
    def intact(self) -> bool:
        """Whether length and sum are as the page said."""
        sum = self.meta.get("sha256")
        return len(self.data) == self.size and (sum is None or hashlib.sha256(self.data).hexdigest() == sum)
