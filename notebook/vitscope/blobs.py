"""Bytes that have a name, their SHA-256: of memory, of a file, or made piece by piece when they are asked for."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

Bytes = bytes | bytearray | memoryview

STEP = 4 << 20  # bytes read at once for a sum


class Changed(Exception):
    """What lies behind a blob is no longer what its name says."""


class Blob:
    """`size` bytes of which any part can be had; the whole is nowhere unless it was there before."""

    def __init__(self, size: int, read: Callable[[int, int], Bytes]) -> None:
        """read(begin, end): those bytes; raises `Changed`."""
        self.size = size
        self._read = read

    @classmethod
    def of_bytes(cls, data: Bytes) -> Blob:
        view = memoryview(data).cast("B")
        return cls(view.nbytes, lambda begin, end: view[begin:end])

    @classmethod
    def of_file(cls, path: Path) -> Blob:
        """Read part by part, not mapped: a mapped file that training writes anew would take the kernel with it."""
        stat = path.stat()

        def read(begin: int, end: int) -> bytes:
            with path.open("rb") as file:
                now = os.fstat(file.fileno())
                if (now.st_size, now.st_mtime_ns) != (stat.st_size, stat.st_mtime_ns):
                    raise Changed(f"{path} was written anew; run vitscope.explore once more.")
                file.seek(begin)
                return file.read(end - begin)

        return cls(stat.st_size, read)

    @classmethod
    def of_pieces(cls, pieces: Sequence[tuple[int, Callable[[], Bytes]]]) -> Blob:
        """Pieces of known sizes in bytes; the one that was read last is kept, since parts come in order."""
        ends: list[int] = []
        for size, _ in pieces:
            ends.append((ends[-1] if ends else 0) + size)
        last: list[tuple[int, memoryview]] = [(-1, memoryview(b""))]

        def piece(i: int) -> memoryview:
            which, data = last[0]  # (as one: subshells ask in threads of their own)
            if which != i:
                last[0] = (-1, memoryview(b""))  # (not two at once)
                data = memoryview(pieces[i][1]()).cast("B")
                last[0] = (i, data)
            return data

        def read(begin: int, end: int) -> Bytes:
            found = []
            i = bisect_right(ends, begin)
            while begin < end:
                first = ends[i] - pieces[i][0]
                stop = min(end, ends[i])
                found.append(piece(i)[begin - first : stop - first])
                begin, i = stop, i + 1
            return found[0] if len(found) == 1 else b"".join(found)

        return cls(ends[-1] if ends else 0, read)

    def part(self, begin: int, size: int) -> Bytes:
        """At most `size` bytes from `begin`; fewer at the end."""
        begin = min(max(begin, 0), self.size)
        return self._read(begin, min(begin + size, self.size))

    def bytes(self) -> bytes:
        return bytes(self._read(0, self.size))

    @cached_property
    def name(self) -> str:
        """SHA-256 in hex; one pass over the bytes, the first time."""
        sum = hashlib.sha256()
        for begin in range(0, self.size, STEP):
            sum.update(self.part(begin, STEP))
        return sum.hexdigest()
