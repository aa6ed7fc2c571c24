"""The widget: what it shows, as traits that follow it and set it, and questions to it."""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import anywidget
import numpy as np
import traitlets

from . import answers, assets, frontend, images, models, safetensors
from .blobs import Blob, Bytes
from .handle import Handle, VitscopeError
from .transport import Incoming, answer_get
from .view import NAMES, View

T = TypeVar("T")
MODELS = 2
"""Most that are shown side by side."""
AGAIN = 2
"""Seconds from a part to when it may be wanted again: a page waits for five."""
NOTHING: tuple[Any, float] = (None, 0.0)
"""The part that was sent last, where none was, and when."""


class _Asked:
    """A question under way."""

    def __init__(self, message: dict[str, Any], handle: Handle, finish: Callable[[dict[str, Any], Bytes], Any]) -> None:
        self.message, self.handle, self.finish = message, handle, finish
        self.incoming = Incoming()


class Explorer(View, anywidget.AnyWidget):
    """A model, or two side by side, and an image, or several, in the cell's output; `vitscope.explore` makes it.

    Attributes:
        layer, head: counted from 0; None where the view has none or shows all.
        query: [row, col] of a patch, or None for the image as a whole.
        view: one of heads, rollout, class, logit-lens, patch-lens, features, similarity, model.
        target: a class's index, or None for the likeliest; may be set by its label.
        index: which of the images.
    """

    _esm = assets.esm()

    _models = traitlets.List().tag(sync=True)
    _images = traitlets.List().tag(sync=True)
    _assets = traitlets.Dict().tag(sync=True)
    _rate = traitlets.Float(None, allow_none=True).tag(sync=True)
    _shown = traitlets.List().tag(sync=True, echo_update=False)

    def __init__(self, shown_models: list[models.Model], shown_images: list[images.Image], **view: Any) -> None:
        self._of_models, self._of_images = shown_models, shown_images
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}
        self._views = 0
        self._sent = NOTHING
        self._blobs: dict[str, Blob] = {}
        unknown = next((name for name in view if name not in NAMES), None)
        if unknown:
            raise TypeError(f"explore takes no {unknown!r}; what sets the view is {', '.join(NAMES)}.")
        self._labels, self._count = shown_models[0].labels, len(shown_images)
        self._blobs = {blob.name: blob for blob in assets.blobs().values()}
        for each in (*shown_models, *shown_images):
            self._blobs |= {blob.name: blob for blob in each.blobs()}
        super().__init__(
            _models=[model.state() for model in shown_models],
            _images=[image.state() for image in shown_images],
            _assets={file: {"name": blob.name, "size": blob.size} for file, blob in assets.blobs().items()},
            _rate=getattr(sys.modules["vitscope"], "rate", None),  # (as the user has set it)
            **view,
        )
        self.on_msg(self._on_message)

    # What is shown

    @property
    def map(self) -> Any:
        """Values of the open view: float32 [rows, cols], or [rows, cols, 3] of colours; of two models a list of two.

        Raises VitscopeError where the view has none, or nothing is shown yet.
        """
        return self._each("map", answers.map_of, "This view has no map")

    @property
    def top(self) -> Any:
        """The likeliest classes, best first, as (label, score); of two models a list of two.

        Raises VitscopeError where nothing is shown yet.
        """
        return self._each("top", lambda top: [(label, score) for _, label, score in top], "This model names no classes")

    def _each(self, key: str, make: Callable[[Any], T], without: str) -> T | list[T]:
        shown = self._shown
        if len(shown) < len(self._models) or not all(shown):
            raise VitscopeError(
                f"Nothing is shown yet; display the widget, and read .{key} in the next cell.", "pending"
            )
        if any(each.get(key) is None for each in shown):
            raise VitscopeError(f"{without}; widget.view says which is open.", "no-map")
        values = [make(each[key]) for each in shown]
        return values if len(values) > 1 else values[0]

    # Questions

    def shown(self) -> Handle[Explorer]:
        """Comes, as the widget itself, when the page shows what is chosen: then `map` and `top` are of that."""
        return self._ask("widget.shown()", "shown", 0, {}, lambda meta, data: self)

    def trace(self, model: int = 0, **options: Any) -> Handle[dict[str, np.ndarray]]:
        """A forward pass as arrays by name: logits, features, attentions, hidden_states; options are the package's."""
        return self._ask("widget.trace()", "trace", model, options, lambda meta, data: safetensors.load(data))

    def attribute(
        self, method: str = "chefer", target: int | str | None = None, model: int = 0, **options: Any
    ) -> Handle[answers.Attribution]:
        """What speaks for a class: chefer, gradient-rollout, grad-cam or occlusion; target None: the likeliest."""
        options = {"method": method, "target": target, **options}
        return self._ask(f"widget.attribute({method!r})", "attribute", model, options, answers.attribution)

    def curves(self, attribution: Any, model: int = 0, **options: Any) -> Handle[answers.Curves]:
        """Deletion and insertion curves of an attribution (or its handle), or of any map [rows, cols]."""
        attribution = attribution.result if isinstance(attribution, Handle) else attribution
        values = attribution.map if isinstance(attribution, answers.Attribution) else attribution
        try:
            values = np.asarray(values if (array := images.array_of(values)) is None else array, np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"curves takes an attribution or a map [rows, cols]; {error}.") from None
        if values.ndim != 2:
            raise ValueError(f"curves takes an attribution or a map [rows, cols], not {list(values.shape)}.")
        rows, cols = values.shape
        given = {"map": {"rows": rows, "cols": cols, "data": values.ravel().tolist()}}
        target = getattr(attribution, "target", None)
        if target is not None and "target" not in options:
            given["target"] = target.index
        return self._ask("widget.curves()", "curves", model, {**given, **options}, answers.curves)

    def snapshot(self, model: int = 0) -> Handle[bytes]:
        """Puts the open view under the cell as a PNG, for notebooks that are only rendered; the handle has it."""
        from .snapshot import below

        put = below()
        return self._ask("widget.snapshot()", "snapshot", model, {}, lambda meta, data: put(data))

    def to_html(self, path: Any) -> Handle[Any]:
        """Writes an HTML file with the models (int8), the image and the view in it; the handle has its path."""
        from .single import to_html

        return to_html(self, path)

    def _ask(
        self,
        what: str,
        method: str,
        model: int,
        options: Mapping[str, Any],
        finish: Callable[[dict[str, Any], Bytes], T],
    ) -> Handle[T]:
        self._check_open()
        if model not in range(len(self._models)):
            raise ValueError(f"model counts from 0 among {len(self._models)}, so it can't be {model!r}.")
        handle: Handle[T] = Handle(what, lambda: self._views)
        options = {key: answers.plain(value) for key, value in options.items() if value is not None}
        for key, value in options.items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise ValueError(f"The {key} of {what} can't be sent: {error}.") from None
        options = {answers.camel(key): value for key, value in options.items()}
        message = {"kind": "ask", "id": secrets.token_hex(8), "method": method, "model": int(model), "options": options}
        with self._lock:
            self._asked[message["id"]] = _Asked(message, handle, finish)
        if self._views:
            self.send(message)
        return handle

    # Messages

    def _on_message(self, _: Any, content: Any, buffers: list[Bytes]) -> None:
        frontend.heard()
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "get":
            self._on_get(content)
        elif kind == "state":
            self._on_state(content["state"], buffers)
        elif kind == "views":
            self._on_views(content["count"])
        elif kind == "hello":  # of a page that was opened, or loaded anew
            self._views, self._sent = 0, NOTHING
        elif kind == "answer":
            self._on_answer(content, buffers)
        elif kind == "failed":
            self._settle(content["id"], lambda _: _fail(content.get("text", ""), content.get("code", "")))

    def _on_get(self, content: dict[str, Any]) -> None:
        """What a page asked several times while a cell ran is answered once: all at once would be too much."""
        wanted, now = (content.get("name"), content.get("begin")), time.monotonic()
        if wanted == self._sent[0] and now - self._sent[1] < AGAIN:
            return
        self.send(*answer_get(self._blobs, content))
        self._sent = wanted, time.monotonic()

    def _on_state(self, state: dict[str, Any], buffers: list[Bytes]) -> None:
        """What the reader chose and what is shown, by which the page is not told its own again."""
        state = {name: answers.with_buffers(state[name], buffers) for name in (*NAMES, "_shown") if name in state}
        with self._lock_property(**state), self.hold_trait_notifications():
            for name, value in state.items():
                self.set_trait(name, value)

    def _on_views(self, count: int) -> None:
        """What was asked while nothing displayed the widget, or of a page that went, is asked of the one that came."""
        opened = count > 0 and not self._views
        self._views = count
        if opened:
            with self._lock:
                messages = [asked.message for asked in self._asked.values()]
            for message in messages:
                self.send(message)

    def _on_answer(self, content: dict[str, Any], buffers: list[Bytes]) -> None:
        with self._lock:
            asked = self._asked.get(content["id"])
            taken = asked is None or asked.incoming.take(content, buffers)  # (to the end, of what is no longer wanted)
        if taken:
            self.send({"kind": "taken", "id": content["id"], "begin": content["begin"]})
        if asked and asked.incoming.complete:
            self._settle(content["id"], _finished)

    def _settle(self, id: str, make: Callable[[_Asked], Any]) -> None:
        with self._lock:
            asked = self._asked.pop(id, None)
        if asked:
            asked.handle.settle(lambda: make(asked))

    def close(self) -> None:
        """Takes the widget off the page, and frees what it holds of models and images."""
        super().close()
        self._blobs, self._of_models, self._of_images = {}, [], []
        with self._lock:
            asked, self._asked = self._asked, {}
        for each in asked.values():
            each.handle.settle(lambda: _fail("The widget was closed before it answered.", "closed"))

    def _check_open(self) -> None:
        if not self._of_models:
            _fail("The widget was closed; run vitscope.explore once more.", "closed")

    def __repr__(self) -> str:
        titles = " and ".join(model["title"] for model in self._models)
        return f"<vitscope: {titles}, {self._images[0]['title'] if self._count == 1 else f'{self._count} images'}>"


