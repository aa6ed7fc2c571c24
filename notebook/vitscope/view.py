"""What of the widget both sides set: its traits, checked with one sentence each."""

from __future__ import annotations

import difflib
import operator
from typing import Any

import numpy as np
from traitlets import Any as AnyTrait
from traitlets import HasTraits, TraitError, validate

from .labels import class_named

VIEWS = ("heads", "rollout", "class", "logit-lens", "patch-lens", "features", "similarity", "model")
NAMES = ("layer", "head", "query", "view", "target", "index")


class _Stated(AnyTrait):
    """Never None, of which no validator is asked."""

    allow_none = False


class View(HasTraits):
    """`_labels` (or None) and `_count` say which classes, and how many images, there are."""

    layer = AnyTrait(None).tag(sync=True)
    head = AnyTrait(None).tag(sync=True)
    query = AnyTrait(None).tag(sync=True)
    view = _Stated("heads").tag(sync=True)
    target = AnyTrait(None).tag(sync=True)
    index = _Stated(0).tag(sync=True)

    _labels: list[str] | None = None
    _count = 1

    @validate("layer", "head", "index")
    def _valid_number(self, proposal: Any) -> int | None:
        name, value = proposal["trait"].name, proposal["value"]
        if value is None and name != "index":
            return None
        number = _index(value)
        if number is None or number < 0:
            raise TraitError(f"{name} counts from 0, so it can't be {value!r}.")
        if name == "index" and number >= self._count:
            raise TraitError(f"index counts from 0 among {self._count} images, so it can't be {value!r}.")
        return number

    @validate("query")
    def _valid_query(self, proposal: Any) -> list[int] | None:
        value = proposal["value"]
        if value is None:
            return None
        place = [_index(each) for each in value] if isinstance(value, (list, tuple, np.ndarray)) else []
        if len(place) != 2 or any(each is None or each < 0 for each in place):
            raise TraitError(f"query is [row, col] of a patch, or None for the image as a whole, not {value!r}.")
        return place

    @validate("view")
    def _valid_view(self, proposal: Any) -> str:
        value = proposal["value"]
        if value in VIEWS:
            return value
        near = difflib.get_close_matches(str(value), VIEWS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(VIEWS)}."
        raise TraitError(f"There is no view {value!r}; {hint}")

    @validate("target")
    def _valid_target(self, proposal: Any) -> int | None:
        value = proposal["value"]
        if value is None:
            return None
        if isinstance(value, str):
            return class_named(self._labels, value)
        number = _index(value)
        if number is None or number < 0 or (self._labels and number >= len(self._labels)):
            among = f" among {len(self._labels)}" if self._labels else ""
            raise TraitError(f"target is the label of a class, or its index from 0{among}, not {value!r}.")
        return number


def _index(value: Any) -> int | None:
    """A whole number of any library; a boolean is none."""
    try:
        return None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        return None
