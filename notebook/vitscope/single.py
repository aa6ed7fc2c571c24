"""The single file: the explorer as an HTML document, with models, image and state in it as parts."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import assets, web
from .blobs import Blob
from .handle import Handle
from .models import FILES, Model

if TYPE_CHECKING:
    from .explorer import Explorer

PLACE, TITLE = "<!-- parts -->", "VITSCOPE-TITLE"
WEIGHTS = "model.safetensors"
FOLDERS = ("", "second/")
"""What names of a model's parts begin with."""
JSON, OCTETS = "application/json", "application/octet-stream"


def to_html(widget: Explorer, path: str | os.PathLike[str]) -> Handle[Path]:
    """Asks the widget for each model in int8, and writes the file when all have come.

    Raises OSError where it has no folder to lie in, or is one.
    """
    widget._check_open()
    target = Path(os.path.expanduser(path))
    if os.path.isdir(target):
        raise IsADirectoryError(f"{str(target)!r} is a folder; name the file, such as {str(target / 'heads.html')!r}.")
    if not os.path.isdir(target.absolute().parent):
        raise FileNotFoundError(f"There is no folder {str(target.parent)!r} for {target.name}.")
    template = assets.text(assets.EXPORT)
    title, state, photo = _title(widget), _state(widget), list(_photo(widget))
    models = widget._of_models
    small = [list(_files(model)) for model in models]
    found: list[list[tuple[str, str, Blob]] | None] = [
        [*own, (WEIGHTS, OCTETS, model.weights[0])] if model.stored_int8 and len(model.weights) == 1 else None
        for own, model in zip(small, models, strict=True)
    ]
    handle: Handle[Path] = Handle(f"widget.to_html({str(path)!r})", lambda: widget._views)
    lock = threading.Lock()

    def write() -> Path:
        parts = [*photo, ("state.json", JSON, _json(state))]
        for folder, own in zip(FOLDERS, found, strict=False):
            parts += [(folder + name, type, blob) for name, type, blob in own or []]
        _write(target, document(template, title, parts))
        return target

    def keep(i: int) -> Callable[[dict[str, Any], bytes], None]:
        def finish(meta: dict[str, Any], data: bytes) -> None:
            own = [*small[i], (WEIGHTS, OCTETS, Blob.of_bytes(data))]
            with lock:
                found[i] = own

        return finish

    def check(asked: Handle[None]) -> None:
        if error := asked.error:
            handle.fail(error)
        elif all(found):
            handle.settle(write)

    missing = [i for i, own in enumerate(found) if own is None]
    if not missing:
        handle.settle(write)
    for i in missing:
        widget._ask("widget.to_html()", "quantize", i, {}, keep(i)).then(check)
    return handle


def document(template: str, title: str, parts: list[tuple[str, str, Blob]]) -> str:
    """The template with its title and parts: (name, type, bytes) each."""
    before, after = template.replace(TITLE, html.escape(title)).split(PLACE)
    return before + "\n".join(part(*each) for each in parts) + after


def part(name: str, type: str, blob: Blob) -> str:
    """As data within the document: gzip in base64, by the same bytes each time."""
    packed = base64.b64encode(gzip.compress(blob.bytes(), 6, mtime=0)).decode()
    return f'<script type="text/plain" id="part:{html.escape(name)}" data-type="{html.escape(type)}">{packed}</script>'


def _files(model: Model) -> Iterator[tuple[str, str, Blob]]:
    if model.hub:
        yield from _of_hub(model.hub)
    for kind, name in FILES.items():
        if kind in model.files:
            yield name, JSON if name.endswith(".json") else OCTETS, model.files[kind]


def _of_hub(name: str) -> Iterator[tuple[str, str, Blob]]:
    """The small files of a model whose weights the page reads. Raises OSError where they can't be had."""
    repository, _, revision = name.removeprefix("hf:").partition("@")
    for file in FILES.values():
        try:
            data = web.fetch(f"https://huggingface.co/{repository}/resolve/{revision or 'main'}/{file}")
        except web.Missing:
            continue
        yield file, JSON if file.endswith(".json") else OCTETS, Blob.of_bytes(data)


def _photo(widget: Explorer) -> Iterator[tuple[str, str, Blob]]:
    image = widget._of_images[widget.index]
    yield ("photo", "image/png", image.shown) if image.shown else ("photo", image.type, image.blob)
    if image.kind == "pixels":
        yield "pixels", OCTETS, image.blob


def _state(widget: Explorer) -> dict[str, Any]:
    image = widget._of_images[widget.index]
    return {
        "photo": image.title,
        "models": [model.title for model in widget._of_models],
        "view": widget.view,
        "layer": widget.layer,
        "head": widget.head,
        "query": widget.query,
        "target": widget.target,
        "shape": image.shape,
    }


def _title(widget: Explorer) -> str:
    return f"{' and '.join(model.title for model in widget._of_models)}: {widget._of_images[widget.index].title}"


def _json(value: Any) -> Blob:
    return Blob.of_bytes(json.dumps(value, ensure_ascii=False).encode())


def _write(path: Path, text: str) -> None:
    """All of it or nothing: what was there stays until the new file is whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
