"""What `node xtask/notebook.mjs` wrote into static/: the widget's module as it is, all else gzipped."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from .blobs import Blob

STATIC = Path(__file__).parent / "static"
EXPORT = "export.html"
WITHOUT = "export default { render({ el }) { el.textContent = %r; } };"
REMEDY = "This checkout of vitscope has no widget yet; run node xtask/notebook.mjs."


def esm() -> str:
    """The text of widget.js; in a checkout without it a module that says so."""
    path = STATIC / "widget.js"
    return path.read_text("utf-8") if path.exists() else WITHOUT % REMEDY


@cache
def blobs() -> dict[str, Blob]:
    """What the page may ask for, gzipped, by the names of what is in it: app.js, worker.js, relaxed.wasm, …"""
    files = sorted(STATIC.glob("*.gz")) if STATIC.is_dir() else []
    return {path.name[:-3]: Blob.of_file(path) for path in files if path.name != f"{EXPORT}.gz"}


def text(name: str) -> str:
    """Raises FileNotFoundError with one sentence."""
    path = STATIC / f"{name}.gz"
    if not path.exists():
        raise FileNotFoundError(REMEDY)
    return gzip.decompress(path.read_bytes()).decode("utf-8")


@cache
def imagenet() -> list[str]:
    """The labels of ImageNet-1k; none in a checkout without static/."""
    return text("imagenet-1k.txt").splitlines() if (STATIC / "imagenet-1k.txt.gz").exists() else []
