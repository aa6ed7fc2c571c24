"""Names of classes: which one a name means (as the package and the command line have it), and one's own in a config."""

from __future__ import annotations

from collections.abc import Sequence

LISTED = 20
"""Indices that an error lists."""


def class_named(labels: Sequence[str] | None, name: str) -> int:
    """The label as it is written; else whatever the case; else a part between commas; else the index.

    Raises ValueError where none fits, or several do.
    """
    if not labels:
        raise ValueError(f"This model names no classes that Python knows, so {name!r} can't be found; give the index.")
    part = _trim(name)
    steps = (
        lambda label: label == name,
        lambda label: _fold(label) == _fold(name),
        lambda label: part in _parts(label),
        lambda label: _fold(part) in map(_fold, _parts(label)),
    )
    for fits in steps:
        found = [index for index, label in enumerate(labels) if fits(label)]
        if len(found) == 1:
            return found[0]
        if found:
            more = [f"and {len(found) - LISTED} more"] if len(found) > LISTED else []
            listed = ", ".join([*map(str, found[:LISTED]), *more])
            raise ValueError(f"`{name}` fits several classes: {listed}. Give the index of the one that is meant.")
    if part.isascii() and part.isdigit() and int(part) < len(labels):
        return int(part)
    raise ValueError(f"None of the model's {len(labels)} classes is called {name!r}.")


def _trim(text: str) -> str:
    """White space as JavaScript sees it."""

    def space(c: str) -> bool:
        return c == "\ufeff" or (c.isspace() and c not in "\x1c\x1d\x1e\x1f\x85")

    begin, end = 0, len(text)
    while begin < end and space(text[begin]):
        begin += 1
    while begin < end and space(text[end - 1]):
        end -= 1
    return text[begin:end]


def _parts(label: str) -> list[str]:
    return [part for part in map(_trim, label.split(",")) if part]


def _fold(text: str) -> str:
    """Each character by itself, so that no neighbour decides, and a final sigma as any other."""
    return "".join(c.lower() for c in text).replace("ς", "σ")