def _fail(text: str, code: str) -> Any:
    raise VitscopeError(text, code)


def _finished(asked: _Asked) -> Any:
    incoming = asked.incoming
    if not incoming.intact:
        _fail("The answer came damaged; ask once more.", "network")
    return asked.finish(incoming.meta, incoming.data)


def explore(
    model: Any,
    image: Any,
    processor: Any = None,
    labels: Any = None,
    dtype: str | None = None,
    **view: Any,
) -> Explorer:
    """Shows what a Vision Transformer looks at.

    Args:
        model: a module of timm or transformers, a folder, a .safetensors file, or a Hub name; two in a list, or by
            titles in a dict, are shown side by side.
        image: a path, URL, PIL image, uint8 array [H, W, 3], or float tensor [3, H, W] of pixel values; several in a
            list, or by titles in a dict.
        processor: an image processor of transformers, timm's data config, or a preprocessor_config.json; of two models
            one for both, or one each, as the models are given.
        labels: names of the classes, in a list or by index; likewise.
        dtype: 'int8' sends a large model in half its bytes, and runs faster; 'f32'; None: as the model is.
        view: layer, head, query, view, target, index, as the widget has them.

    Raises ValueError, TypeError or OSError with one sentence.
    """
    if dtype not in (None, "f32", "int8"):
        raise ValueError(f"dtype is 'f32', 'int8' or None, not {dtype!r}.")
    made = models.several(model, processor, labels, dtype, MODELS)
    return Explorer(made, images.several(image, made[0].normalisation), **view)
